"""The curves of a run as a picture (SVG), drawn with nothing but text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitcloud_net.simulator.scenario import Outcome
from bitcloud_net.simulator.shards import ShardOutcome

_WIDTH, _HEIGHT, _MARGIN = 720, 400, 64
_DARK, _LIGHT = "#1f5fa8", "#9db8d9"


@dataclass(frozen=True, slots=True)
class _Curve:
    color: str
    about: str
    points: Sequence[tuple[float, float]]  # time, and a share from 0 to 1


def draw(outcome: Outcome) -> str:
    """Return an SVG: time to the right, share of the nodes that hold everything upwards."""
    scenario, end = outcome.scenario, outcome.steps[-1]
    parts = [f"{scenario.nodes:,} nodes", f"{scenario.fresh:,} fresh rows"]
    parts += [f"{scenario.off:.0%} off"] if scenario.off else []
    parts += [f"{scenario.liars:.0%} keep them back"] if scenario.liars else []
    parts += [f"split for {scenario.split_steps} steps"] if scenario.split_steps else []
    parts += ["pushed and pulled" if scenario.push else "pulled"]
    moved = f"{end.row_bytes:,} bytes of rows and {end.sync_bytes:,} of comparing"
    spread = [(step.seconds, step.spread) for step in outcome.steps]
    complete = [(step.seconds, step.complete) for step in outcome.steps]
    return _chart(
        ", ".join(parts),
        f"each node sends {moved} in {end.seconds:,.0f} s",
        [
            _Curve(_LIGHT, "rows that have arrived, on average", spread),
            _Curve(_DARK, "nodes that hold everything", complete),
        ],
        unit="s",
    )


def draw_shards(outcome: ShardOutcome) -> str:
    """Return an SVG: periods to the right, the table and what one node holds of it upwards."""
    scenario, most = outcome.scenario, outcome.scenario.rows
    parts = [f"{scenario.nodes:,} nodes", f"at most {most:,} rows"]
    parts += [f"{scenario.off:.0%} off when there are most"] if scenario.off else []
    rows = [(stand.period, stand.rows / most) for stand in outcome.stands]
    kept = [(stand.period, stand.kept * stand.rows / most) for stand in outcome.stands]
    return _chart(
        ", ".join(parts),
        f"cut to depth {outcome.deepest:.1f} at most, {outcome.lost} rows lost",
        [_Curve(_LIGHT, "rows there are", rows), _Curve(_DARK, "rows that a node holds", kept)],
        unit="periods",
    )


def _chart(title: str, subtitle: str, curves: Sequence[_Curve], *, unit: str) -> str:
    last = max(1.0, *(curve.points[-1][0] for curve in curves))
    across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN

    def line(curve: _Curve) -> str:
        points = " ".join(
            f"{_MARGIN + across * time / last:.1f},{_HEIGHT - _MARGIN - up * share:.1f}"
            for time, share in curve.points
        )
        return f'<polyline points="{points}" fill="none" stroke="{curve.color}" stroke-width="3"/>'

    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
            f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="{_MARGIN}" y="26" font-size="17">{title}</text>',
            f'<text x="{_MARGIN}" y="46" fill="#666666">{subtitle}</text>',
            *_grid(last, across, up, unit),
            *map(line, curves),
            *_legend(curves),
            "</svg>",
        ]
    )


def _grid(last: float, across: int, up: int, unit: str) -> list[str]:
    lines = []
    digits = 0 if last >= 8 else 1
    for part in range(5):
        y = _HEIGHT - _MARGIN - up * part / 4
        x = _MARGIN + across * part / 4
        lines += [
            f'<path d="M{_MARGIN} {y:.1f}h{across}" stroke="#dddddd"/>',
            f'<text x="{_MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{part * 25} %</text>',
            f'<text x="{x:.1f}" y="{_HEIGHT - _MARGIN + 20}" text-anchor="middle">'
            f"{last * part / 4:.{digits}f} {unit}</text>",
        ]
    return lines


def _legend(curves: Sequence[_Curve]) -> list[str]:
    """Return the names of the curves, below the picture."""
    lines = []
    for at, curve in enumerate(curves):
        x, y = _MARGIN + 300 * at, _HEIGHT - 16
        lines += [
            f'<path d="M{x} {y - 4}h24" stroke="{curve.color}" stroke-width="3"/>',
            f'<text x="{x + 32}" y="{y}">{curve.about}</text>',
        ]
    return lines
