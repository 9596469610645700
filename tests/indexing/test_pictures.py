"""What pictures and columns become, whatever they look like."""

import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import ray
from PIL import Image

from pipeline import open_collection
from pipeline.errors import SimileError
from tests.indexing.conftest import COLOURS, Index, picture


def test_huge_and_odd_pictures_with_fields_of_metadata_csv(index: Index, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    noise = Image.effect_noise((1000, 800), 80).resize((4000, 2500))  # 10 megapixels
    noise.convert("RGB").save(pictures / "huge.jpg", quality=80)
    picture(COLOURS["red"], 0).convert("CMYK").save(pictures / "cmyk.jpg")
    deep = np.random.default_rng(0).integers(0, 2**16, (40, 48), dtype=np.uint16)
    Image.fromarray(deep).save(pictures / "deep.png")
    picture(COLOURS["green"], 1).convert("LA").save(pictures / "clear.png")
    lines = ["file_name,painter,year", "huge.jpg,Anna,1901", "cmyk.jpg,Berta,1902", "deep.png,Anna,1903"]
    (pictures / "metadata.csv").write_text("\n".join([*lines, "clear.png,Carl,1904", ""]))
    account = index(tmp_path / "home", pictures)
    assert (account.source, account.written, account.rejected) == (4, 4, 0)
    collection = open_collection("colours", home=str(tmp_path / "home"))
    assert sorted(collection.facets("painter")) == [("Anna", 2), ("Berta", 1), ("Carl", 1)]
    hit = collection.search(pictures / "huge.jpg", k=1)[0]
    assert (hit.payload["year"], hit.payload["_simile"]["width"]) == (1901, 4000)
    (tmp_path / "thumbnail").write_bytes(hit.thumbnail)
    assert min(Image.open(tmp_path / "thumbnail").size) <= 256


def test_pictures_without_any_label_some_of_them_broken(index: Index, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for seed in range(5):
        picture(COLOURS["blue"], seed).save(pictures / f"{seed}.png")
    (pictures / "broken0.png").write_bytes(b"")
    assert index(tmp_path, pictures, max_reject_fraction=0.2).written == 5
    collection = open_collection("colours", home=str(tmp_path))
    account = collection.manifest.account
    assert account and (account.written, account.rejected) == (5, 1)
    (reason,) = account.rejects.items()
    assert reason[0].startswith("decode: ") and reason[1] == 1
    assert collection.filters == []
    hits = collection.search(pictures / "2.png", k=5)
    assert [hit.label for hit in hits] == [""] * 5
    assert hits[0].payload["_simile"]["places"] == ["2.png:0"]
    for i in range(6):
        (pictures / f"broken{i}.png").write_bytes(b"nothing" * i)
    with pytest.raises(SimileError, match=r"6 of 11 rows were rejected \(54\.5%\), more than"):
        index(tmp_path, pictures)
    assert collection.count == 5


@pytest.mark.long
def test_prometheus_can_scrape_the_counters(index: Index, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for seed in range(3):
        picture(COLOURS["red"], seed).save(pictures / f"{seed}.png")
    index(tmp_path, pictures, collection="counted")
    node = ray.nodes()[0]
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    deadline = time.monotonic() + 300
    while True:  # Ray's agent collects every second
        text = urllib.request.urlopen(address, timeout=10).read().decode()
        lines = [line for line in text.splitlines() if "simile_rows_embedded" in line and "counted" in line]
        if lines or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert [float(line.rsplit(" ", 1)[1]) for line in lines] == [3.0]
