"""Altered pictures, closeness words, words by prototypes, and the command that prints every table."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import ray
from PIL import Image

from pipeline.config import ProjectionConfig
from pipeline.encoders import load_encoder
from pipeline.errors import SimileError
from pipeline.evaluation.closeness import SHARES, measure_closeness
from pipeline.evaluation.everything import everything_about
from pipeline.evaluation.instances import ALTERATIONS, measure_instances
from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.pool import Pool, Vectors
from pipeline.evaluation.protocols import official_test
from pipeline.evaluation.words import measure_words
from pipeline.projection import Projection, identity
from ray_jobs import evaluate, index

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_alteration_gives_another_picture_of_the_same_kind(name: str) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    altered = ALTERATIONS[name](image, rng)
    assert altered.mode == "RGB" and min(altered.size) >= 20
    assert altered.size != image.size or altered.tobytes() != image.tobytes()
    assert ALTERATIONS[name](image.resize((1, 1)), rng).size == (1, 1)


def test_a_picture_that_is_not_altered_much_finds_itself() -> None:
    (file,) = (ROOT / "samples" / "cifar10").rglob("*.parquet")
    stored = pq.read_table(file).slice(0, 60)
    pictures = [row["bytes"] for row in stored["img"].to_pylist()]
    encoder = load_encoder("weights:cifar10-cnn")
    database = encoder.encode(pictures)
    projection = identity(database.shape[1], None)
    places = np.arange(8)
    rows = {
        row.alteration: row for row in measure_instances(encoder, projection, pictures[:8], places, database)
    }
    assert list(rows) == list(ALTERATIONS) and all(row.queries == 8 for row in rows.values())
    assert rows["saved as JPEG of quality 20"].first["mean"] >= 0.75
    for row in rows.values():  # 1 / rank is never less than the share of first ranks
        assert row.first["mean"] <= row.mean_average_precision["mean"] <= 1


def test_closeness_of_new_pictures_is_what_the_word_says() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 8)).astype(np.float32)
    protocol = official_test(2000, 1000)
    labels = rng.integers(0, 4, 3000)
    rows = list(
        measure_closeness(Vectors(None, vectors, Projection.codes(vectors)), protocol, {"kind": labels})
    )
    assert [row.share for row in rows] == list(SHARES)
    for row in rows:
        assert row.measured["mean"] == pytest.approx(row.share, rel=0.1 if row.share >= 0.01 else 0.25)
        assert row.alike["kind"] == pytest.approx(0.25, abs=0.05)  # labels here say nothing of the vectors


def test_words_find_pictures_that_no_prototype_was_made_of() -> None:
    rng = np.random.default_rng(0)
    forms, colours = np.repeat(np.arange(3), 200) % 3, np.tile(np.arange(2), 300)
    axes = np.eye(8)
    vectors = axes[forms] + axes[3 + colours] + 0.1 * rng.normal(size=(600, 8))
    order = rng.permutation(600)
    fields = {
        "form": encode_labels([f"form {value}" for value in forms[order]]),
        "colour": encode_labels([f"colour {value}" for value in colours[order]]),
        "number": encode_labels([str(value) for value in order]),  # names nothing
    }
    rows = list(measure_words(vectors[order].astype(np.float32), official_test(500, 100), fields))
    assert {(row.field, row.value) for row in rows} == {
        *(("form", f"form {n}") for n in range(3)),
        *(("colour", f"colour {n}") for n in range(2)),
    }
    for row in rows:
        assert row.precision == pytest.approx(row.possible, abs=0.05) and row.random < 0.35
    # What was not searched cannot be found: the same words on shuffled labels are at chance.
    shuffled = {name: encode_labels(rng.permutation(each.texts())) for name, each in fields.items()}
    by_chance = list(measure_words(vectors[order].astype(np.float32), official_test(500, 100), shuffled))
    assert np.mean([row.precision for row in by_chance]) < 0.4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "name a collection"),
        ("--everything --limit 5", "--everything does not use --limit; leave out --limit"),
        ("art --everything --split train", "leave out --split"),
        ("art --protocol c --engine exact", "--protocol does not use --engine"),
        ("art --engine exact --baseline none", "leave out --baseline"),
        ("art --engine exact --split train", "give --source too"),
        ("art --source elsewhere", "measuring what is stored does not use --source"),
        ("art --trained-on train", "leave out --trained-on"),
        ("--everything --source elsewhere", "--source belongs to one collection; name that collection"),
    ],
)
def test_an_option_that_would_not_be_used_is_refused(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(arguments.split())
    assert said in capsys.readouterr().err


def test_a_collection_that_cannot_be_measured_has_no_heading_of_one_that_was() -> None:
    pool = Pool({"kind": encode_labels(["one", "two"])}, (), 2, 0, {"weights:cifar10-cnn": np.eye(2, 304)})
    lines = everything_about("two", [], pool, list(pool.raw), ProjectionConfig(), None)
    with pytest.raises(SimileError, match="None of the protocols"):
        next(lines)


@pytest.mark.long
def test_the_command_prints_every_table_of_paintings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = everything_printed("wikiart", ROOT / "samples" / "wikiart", tmp_path, capsys)
    protocol = (
        "| encoder | ranked by | bytes a picture "
        "| P@1, artist | mAP@all, artist | P@1, genre | mAP@all, genre "
        "| P@1, style | mAP@all, style |"
    )
    assert heads(printed) == [
        *[protocol] * 3,
        "| encoder | by | relevant: same | precision | recall | matches a query |",
        "| encoder | liked | strategy | recall@10 | nDCG@10 | same@10 | diversity |",
        "| the query was | `weights:art-cnn`: first hit | `weights:art-cnn`: mAP "
        "| `weights:art-vit`: first hit | `weights:art-vit`: mAP |",
        "| encoder | word | measured | same artist | same genre | same style |",
    ]
    # So few pictures as in the sample leave no labels for the last table, that of words.
    *told, words = heads(documented("wikiart"))
    assert heads(printed) == [without_baseline(head) for head in told] and words.startswith("| label |")
    raw = r"^\| `weights:art-cnn` \| raw cosine \| [\d,]+ \| (0\.\d+) \["
    rows = re.findall(raw, printed, re.MULTILINE)
    assert len(rows) == 3 and all(float(row) > 0.5 for row in rows)  # by artist, chance is 1 in 30


@pytest.mark.long
def test_the_command_prints_every_table_of_cifar10(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = (ROOT / "samples" / "cifar10").rglob("*.parquet")
    rows, data = pq.read_table(file), tmp_path / "source" / "data"
    data.mkdir(parents=True)
    pq.write_table(rows.slice(100, 300), data / "train-00000-of-00001.parquet")
    pq.write_table(rows.slice(0, 100), data / "test-00000-of-00001.parquet")
    printed = everything_printed("cifar10", tmp_path / "source", tmp_path / "home", capsys)
    told = documented("cifar10")
    for protocol in (r"A \(", r"B \(", "Unseen classes "):  # ours were trained on them
        told, left_out = re.subn(rf"^#### {protocol}.*?(?=^#### )", "", told, flags=re.MULTILINE | re.DOTALL)
        assert left_out == 1
    assert heads(printed) == [without_baseline(head) for head in heads(told)]
    code = r"^\| `weights:cifar10-cnn-deep` \| trained code, 48 bits \| 6 \| ([01]\.\d+) \["
    found = re.findall(code, printed, re.MULTILINE)
    assert len(found) == 2 and all(float(row) > 0.5 for row in found)  # by class, chance is 1 in 10


def everything_printed(name: str, source: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints of a collection, made of `source` by the YAML that ships."""
    ray.shutdown()  # the one that other tests of this process share
    config = ROOT / "qdrant_config" / f"{name}.yaml"
    index.main([str(config), "--source", str(source), "--home", str(home)])
    capsys.readouterr()
    evaluate.main([name, "--everything", "--baseline", "none", "--home", str(home)])
    printed = capsys.readouterr().out
    command = f"python -m ray_jobs.evaluate {name} --everything --baseline none"
    assert printed.startswith(f"Made by `{command}` on ")
    return printed


def documented(name: str) -> str:
    """The shipped tables of a collection."""
    tables = (ROOT / "docs" / "evaluation-tables.md").read_text(encoding="utf-8")
    _, _, after = tables.partition(f"### {name}: ")
    return after.partition("\n### ")[0]


def heads(markdown: str) -> list[str]:
    """The first line of each table."""
    return re.findall(r"^(\|.*\|)\n\| ---", markdown, re.MULTILINE)


def without_baseline(head: str) -> str:
    """A head of the documented tables, which were made with the default baseline."""
    return re.sub(r" `pypi:efficientnet-lite0`(: first hit|: mAP|) \|", "", head)
