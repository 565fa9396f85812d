"""A plot with logarithmic axes as a small SVG file, on light or dark ground as is preferred."""

import math
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 210, 50, 60

# Colours that stand out on white and on black, and dashes for who sees no colours.
LINES = (
    ("#2f81f7", ""),
    ("#d9822b", "8 4"),
    ("#2da44e", "2 4"),
    ("#bf5af2", "10 4 2 4"),
)

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.grid { stroke: #8b949e; stroke-opacity: 0.35 }
.ground { fill: #ffffff }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ground { fill: #0d1117 } }
"""

Points = Sequence[tuple[float, float]]


def plot(title: str, across: str, up: str, lines: Mapping[str, Points]) -> str:
    """Return an SVG document with a line for each name."""
    points = [point for line in lines.values() for point in line]
    axes = _Axes([x for x, _ in points], [y for _, y in points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        _text(LEFT, 26, title, "start", "title"),
        *axes.grid(),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, across),
        f'<g transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">',
        f"{_text(0, 0, up)}</g>",
        *_drawn(lines, axes),
        "</svg>\n",
    ]
    return "\n".join(parts)


class _Axes:
    """Where a value is drawn. Both axes end at powers of ten."""

    def __init__(self, across: Sequence[float], up: Sequence[float]) -> None:
        self.x0, self.x1 = _decades(across)
        self.y0, self.y1 = _decades(up)

    def x(self, value: float) -> float:
        share = (math.log10(value) - self.x0) / (self.x1 - self.x0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (math.log10(value) - self.y0) / (self.y1 - self.y0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def grid(self) -> Iterator[str]:
        for power in range(self.x0, self.x1 + 1):
            at = self.x(10.0**power)
            yield f'<path class="grid" d="M{at} {TOP}V{HEIGHT - BOTTOM}"/>'
            yield _text(at, HEIGHT - BOTTOM + 20, _number(power))
        for power in range(self.y0, self.y1 + 1):
            at = self.y(10.0**power)
            yield f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>'
            yield _text(LEFT - 8, at + 4, _number(power), "end")


def _drawn(lines: Mapping[str, Points], axes: _Axes) -> Iterator[str]:
    ends = _apart({name: axes.y(line[-1][1]) for name, line in lines.items()})
    for (name, line), (colour, dashes) in zip(lines.items(), LINES, strict=False):
        places = [(axes.x(x), axes.y(y)) for x, y in line]
        path = "L".join(f"{x} {y}" for x, y in places)
        yield (
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.5"'
            f' stroke-dasharray="{dashes}"/>'
        )
        yield from (f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in places)
        x, y = places[-1][0], ends[name]
        yield f'<path d="M{x + 8} {y}h10" stroke="{colour}" stroke-width="2.5"/>'
        yield _text(x + 22, y + 4, name, "start")


def _apart(heights: Mapping[str, float], gap: float = 18) -> dict[str, float]:
    """Move labels so that none covers another."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for name in sorted(heights, key=lambda name: heights[name]):
        lowest = placed[name] = max(heights[name], lowest + gap)
    return placed


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
