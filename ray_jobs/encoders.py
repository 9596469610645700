"""List the encoders that are known: python -m ray_jobs.encoders. Nothing is downloaded."""

import textwrap

from pipeline.encoders.catalogue import Known, known_encoders
from pipeline.printable import printable_lines
from ray_jobs.session import job_parser, print_result, report_errors

__all__ = ["main"]

_HEAD = ("encoder", "kind", "dim", "MB", "licence", "text", "at hand")
_LICENCE = 24  # characters of a licence that the table shows; --json has all of it
_FOOT = (
    "Any other image model works too: timm:NAME (timm.list_models()), hf:ORG/NAME (transformers or timm, in "
    "safetensors),\nor a folder. '@112px' after a name changes its input size."
)


def main(arguments: list[str] | None = None) -> None:
    """A table, or with --json one JSON line an encoder."""
    parser = job_parser("encoders", __doc__, home=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    options = parser.parse_args(arguments)
    with report_errors():
        known = known_encoders()
        if options.json:
            for encoder in known:
                print_result(encoder.as_dict())
        else:
            print(printable_lines(_table([_HEAD, *map(_cells, known)])))
            print(f"\n{_FOOT}")


def _cells(encoder: Known) -> tuple[str, ...]:
    size = "?" if encoder.megabytes is None else f"{encoder.megabytes:g}"
    dimension = "?" if encoder.dimension is None else str(encoder.dimension)
    text = "yes" if encoder.text else "–"
    licence = textwrap.shorten(encoder.licence or "?", _LICENCE, placeholder=" …")
    return encoder.name, encoder.kind, dimension, size, licence, text, encoder.at_hand


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if title in ("dim", "MB") else cell.ljust(width)
            for cell, width, title in zip(row, widths, _HEAD, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    main()
