"""Charts as inline SVG: no script, no external resource, colours from the page's style sheet."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

__all__ = ["heat_map", "histogram"]

_BINS = 60
_WIDTH, _HEIGHT = 560, 260  # of the drawing, in its own units
_LEFT, _BOTTOM, _TOP = 8, 30, 12
_CELL = 26
_LETTER = 6.4  # width of a letter of a label name


def histogram(series: Mapping[str, np.ndarray], marks: Mapping[str, float] | None = None) -> str:
    """Distributions over one axis, each with its own area of 1.

    Args:
        series: name -> (N,) values, in the order of the classes `series-0`, `series-1`, …
        marks: name -> value of a vertical line.
    """
    ends = [np.percentile(values, [0.05, 99.9]) for values in series.values() if len(values)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)  # outliers join the outer bins
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    shares = {
        name: np.histogram(values.clip(low, edges[-1]), edges)[0] / max(1, len(values))
        for name, values in series.items()
    }
    top = max(share.max() for share in shares.values()) or 1
    parts = [_axis(edges)]
    for at, (name, share) in enumerate(shares.items()):
        parts.append(_area(share / top, at, name, edges))
    for name, value in (marks or {}).items():
        x = _x(value, edges)
        side, anchor = (5, "start") if x < 0.8 * _WIDTH else (-5, "end")  # names stay within the chart
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text class="mark-name" text-anchor="{anchor}" x="{x + side:.1f}" y="{_TOP + 10}">'
            f"{escape(name)}</text>"
        )
    named = ", ".join(series)
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Histogram: {escape(named)}">{"".join(parts)}</svg>'
    )


def heat_map(shares: np.ndarray, names: Sequence[str]) -> str:
    """(L, L) shares from 0 to 1 as squares whose strength is the share; every square says its numbers."""
    size = len(names)
    side = _CELL * size
    margin = 12 + _LETTER * max(len(_short(name)) for name in names)
    below = 16 + 0.9 * margin  # names stand at 60°
    cells = []
    for row in range(size):
        for column in range(size):
            share = float(shares[row, column])
            tip = f"{names[row]} → {names[column]}: {share:.1%}"
            kind = "own" if row == column else "other"
            strength = np.sqrt(share)  # small confusions are what one looks for
            cells.append(
                f'<rect class="cell {kind}" x="{margin + column * _CELL:.1f}" y="{row * _CELL}" '
                f'width="{_CELL - 1}" height="{_CELL - 1}" fill-opacity="{strength:.3f}">'
                f"<title>{escape(tip)}</title></rect>"
            )
    labels = []
    for at, name in enumerate(names):
        middle, shown = at * _CELL + _CELL / 2 + 4, escape(_short(name))
        under = f"translate({margin + middle:.1f} {side + 8}) rotate(-60)"
        labels.append(
            f'<text class="name" x="{margin - 6:.1f}" y="{middle}" text-anchor="end">{shown}</text>'
        )
        labels.append(f'<text class="name" text-anchor="end" transform="{under}">{shown}</text>')
    return (
        f'<svg class="heat" viewBox="0 0 {margin + side + 4:.0f} {side + below:.0f}" '
        f'style="max-width:{margin + side + 4:.0f}px" role="img" aria-label="Confusion of neighbours">'
        f"{''.join(cells)}{''.join(labels)}</svg>"
    )


def _area(heights: np.ndarray, at: int, name: str, edges: np.ndarray) -> str:
    floor = _HEIGHT - _BOTTOM
    points = [f"{_x(edges[0], edges):.1f},{floor}"]
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        y = floor - height * (floor - _TOP)
        points += [f"{_x(left, edges):.1f},{y:.1f}", f"{_x(right, edges):.1f},{y:.1f}"]
    points.append(f"{_x(edges[-1], edges):.1f},{floor}")
    return f'<polygon class="series-{at}" points="{" ".join(points)}"><title>{escape(name)}</title></polygon>'


def _axis(edges: np.ndarray) -> str:
    floor = _HEIGHT - _BOTTOM
    step = _step(float(edges[-1] - edges[0]))
    ticks = np.arange(np.ceil(edges[0] / step), np.floor(edges[-1] / step) + 1) * step
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{floor}" y2="{floor}"/>']
    for tick in ticks:
        x = _x(tick, edges)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{floor}" y2="{floor + 4}"/>'
            f'<text class="tick" x="{x:.1f}" y="{floor + 19}" text-anchor="middle">{tick + 0:.2g}</text>'
        )
    return "".join(parts)


def _step(span: float) -> float:
    """A round step that gives about six ticks."""
    rough = span / 6
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(power * m for m in (1, 2, 5, 10) if power * m >= rough))


def _x(value: float, edges: np.ndarray) -> float:
    return float(_LEFT + (value - edges[0]) / (edges[-1] - edges[0]) * (_WIDTH - 2 * _LEFT))


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"
