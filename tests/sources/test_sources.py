"""Sources: what is found in a folder, a mirror or on the Hub, and that every byte of it arrives."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.errors import SimileError
from pipeline.sources import Source, decode_payload, image_bytes, read_rows, resolve_source
from tests.stand_ins.hub import HubStandIn

ROOT = Path(__file__).parents[2]
LABELS = ["cat", "dog", "eel"]


pytestmark = pytest.mark.usefixtures("ray_here")


def png(shade: int) -> bytes:
    """A 4×4 grey PNG; another shade, other bytes."""
    out = io.BytesIO()
    Image.new("L", (4, 4), shade).save(out, "PNG")
    return out.getvalue()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_mirror(root: Path, rows_per_file: list[int], split: str = "train", **columns: list) -> Path:
    """A dataset in the Hub's layout: row n is shade n, labelled n mod 3."""
    total, start = sum(rows_per_file), 0
    features = {"img": datasets.Image(), "label": datasets.ClassLabel(names=LABELS)}
    for number, count in enumerate(rows_per_file):
        span = range(start, start + count)
        table = {"img": [{"bytes": png(n), "path": None} for n in span], "label": [n % 3 for n in span]}
        extra = {name: values[start : start + count] for name, values in columns.items()}
        kinds = {name: datasets.Value("int64" if name == "n" else "string") for name in columns}
        path = root / f"data/{split}-{number:05d}-of-{len(rows_per_file):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(table | extra, features=datasets.Features(features | kinds)).to_parquet(
            path
        )
        start += count
    assert start == total
    return root


def read_all(source: Source, **options) -> list[dict]:
    """Rows in file order; `bytes` is the image, `payload` what `decode_payload` makes of the rest."""
    rows = read_rows(source, **options)
    rows.context.execution_options.preserve_order = True
    out = []
    for table in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
        meta = table.select(["row_key", "file"]).to_pylist()
        decoded = zip(meta, image_bytes(table), decode_payload(source, table), strict=True)
        out += [{**row, "bytes": image, "payload": payload} for row, image, payload in decoded]
    return out


def refusal(source: str | Path, **options) -> str:
    with pytest.raises(SimileError) as caught:
        resolve_source(str(source), **options)
    return str(caught.value)


# --- a mirror in the Hub's layout ---


def test_mirror_gives_every_row_and_byte(tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "a mirror, 100% #1", [5, 4])
    source = resolve_source(str(root))
    assert (source.kind, source.rows, source.file_rows) == ("parquet", 9, (5, 4))
    assert (source.name, source.image_column, source.payload_columns) == (str(root), "img", ("label",))
    assert source.bytes == sum(Path(file).stat().st_size for file in source.files)
    rows = read_all(source)
    assert [row["bytes"] for row in rows] == [png(n) for n in range(9)]
    assert [row["payload"] for row in rows] == [{"label": LABELS[n % 3]} for n in range(9)]
    assert [row["file"] for row in rows] == ["data/train-00000-of-00002.parquet"] * 5 + [
        "data/train-00001-of-00002.parquet"
    ] * 4


def test_row_key_is_the_same_at_every_read_and_for_every_choice_of_columns(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4], n=list(range(9)))))
    keys = [row["row_key"] for row in read_all(source)]
    assert len(set(keys)) == 9
    assert keys == [row["row_key"] for row in read_all(source)]
    assert keys == [row["row_key"] for row in read_all(source, columns=["n"])]
    assert keys == [row["row_key"] for row in read_all(source, columns=[])]
    assert keys[:6] == [row["row_key"] for row in read_all(source, limit=6)]


@pytest.mark.parametrize("limit", [1, 5, 6, 9, 100])
def test_limit_takes_the_first_rows_in_the_order_of_the_files(tmp_path: Path, limit: int) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4])))
    assert [row["bytes"] for row in read_all(source, limit=limit)] == [png(n) for n in range(min(limit, 9))]


def test_limit_opens_no_file_that_it_does_not_need(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [5, 4])))
    Path(source.files[1]).unlink()
    assert len(read_all(source, limit=5)) == 5


