"""Groups of copies as files: a row for each place as Parquet and CSV, and the paths that are not kept."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from pipeline.duplicates.groups import Group
from pipeline.home import write_file
from pipeline.search.hit_table import safe_cell
from pipeline.sources.extensions import PICTURES, kind_of

__all__ = ["path_of", "rows_of", "write_listing"]

COLUMNS = ("group", "keep", "id", "place", "path", "kind", "correlation", "width", "height")


def rows_of(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """A row for each place of each picture, groups in their order, what is kept first.

    `kind` of a further place of a picture is `exact`: the very same bytes.
    """
    rows = []
    for number, group in enumerate(groups, 1):
        for at, member in enumerate(group.members):
            for copy, place in enumerate(sorted(member.places)):
                exact = copy > 0
                facts = ("exact", 1.0) if exact else (member.kind, member.correlation)
                row = (number, at == copy == 0, member.id, place, path_of(place), *facts)
                rows.append(dict(zip(COLUMNS, (*row, member.width, member.height), strict=True)))
    return rows


def path_of(place: str) -> str:
    """The file of a place that is a picture of its own; of a row in a table the whole place."""
    file = place.rpartition(":")[0]
    return file if kind_of(file) in PICTURES else place


def write_listing(rows: Sequence[dict[str, Any]], folder: str) -> dict[str, str]:
    """Write `duplicates.parquet`, `duplicates.csv` and `not-kept.txt`; returns their addresses by name.

    Args:
        rows: as `rows_of` makes them.
        folder: an absolute path, or URL of an object store.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole, real = pa.int64(), pa.float64()
    types = {"group": whole, "keep": pa.bool_(), "width": whole, "height": whole}
    types |= {"correlation": real}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    parquet = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), parquet)
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
    paths = "".join(f"{row['path']}\n" for row in rows if not row["keep"])
    made = {
        "duplicates.parquet": parquet.getvalue(),
        "duplicates.csv": table.getvalue().encode(),
        "not-kept.txt": paths.encode("utf-8", "surrogateescape"),
    }
    for name, data in made.items():
        write_file(f"{folder}/{name}", data)
    return {name: f"{folder}/{name}" for name in made}
