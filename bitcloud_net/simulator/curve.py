"""The curve of a run as a picture (SVG), drawn with nothing but text."""

from __future__ import annotations

from bitcloud_net.simulator.scenario import Outcome

_WIDTH, _HEIGHT, _MARGIN = 720, 400, 64
_DARK, _LIGHT = "#1f5fa8", "#9db8d9"


def draw(outcome: Outcome) -> str:
    """Return an SVG: time to the right, share of the nodes that hold everything upwards."""
    last = max(outcome.steps[-1].seconds, 1.0)
    across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN

    def point(seconds: float, share: float) -> str:
        return f"{_MARGIN + across * seconds / last:.1f},{_HEIGHT - _MARGIN - up * share:.1f}"

    complete = " ".join(point(step.seconds, step.complete) for step in outcome.steps)
    spread = " ".join(point(step.seconds, step.spread) for step in outcome.steps)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
            f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="{_MARGIN}" y="26" font-size="17">{_title(outcome)}</text>',
            f'<text x="{_MARGIN}" y="46" fill="#666666">{_cost(outcome)}</text>',
            *_grid(last, across, up),
            f'<polyline points="{spread}" fill="none" stroke="{_LIGHT}" stroke-width="2"/>',
            f'<polyline points="{complete}" fill="none" stroke="{_DARK}" stroke-width="3"/>',
            *_legend(),
            "</svg>",
        ]
    )


def _title(outcome: Outcome) -> str:
    scenario = outcome.scenario
    parts = [f"{scenario.nodes:,} nodes", f"{scenario.fresh:,} fresh rows"]
    parts += [f"{scenario.off:.0%} off"] if scenario.off else []
    parts += [f"{scenario.liars:.0%} keep them back"] if scenario.liars else []
    parts += [f"split for {scenario.split_steps} steps"] if scenario.split_steps else []
    return ", ".join([*parts, "pushed and pulled" if scenario.push else "pulled"])


def _cost(outcome: Outcome) -> str:
    end = outcome.steps[-1]
    moved = f"{end.row_bytes:,} bytes of rows and {end.sync_bytes:,} of comparing"
    return f"each node sends {moved} in {end.seconds:,.0f} s"


def _grid(last: float, across: int, up: int) -> list[str]:
    lines = []
    digits = 0 if last >= 8 else 1
    for part in range(5):
        y = _HEIGHT - _MARGIN - up * part / 4
        x = _MARGIN + across * part / 4
        lines += [
            f'<path d="M{_MARGIN} {y:.1f}h{across}" stroke="#dddddd"/>',
            f'<text x="{_MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{part * 25} %</text>',
            f'<text x="{x:.1f}" y="{_HEIGHT - _MARGIN + 20}" text-anchor="middle">'
            f"{last * part / 4:.{digits}f} s</text>",
        ]
    return lines


def _legend() -> list[str]:
    x, y = _WIDTH - 330, _HEIGHT - _MARGIN - 40
    lines = []
    for at, (color, about) in enumerate(
        [(_DARK, "nodes that hold everything"), (_LIGHT, "rows that have arrived, on average")]
    ):
        lines += [
            f'<path d="M{x} {y + 22 * at - 4}h24" stroke="{color}" stroke-width="3"/>',
            f'<text x="{x + 32}" y="{y + 22 * at}">{about}</text>',
        ]
    return lines
