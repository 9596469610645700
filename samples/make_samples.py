"""Draw the bundled samples from local copies of CIFAR-10 and WikiArt in the Hub's layout.

    python samples/make_samples.py --cifar10 PATH --wikiart PATH

The same folders give the same samples. Image bytes are copied as they are, so content hashes equal those of
the whole datasets, and the columns keep their features and class names.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections import defaultdict
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Features

HERE = Path(__file__).parent
SEED = 20261124
CIFAR_PER_CLASS = 200
CIFAR_ROW_GROUP = 200  # rows, about 0.4 MB
ARTISTS, WORKS_PER_ARTIST = 60, 10  # several works of each hand, so that there is something alike to find
WIKIART_ROW_GROUP = 100  # rows, about 1 MB
EXCLUDED_GENRES = {"nude_painting"}
# A sculptor's works are here as photographs, which may not be in the public domain as the works are.
EXCLUDED_ARTISTS = {"auguste-rodin", "gian-lorenzo-bernini"}


def read_mirror(root: Path) -> pa.Table:
    """All rows of the split train, in the order of its files."""
    files = sorted(root.glob("data/train-*.parquet"))
    if not files:
        raise SystemExit(f"no data/train-*.parquet in {root}; expected a dataset in the Hub's layout")
    first = pq.read_schema(files[0])
    tables = [pq.read_table(file).replace_schema_metadata(first.metadata) for file in files]
    return pa.concat_tables(tables)


def class_names(table: pa.Table, column: str) -> list[str]:
    """The names behind the integers of a ClassLabel column."""
    return Features.from_arrow_schema(table.schema)[column].names


def pick_cifar10(table: pa.Table) -> list[int]:
    """Row numbers: the same count of each class, shuffled."""
    chance = random.Random(SEED)
    rows: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(table["label"].to_pylist()):
        rows[label].append(row)
    picked = [row for label in sorted(rows) for row in chance.sample(rows[label], CIFAR_PER_CLASS)]
    chance.shuffle(picked)
    return picked


def pick_wikiart(table: pa.Table) -> list[int]:
    """Row numbers: ten works of each of sixty artists, taken in turn from every style; shuffled."""
    chance = random.Random(SEED)
    genres, styles = class_names(table, "genre"), table["style"].to_pylist()
    works: dict[int, list[int]] = defaultdict(list)
    for row, (artist, genre) in enumerate(
        zip(table["artist"].to_pylist(), table["genre"].to_pylist(), strict=True)
    ):
        if genres[genre] not in EXCLUDED_GENRES:
            works[artist].append(row)
    by_style: dict[int, list[int]] = defaultdict(list)
    for artist in sorted(works):
        # Shuffled before anything is left out, so that leaving one out changes nothing but its replacement.
        chance.shuffle(works[artist])
        works[artist] = [row for row in works[artist] if content_key(table, row) not in excluded()]
        if len(works[artist]) >= WORKS_PER_ARTIST:
            seen = [styles[row] for row in works[artist]]
            by_style[max(sorted(set(seen)), key=seen.count)].append(artist)
    turns = [
        artists[turn] for turn in range(len(works)) for artists in by_style.values() if turn < len(artists)
    ]
    names = class_names(table, "artist")
    turns = [artist for artist in turns if names[artist] not in EXCLUDED_ARTISTS]
    picked = [row for artist in turns[:ARTISTS] for row in works[artist][:WORKS_PER_ARTIST]]
    chance.shuffle(picked)
    return picked


def content_key(table: pa.Table, row: int) -> str:
    """The first 12 digits of the SHA-256 of an image: its name in any copy of the dataset."""
    return hashlib.sha256(table["image"][row]["bytes"].as_py()).hexdigest()[:12]


@cache
def excluded() -> frozenset[str]:
    """Pictures left out after looking at them, by `content_key`; see README.md."""
    return frozenset((HERE / "excluded.txt").read_text().split())


def write(table: pa.Table, rows: list[int], name: str, row_group: int) -> pa.Table:
    """Write `rows` as samples/NAME in the Hub's layout; returns them."""
    path = HERE / name / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = table.take(pa.array(rows))
    # Images are compressed already, and small pages let a reader take a few of them at a time.
    pq.write_table(chosen, path, row_group_size=row_group, compression="snappy", write_batch_size=32)
    print(f"{path.relative_to(HERE.parent)}: {chosen.num_rows} rows, {path.stat().st_size:,} bytes")
    return chosen


def painters(table: pa.Table) -> str:
    """A Markdown table of painters and how many of their works are in `table`."""
    names = class_names(table, "artist")
    counts = {names[item["values"]]: item["counts"] for item in pc.value_counts(table["artist"]).to_pylist()}
    lines = [f"| {name.replace('-', ' ').title()} | {count} |" for name, count in sorted(counts.items())]
    return "\n".join(["| painter | works |", "| --- | --- |", *lines])


def main() -> None:
    """Write both samples, and the table of painters to stdout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar10", type=Path, required=True, help="folder with data/train-*.parquet")
    parser.add_argument("--wikiart", type=Path, required=True, help="folder with data/train-*.parquet")
    arguments = parser.parse_args()
    cifar10 = read_mirror(arguments.cifar10)
    write(cifar10, pick_cifar10(cifar10), "cifar10", CIFAR_ROW_GROUP)
    wikiart = read_mirror(arguments.wikiart)
    print(painters(write(wikiart, pick_wikiart(wikiart), "wikiart", WIKIART_ROW_GROUP)))


if __name__ == "__main__":
    main()
