"""From columns of every kind, by an index job, to the filters of the page in Chromium."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.search import open_collection
from tests.page.conftest import ROOT, running, status

pytestmark = [pytest.mark.browser, pytest.mark.long]
TWEET = 1234567890123456789
N = 12


def rows(first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "file_name": f"{i}.png",
            "Shot by": ["Ann", "Bob"][i % 2],
            "exif.make": "Canon",
            "published": i % 2 == 0,
            "rating": i / 2,
            "tags": "red; big" if i % 3 else "blue",
            "when": f"2024-01-{i + 1:02d}T10:00:00Z",
            "year": 1900 + i if i else None,
            "tweet": TWEET + i,
        }
        for i in range(first, first + N)
    ]


def folder(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.mkdir()
    for row in rows:
        noise = np.random.default_rng(len(path.name) * 1000 + rows.index(row)).integers(0, 256, (32, 32, 3))
        Image.fromarray(noise.astype(np.uint8)).save(path / row["file_name"])
    (path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return path


def index(home: Path, yaml: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ray_jobs.index", str(yaml), "--home", str(home), *more]
    own = {**os.environ, "RAY_ADDRESS": "local"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, env=own)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of twelve pictures, and four added ones with another column and fewer of the others."""
    base = tmp_path_factory.mktemp("kinds")
    yaml = base / "kinds.yaml"
    yaml.write_text(
        f"collection: kinds\nsource: {folder(base / 'first', rows())}\nlists: {{tags: ';'}}\n"
        "encoders:\n  - name: weights:cifar10-cnn\n"
    )
    done = index(base / "home", yaml)
    assert done.returncode == 0, done.stderr[-3000:]
    added = [{"file_name": f"{i}.png", "country": "NA", "published": True} for i in range(4)]
    done = index(base / "home", yaml, "--add", "--source", str(folder(base / "second", added)))
    assert done.returncode == 0, done.stderr[-3000:]
    return base / "home"


@pytest.fixture(scope="module")
def kinds_url(home: Path) -> Iterator[str]:
    with running("--home", str(home), "--limit", "0") as url:
        yield url


def test_the_job_indexes_every_kind_and_what_is_added(home: Path) -> None:
    found = open_collection("kinds", home=str(home))
    kinds = {name: (kind.kind, kind.many) for name, kind in found.kinds.items()}
    assert kinds == {
        "Shot by": ("text", False),
        "exif.make": ("text", False),
        "published": ("boolean", False),
        "rating": ("number", False),
        "tags": ("text", True),
        "when": ("time", False),
        "year": kinds["year"],
        "tweet": ("integer", False),
        "country": ("text", False),
    }
    grey = Image.new("RGB", (32, 32))
    for filters, count in (
        ({"published": True}, 10),
        ({"Shot by": "Bob", "exif.make": "Canon"}, 6),
        ({"tags": ["blue"]}, 4),
        ({"when": {"gte": "2024-01-03", "lt": "2024-01-05"}}, 2),
        ({"year": {"gte": 1903}}, 9),
        ({"year": None}, 5),
        ({"tweet": str(TWEET + 7)}, 1),
        ({"country": "NA"}, 4),
        ({"country": None, "rating": {"not": {"gte": 1}}}, 2),
    ):
        assert len(found.search(grey, k=50, filters=filters)) == count, filters


def test_names_in_the_yaml_are_kept_or_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "named", rows()[:2])
    yaml = tmp_path / "named.yaml"
    text = (
        f"collection: named\nsource: {source}\nfilters: [nope]\nencoders: [{{name: 'weights:cifar10-cnn'}}]\n"
    )
    yaml.write_text(text)
    done = index(tmp_path / "home", yaml)
    assert done.returncode != 0 and "['nope'] are not columns" in done.stderr


@pytest.mark.parametrize("width", [390, 1400])
def test_filters_of_every_kind_on_the_page(browser: Any, kinds_url: str, width: int) -> None:
    page = browser.new_context(viewport={"width": width, "height": 1000}).new_page()
    page.set_default_timeout(60_000)
    page.goto(kinds_url)
    page.locator("#examples .open").first.click()
    status(page, "closest of 16 pictures")
    page.get_by_role("button", name="Filters").first.click()
    rating = page.locator("fieldset", has_text="Rating")
    assert rating.locator("output").inner_text() == "0 – 5.5"
    when = page.locator("fieldset", has_text="When")
    assert when.locator("output").inner_text() == "2024-01-01 – 2024-01-12"
    when.get_by_label("When from").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.locator("#status", has_text="9 closest of 16").wait_for()
    assert when.locator("output").inner_text() == "2024-01-03 – 2024-01-12"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    when.get_by_label("No value").check()
    page.wait_for_function("document.querySelectorAll('#search-hits .card').length >= 13")
    published = page.get_by_label("Published")
    published.click()
    page.get_by_role("option", name="No (").click()
    page.locator("#status", has_text="4 closest of 16").wait_for()
    page.context.close()
