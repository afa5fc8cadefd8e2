"""The curve of a run as a picture (SVG), drawn with nothing but text."""

from __future__ import annotations

from bitcloud_net.simulator.scenario import Outcome

_WIDTH, _HEIGHT, _MARGIN = 720, 400, 60


def draw(outcome: Outcome) -> str:
    """Return an SVG: time to the right, share of the nodes that hold everything upwards."""
    last = max(outcome.steps[-1].seconds, 1.0)
    across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN

    def point(seconds: float, share: float) -> str:
        return f"{_MARGIN + across * seconds / last:.1f},{_HEIGHT - _MARGIN - up * share:.1f}"

    complete = " ".join(point(step.seconds, step.complete) for step in outcome.steps)
    spread = " ".join(point(step.seconds, step.spread) for step in outcome.steps)
    scenario = outcome.scenario
    title = f"{scenario.nodes:,} nodes, {scenario.fresh:,} fresh rows, {scenario.off:.0%} off"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="13">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="{_MARGIN}" y="32" font-size="17">{title}</text>',
            *_grid(last, across, up),
            f'<polyline points="{spread}" fill="none" stroke="#9db8d9" stroke-width="2"/>',
            f'<polyline points="{complete}" fill="none" stroke="#1f5fa8" stroke-width="3"/>',
            f'<text x="{_WIDTH - 260}" y="{_HEIGHT - _MARGIN - 40}" fill="#1f5fa8">'
            "nodes that hold everything</text>",
            f'<text x="{_WIDTH - 260}" y="{_HEIGHT - _MARGIN - 20}" fill="#6d8fb8">'
            "rows that have arrived</text>",
            "</svg>",
        ]
    )


def _grid(last: float, across: int, up: int) -> list[str]:
    lines = []
    for part in range(5):
        y = _HEIGHT - _MARGIN - up * part / 4
        x = _MARGIN + across * part / 4
        lines += [
            f'<path d="M{_MARGIN} {y:.1f}h{across}" stroke="#dddddd"/>',
            f'<text x="{_MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{part * 25} %</text>',
            f'<text x="{x:.1f}" y="{_HEIGHT - _MARGIN + 20}" text-anchor="middle">'
            f"{last * part / 4:.0f} s</text>",
        ]
    return lines
