"""What benchmarks.duplicates plants, and how it counts what was found."""

from collections import Counter
from pathlib import Path

from PIL import Image

from benchmarks.duplicates import ROOT, plant, score, stored_images


def test_copies_of_the_samples_are_planted(tmp_path: Path) -> None:
    planted = plant(stored_images([ROOT / "samples" / "wikiart"]), tmp_path / "pictures", 12, 2)
    assert planted == Counter(jpeg=2, scaled=2, cropped=2, turned=2, mirrored=2)
    files = sorted(file.name for file in (tmp_path / "pictures").iterdir())
    assert len(files) == 22 and "1-scaled.jpg" in files
    original = next((tmp_path / "pictures").glob("1-original.*"))
    with Image.open(tmp_path / "pictures" / "1-scaled.jpg") as half, Image.open(original) as whole:
        assert half.width == round(whole.width / 2)


def test_a_group_of_two_originals_is_a_mistake() -> None:
    found = ["7-original.png 1", "7-jpeg.jpg 1", "8-original.png 2", "9-original.png 2", "9-turned.jpg 2"]
    rows = [dict(zip(("path", "group"), text.split(), strict=True)) for text in found]
    told = score(Counter(jpeg=2, turned=1), rows)
    assert told["recall"] == {"jpeg": 0.5, "turned": 1.0}
    assert told["precision"] == round(1 - 1 / 3, 4)
    assert told["groups of several originals"] == [["8", "9"]]
    # Somebody has looked at the two, and they show the same painting.
    seen = score(Counter(jpeg=2, turned=1), rows, [["a", "b"]], [frozenset("ab")])
    assert (seen["precision"], seen["precision without the list"]) == (1.0, told["precision"])
    assert score(Counter(jpeg=2, turned=1), rows, [["a", "c"]], [frozenset("ab")])["precision"] < 1
