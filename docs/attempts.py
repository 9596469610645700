"""The validation curves of every attempt at three networks, as attempts.svg: python -m docs.attempts.

Those of what ships are in weights/NAME/curves.json, those of other attempts in docs/curves/NAME-ATTEMPT.json,
as `ray_jobs.train` wrote them.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.training.history import EpochRecord

HERE = Path(__file__).resolve().parent
FILE = HERE / "attempts.svg"
_WIDTH, _HEIGHT = 340, 260  # of a panel, in the drawing's own units
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 44, 40
_LINES = 5  # across a panel, one for each value that is written beside it
_MOST_NUMBERS = 6  # of epochs, below a panel
# Colour-blind readers tell them apart, too (Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9")


@dataclass(frozen=True)
class Panel:
    """One network.

    Attributes:
        network: name of its folder in weights/.
        figure: of validation, as curves.json calls it.
        words: the same for readers.
        limits: lowest and highest value that is drawn.
        shipped: which attempt the first run in the shipped curves is.
    """

    network: str
    figure: str
    words: str
    limits: tuple[float, float]
    shipped: int


PANELS = (
    Panel("cifar10-vit", "map_hamming", "mAP of 48-bit codes", (0.80, 0.92), 2),
    Panel("art-cnn", "p1_cosine", "P@1 by artist", (0.24, 0.38), 3),
    Panel("art-vit", "p1_cosine", "P@1 by artist", (0.24, 0.38), 3),
)


def curves(panel: Panel) -> dict[int, list[tuple[int, float]]]:
    """Attempt -> (epoch, figure) of each validation. A run that goes on from another counts on from it."""
    found = {
        int(file.stem.removeprefix(f"{panel.network}-")): _points(_records(file), panel.figure)
        for file in sorted((HERE / "curves").glob(f"{panel.network}-*.json"))
    }
    before = 0
    shipped = _records(HERE.parent / "weights" / panel.network / "curves.json")
    for attempt, run in enumerate(_runs(shipped), panel.shipped):
        found[attempt] = [(before + epoch, value) for epoch, value in _points(run, panel.figure)]
        before += len(run)
    return found


def drawing() -> str:
    """The panels side by side, as SVG."""
    panels = "".join(
        f'<g transform="translate({at * _WIDTH} 0)">{_draw(panel)}</g>' for at, panel in enumerate(PANELS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(PANELS) * _WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11" role="img" aria-label="Validation by epoch and attempt">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{panels}</svg>\n'
    )


def _records(file: Path) -> list[EpochRecord]:
    return [EpochRecord.from_flat(each) for each in json.loads(file.read_text(encoding="utf-8"))]


def _runs(epochs: list[EpochRecord]) -> Iterator[list[EpochRecord]]:
    """Each run begins with epoch 1."""
    starts = [at for at, record in enumerate(epochs) if record.epoch == 1]
    for start, end in zip(starts, [*starts[1:], len(epochs)], strict=True):
        yield epochs[start:end]


def _points(run: list[EpochRecord], figure: str) -> list[tuple[int, float]]:
    return [(record.epoch, record.figures[figure]) for record in run if figure in record.figures]


def _draw(panel: Panel) -> str:
    shown = curves(panel)
    (low, high), last = panel.limits, max(points[-1][0] for points in shown.values())

    def x(epoch: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * epoch / last

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)

    parts = [_text(_LEFT, 16, panel.network, "start", 'font-size="13" font-weight="bold"')]
    parts.append(_text(_LEFT, 32, f"{panel.words}, validation", "start"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 8, "epoch", "end"))
    for value in (low + at * (high - low) / (_LINES - 1) for at in range(_LINES)):
        ends = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"'
        parts.append(
            f'<line {ends} stroke="#dddddd"/>{_text(_LEFT - 6, y(value) + 4, f"{value:.3f}", "end")}'
        )
    step = -(-last // _MOST_NUMBERS)
    parts += [_text(x(epoch), _HEIGHT - 24, str(epoch), "middle") for epoch in range(step, last + 1, step)]
    for at, (attempt, points) in enumerate(reversed(shown.items())):
        parts.append(_line([(x(epoch), y(value)) for epoch, value in points], _COLOURS[attempt - 1]))
        filled = f'fill="{_COLOURS[attempt - 1]}" font-weight="bold"'
        parts.append(_text(_WIDTH - _RIGHT - 56 * at, 16, f"attempt {attempt}", "end", filled))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{text}</text>'


def _line(places: Sequence[tuple[float, float]], colour: str) -> str:
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}'


def main() -> None:
    """Writes the drawing."""
    argparse.ArgumentParser(prog="docs.attempts", description=__doc__).parse_args()
    FILE.write_text(drawing(), encoding="utf-8")


if __name__ == "__main__":
    main()