def test_one_file_becomes_several_blocks_so_that_actors_can_share_it(tmp_path: Path) -> None:
    rows = read_rows(resolve_source(str(write_mirror(tmp_path, [40]))))
    assert rows.materialize().num_blocks() >= 4


def test_columns_with_names_that_simile_or_ray_use(tmp_path: Path) -> None:
    names = {"path": ["p0", "p1"], "file": ["f0", "f1"], "image": ["i0", "i1"]}
    source = resolve_source(str(write_mirror(tmp_path, [1, 1], **names)))
    rows = read_all(source)
    assert rows[1]["payload"] == {"label": "dog", "path": "p1", "file": "f1", "image": "i1"}
    assert rows[1]["file"] == "data/train-00001-of-00002.parquet"
    assert rows[1]["bytes"] == png(1)


def test_revision_follows_the_files(tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [3])
    first = resolve_source(str(root)).revision
    assert first == resolve_source(str(root)).revision
    write_mirror(root, [4])
    assert first != resolve_source(str(root)).revision
    assert resolve_source(str(root)).rows == 4


def test_relative_paths_and_the_dataset_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mirror(tmp_path / "m", [2])
    put(tmp_path / "m/README.md", b"---\nlicense: cc0-1.0\ncredit: A. Painter\n---\n# M\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("m", "./m", "~/m"):
        source = resolve_source(name)
        assert (source.name, source.licence, source.credit) == (str(tmp_path / "m"), "cc0-1.0", "A. Painter")


def test_parquet_without_metadata_has_its_image_found_by_its_shape(tmp_path: Path) -> None:
    struct = pa.StructArray.from_arrays(
        [pa.array([png(7), None]), pa.array(["x.png", None])], ["bytes", "path"]
    )
    raw = pa.array([png(8), b""])
    (tmp_path / "data").mkdir()
    table = pa.table({"raw": raw, "photo": struct, "score": [1.5, float("nan")]})
    pq.write_table(table, tmp_path / "data/train-00000-of-00001.parquet")
    source = resolve_source(str(tmp_path))
    assert (source.image_column, source.payload_columns) == ("photo", ("raw", "score"))
    assert [row["bytes"] for row in read_all(source, columns=["score"])] == [png(7), None]
    assert [row["payload"] for row in read_all(source, columns=["score"])] == [
        {"score": 1.5},
        {"score": None},
    ]
    binary = resolve_source(str(tmp_path), image_column="raw")
    assert [row["bytes"] for row in read_all(binary)] == [png(8), b""]


def test_the_first_of_several_image_columns_or_the_one_named(tmp_path: Path) -> None:
    images = [{"bytes": png(1), "path": None}]
    features = datasets.Features(
        {"front": datasets.Image(), "back": datasets.Image(), "n": datasets.Value("int8")}
    )
    (tmp_path / "data").mkdir()
    rows = datasets.Dataset.from_dict({"front": images, "back": images, "n": [1]}, features=features)
    rows.to_parquet(tmp_path / "data/train-00000-of-00001.parquet")
    assert resolve_source(str(tmp_path)).image_column == "front"
    source = resolve_source(str(tmp_path), image_column="back")
    assert (source.image_column, source.payload_columns) == ("back", ("n",))
    assert "image columns: front, back" in refusal(tmp_path, image_column="side")


# --- payload ---


def test_payload_is_what_json_can_hold() -> None:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "kind": datasets.ClassLabel(names=LABELS),
            "kinds": datasets.List(datasets.ClassLabel(names=LABELS)),
            "seen": datasets.Value("timestamp[s]"),
            "score": datasets.Value("float32"),
            "blob": datasets.Value("binary"),
            "box": {"x": datasets.Value("int32"), "what": datasets.ClassLabel(names=LABELS)},
        }
    )
    columns = ("kind", "kinds", "seen", "score", "blob", "box")
    source = Source("s", "parquet", "train", None, None, "image", features, columns, 2, None, (), "")
    seen = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    table = pa.table(
        {
            "row_key": pa.array([1, 2], pa.uint64()),
            "kind": [1, -1],
            "kinds": [[0, 2], None],
            "seen": pa.array([seen, None], pa.timestamp("s")),
            "score": [0.5, float("nan")],
            "blob": [b"\x00\xff", None],
            "box": [{"x": 3, "what": 2}, {"x": 4, "what": None}],
        }
    )
    first, second = decode_payload(source, table)
    assert first == {
        "kind": "dog",
        "kinds": ["cat", "eel"],
        "seen": "2026-01-02T03:04:05",
        "score": 0.5,
        "blob": "AP8=",
        "box": {"x": 3, "what": "eel"},
    }
    assert second == dict.fromkeys(columns[:-1]) | {"box": {"x": 4, "what": None}}
    json.dumps([first, second], allow_nan=False)


