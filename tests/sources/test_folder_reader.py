"""What Ray tasks read of a folder: bytes where a file can be read, null where it cannot."""

from pathlib import Path

import pytest

from pipeline.sources import resolve_source
from tests.sources.conftest import png, put, read_all

pytestmark = pytest.mark.usefixtures("ray_here")


def test_rows_of_a_folder(tmp_path: Path) -> None:
    names = ["b.png", "gone.png", "in/Mu\udcf1oz.png", "in/h\ni.png"]
    for shade, name in enumerate(names):
        put(tmp_path / name, png(shade))
    put(tmp_path / "metadata.csv", b"file_name,image\nb.png,1\nb.png,2\nnever.png,3\n")
    source = resolve_source(str(tmp_path))
    (tmp_path / "gone.png").unlink()
    rows = read_all(source)
    assert [(row["file"], row["bytes"], row["payload"]["image"]) for row in rows] == [
        ("b.png", png(0), 1),
        ("b.png", png(0), 2),
        ("gone.png", None, None),
        ("in/Mu\\xf1oz.png", png(2), None),
        ("in/h\ni.png", png(3), None),
    ]
    assert [row["row"] for row in rows] == [0, 1, 0, 0, 0]
    assert [row["row"] for row in read_all(source, limit=2, columns=[])] == [0, 1]