def test_rows_without_payload_are_empty_dicts(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    put(tmp_path / "b.png", png(2))
    assert [row["payload"] for row in read_all(resolve_source(str(tmp_path)))] == [{}, {}]


# --- folders of images ---


def test_subfolders_are_labels(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        put(tmp_path / name, name.encode())
    source = resolve_source(str(tmp_path))
    assert (source.kind, source.rows, source.payload_columns) == ("imagefolder", 3, ("label",))
    rows = {row["file"]: row for row in read_all(source)}
    assert {file: row["payload"]["label"] for file, row in rows.items()} == {
        "cat/1.png": "cat",
        "cat/2.png": "cat",
        "dog/1.png": "dog",
    }
    assert all(row["bytes"] == file.encode() for file, row in rows.items())


def test_a_plain_folder_with_any_extension_and_depth(tmp_path: Path) -> None:
    names = ["a.jpg", "b.JPG", "c.Jpeg", "d.webp", "deep/er/e.png", "train.jpg", "test.jpg"]
    for name in names:
        put(tmp_path / name, b"not even an image")
    for number in range(9):
        put(tmp_path / f"note {number}.txt", b"words")
    put(tmp_path / ".hidden.png", png(0))
    source = resolve_source(str(tmp_path))
    assert [row["file"] for row in read_all(source)] == sorted(names)
    assert source.rows == len(names)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_of_any_kind(tmp_path: Path, kind: str) -> None:
    for name in ("z.png", "in/a.png"):
        put(tmp_path / name, name.encode())
    rows = {"file_name": ["z.png", "in/a.png"], "title": ["Zed", "Ay"], "year": [1901, 1900]}
    if kind == "csv":
        put(tmp_path / "metadata.csv", b"file_name,title,year\nz.png,Zed,1901\nin/a.png,Ay,1900\n")
    elif kind == "jsonl":
        pairs = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        put(tmp_path / "metadata.jsonl", "\n".join(map(json.dumps, pairs)).encode())
    else:
        pq.write_table(pa.table(rows), tmp_path / "metadata.parquet")
    found = read_all(resolve_source(str(tmp_path)))
    assert [(row["file"], row["payload"]) for row in found] == [
        ("in/a.png", {"title": "Ay", "year": 1900}),
        ("z.png", {"title": "Zed", "year": 1901}),
    ]
    assert [row["bytes"] for row in found] == [b"in/a.png", b"z.png"]


def test_folders_of_splits(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png"):
        put(tmp_path / name, png(1))
    assert [row["file"] for row in read_all(resolve_source(str(tmp_path), split="test"))] == [
        "test/cat/3.png"
    ]
    assert resolve_source(str(tmp_path)).rows == 2
    assert "no split 'dev'; there are: test, train" in refusal(tmp_path, split="dev")


def test_files_that_are_gone_or_unreadable_have_null_bytes(tmp_path: Path) -> None:
    put(tmp_path / "metadata.csv", b"file_name\na.png\nnever.png\nb.png\nb.png\n")
    put(tmp_path / "a.png", png(1))
    put(tmp_path / "b.png", png(2))
    source = resolve_source(str(tmp_path))
    (tmp_path / "a.png").unlink()
    rows = read_all(source)
    assert [(row["file"], row["bytes"]) for row in rows] == [
        ("a.png", None),
        ("b.png", png(2)),
        ("b.png", png(2)),
        ("never.png", None),
    ]
    assert len({row["row_key"] for row in rows}) == 4


def test_a_folder_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    before = resolve_source(str(tmp_path))
    keys = {row["file"]: row["row_key"] for row in read_all(before)}
    put(tmp_path / "a.png", b"longer than before" * 99)
    put(tmp_path / "0.png", png(3))
    after = resolve_source(str(tmp_path))
    assert (before.rows, after.rows) == (1, 2)
    assert before.revision != after.revision
    rows = {row["file"]: row for row in read_all(after)}
    assert rows["a.png"]["bytes"] == b"longer than before" * 99
    assert rows["a.png"]["row_key"] == keys["a.png"]
    assert [row["file"] for row in read_all(after, limit=1)] == ["0.png"]


# --- refusals ---


def test_refusals_say_what_was_wrong_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "words/a.txt", b"hello")
    put(tmp_path / "odd/a.zzz", b"hello")
    put(tmp_path / "broken/data/train-00000-of-00001.parquet", b"PAR1 and then nothing")
    put(tmp_path / "escape/metadata.csv", b"file_name\n../../etc/passwd\n")
    put(tmp_path / "escape/a.png", png(1))
    assert "does not exist" in refusal(tmp_path / "nowhere")
    assert "is a file; expected a folder" in refusal(put(tmp_path / "x.png", png(1)))
    assert "is empty; expected images" in refusal(tmp_path / "empty")
    assert "has no images; expected" in refusal(tmp_path / "words")
    assert "has no images; expected" in refusal(tmp_path / "odd")
    assert "is not a parquet file" in refusal(tmp_path / "broken")
    assert "metadata" in refusal(tmp_path / "escape")
    assert "neither an existing folder nor a Hub id" in refusal("cifar10")


def test_refusals_list_what_there_is(tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [2])
    write_mirror(tmp_path, [1], split="test")
    assert "no split 'dev'; there are: test, train" in refusal(root, split="dev")
    assert "no image column 'pic'; it has the image columns: img" in refusal(root, image_column="pic")
    assert "no configuration 'xl'; there are: default" in refusal(root, config="xl")


def test_a_table_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "data/train-00000-of-00001.parquet")
    assert "no image column, only a, b" in refusal(tmp_path)


def test_wrong_arguments_of_read_rows(tmp_path: Path) -> None:
    source = resolve_source(str(write_mirror(tmp_path, [1])))
    with pytest.raises(ValueError, match="not payload columns"):
        read_rows(source, columns=["nope"])
    with pytest.raises(ValueError, match="limit must be at least 1"):
        read_rows(source, limit=0)


def test_importing_sources_imports_neither_ray_nor_datasets() -> None:
    code = "import sys, pipeline.sources; print({'ray', 'datasets', 'torch', 'pyarrow'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


# --- the Hub ---

ASK = """
import json, os, sys
import ray, ray.data
from pipeline.errors import SimileError
from pipeline.sources import decode_payload, image_bytes, read_rows, resolve_source

def ask(name, read=False, **options):
    try:
        source = resolve_source(name, **options)
    except SimileError as error:
        return {"error": str(error)}
    said = {"rows": source.rows, "revision": source.revision, "bytes": source.bytes, "config": source.config,
            "licence": source.licence, "images": [], "payload": [], "file": []}
    for table in read_rows(source, limit=source.rows).iter_batches(batch_size=None, batch_format="pyarrow") \\
            if read else []:
        said["images"] += [image.hex() for image in image_bytes(table)]
        said["payload"] += decode_payload(source, table)
        said["file"] += table["file"].to_pylist()
    return said
"""


def ask_hub(endpoint: str, home: Path, code: str) -> dict:
    """Run `code` after ASK in a process of its own: huggingface_hub reads its endpoint once, at import."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    env |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ASK + code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert "hf_token_of_me" not in done.stderr + json.dumps(answer)
    return answer


def test_the_hub(tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "cifar10", [5, 4])
    write_mirror(root, [2], split="test")
    put(root / "README.md", b"---\nlicense: mit\n---\n# CIFAR\n")
    write_mirror(tmp_path / "secret", [3])
    configs = tmp_path / "configs"
    write_mirror(configs / "a", [2])
    write_mirror(configs / "b", [3])
    put(
        configs / "README.md",
        b"---\nconfigs:\n- config_name: a\n  data_files: a/data/*\n"
        b"- config_name: b\n  data_files: b/data/*\n---\n",
    )
    put(tmp_path / "script/script.py", b"raise SystemExit('never run me')")
    put(tmp_path / "script/photos.tar.gz", b"\x1f\x8b")
    converted = write_mirror(tmp_path / "converted", [6])
    put(converted / "default/train/0000.parquet", next(converted.glob("data/*")).read_bytes())
    public = {
        "uoft-cs/cifar10": root,
        "me/configs": configs,
        "old/script": tmp_path / "script",
        "old/script@refs/convert/parquet": converted,
        "old/lonely": tmp_path / "script",
    }
    with HubStandIn(public, {"me/secret": ("hf_token_of_me", tmp_path / "secret")}) as hub:
        answers = ask_hub(
            hub.endpoint,
            tmp_path / "home",
            """
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
said = {
    "public": ask("uoft-cs/cifar10", read=True),
    "split": ask("uoft-cs/cifar10", split="dev"),
    "revision": ask("uoft-cs/cifar10", revision="v9"),
    "unknown": ask("uoft-cs/cifar11"),
    "stranger": ask("me/secret"),
    "no config": ask("me/configs"),
    "wrong config": ask("me/configs", config="c"),
    "config": ask("me/configs", config="b"),
    "converted": ask("old/script", read=True),
    "lonely": ask("old/lonely"),
}
os.environ["HF_TOKEN"] = "hf_token_of_me"
said["owner"] = ask("me/secret", read=True)
os.environ["HF_TOKEN"] = "hf_another"
said["other"] = ask("me/secret")
print(json.dumps(said))
""",
        )
    public_rows = answers["public"]
    assert public_rows["images"] == [png(n).hex() for n in range(9)]
    assert public_rows["payload"] == [{"label": LABELS[n % 3]} for n in range(9)]
    assert set(public_rows["file"]) == {f"data/train-0000{n}-of-00002.parquet" for n in (0, 1)}
    assert public_rows["bytes"] == sum(path.stat().st_size for path in root.glob("data/train*"))
    assert (public_rows["licence"], len(public_rows["revision"])) == ("mit", 40)
    assert "no split 'dev'; there are: test, train" in answers["split"]["error"]
    assert "no revision 'v9'" in answers["revision"]["error"]
    assert "set HF_TOKEN" in answers["unknown"]["error"]
    assert "set HF_TOKEN" in answers["stranger"]["error"]
    assert "may read it" in answers["other"]["error"]
    assert answers["owner"]["images"] == [png(n).hex() for n in range(3)]
    assert answers["no config"]["error"].endswith("name one; there are: a, b")
    assert answers["wrong config"]["error"].endswith("no configuration 'c'; there are: a, b")
    assert (answers["config"]["config"], answers["config"]["rows"]) == ("b", 3)
    assert answers["converted"]["images"] == [png(n).hex() for n in range(6)]
    assert "not stored as parquet" in answers["lonely"]["error"]


def test_a_hub_that_cannot_be_reached_is_told_within_seconds(tmp_path: Path) -> None:
    with HubStandIn({}) as hub:
        endpoint = hub.endpoint
    code = "import time; t = time.monotonic(); said = ask('a/b'); said['s'] = time.monotonic() - t"
    started = time.monotonic()
    answer = ask_hub(endpoint, tmp_path, code + "; print(json.dumps(said))")
    assert "cannot be reached" in answer["error"] and "HF_ENDPOINT" in answer["error"]
    assert time.monotonic() - started < 60
    assert answer["s"] < 10
