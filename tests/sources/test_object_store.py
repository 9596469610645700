"""Sources in a bucket, which a server on this machine plays."""

import time
from collections.abc import Iterator

import boto3
import pytest
import ray

from pipeline.home import filesystem, listed
from pipeline.sources import public_name, resolve_source
from pipeline.sources.kept_tars import forget_tars
from pipeline.sources.source import CHANGED, FileState, KeptTars
from pipeline.sources.storage import change_of, is_inside
from tests.conftest import share_ray
from tests.sources.conftest import LABELS, png, read_all, refusal, rows_of, write_mirror
from tests.sources.test_webdataset import tar
from tests.stand_ins.s3 import BUCKET


@pytest.fixture(scope="module")
def bucket(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import os

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    place = tmp_path_factory.mktemp("bucket")
    mirror = write_mirror(place / "mirror", [2, 1])
    write_mirror(mirror, [1], split="test")
    objects = {
        "pics/cats/a b.png": png(1),
        "pics/dogs/é.png": png(2),
        "pics/loose.png": png(3),
        "pics/metadata.csv": b"file_name,year\ncats/a b.png,1990\ngone.png,1\n",
        "pics/notes.doc": b"x",
        "pics/.hidden/x.png": b"x",
        "pics-of-others/x.png": png(9),
        "splits/train/a.png": png(1),
        "splits/test/b.png": png(2),
        "tars/a-0.tar": tar(place / "0.tar", {"0.png": png(0), "0.cls": b"1"}).read_bytes(),
        "tars/a-1.tar": tar(place / "1.tar", {"0.png": png(1), "0.cls": b"2"}).read_bytes(),
        "lists/l.csv": f"url\n../pics/loose.png\ns3://{BUCKET}/pics/loose.png\nb.png\n/etc/passwd\n".encode(),
        "lists/b.png": png(4),
        **{f"mirror/{f.relative_to(mirror)}": f.read_bytes() for f in mirror.rglob("*.parquet")},
        "mirror/README.md": b"---\nlicense: mit\n---\n",
    }
    for key, body in objects.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield s3


def test_a_folder_of_images(bucket: str) -> None:
    source = resolve_source(f"{bucket}/pics/")
    rows = rows_of(source)
    assert [(row["file"], row["bytes"], row["payload"]) for row in rows] == [
        ("cats/a b.png", png(1), {"label": "cats", "year": 1990, "path": "cats/a b.png"}),
        ("dogs/é.png", png(2), {"label": "dogs", "year": None, "path": "dogs/é.png"}),
        ("loose.png", png(3), {"label": None, "year": None, "path": "loose.png"}),
    ]
    assert source.left_out == {".doc": 1, "hidden": 1}
    assert [fault.place for fault in source.faults] == ["metadata.csv:3"]
    assert (source.is_remote, public_name(source.name)) == (True, "pics")


def test_an_object_that_changes_changes_the_source_and_one_that_goes_is_a_reject(bucket: str) -> None:
    files, path = filesystem(f"{bucket}/changing/a.png")
    for data in (png(1), png(2)):
        with files.open_output_stream(path) as out:
            out.write(data)
        source = resolve_source(f"{bucket}/changing")
        seen = rows_of(source)[0]["bytes"]
        assert seen == data
    files.delete_file(path)
    assert rows_of(source)[0]["unread"].kind == "is gone"


def test_an_object_that_is_replaced_by_one_of_the_same_size_is_said_to(bucket: str) -> None:
    files, path = filesystem(f"{bucket}/replaced/a.png")
    for data in (b"first", b"other"):
        with files.open_output_stream(path) as out:
            out.write(data)
        if data == b"first":
            source = resolve_source(f"{bucket}/replaced")
            assert rows_of(source)[0]["bytes"] == data
            time.sleep(1.1)  # the times of objects are whole seconds
    assert rows_of(source)[0]["unread"].kind == "changed while being read"


def test_times_of_objects_count_in_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.storage.state_at", lambda _: FileState(3, "1700000000000000000"))
    assert change_of("s3://b/a", FileState(3, "1700000000123000000")) is None
    assert change_of("s3://b/a", FileState(3, "1700000001000000000")) == CHANGED
    assert change_of("s3://b/a", FileState(4, "1700000000000000000")) == CHANGED
    assert change_of("/b/a", FileState(3, "1700000000123000000")) == CHANGED


def test_splits(bucket: str) -> None:
    assert resolve_source(f"{bucket}/splits", split="test").left_out == {"of split train": 1}
    assert "has no split 'dev'" in refusal(f"{bucket}/mirror", split="dev")


def test_parquet(bucket: str) -> None:
    source = resolve_source(f"{bucket}/mirror")
    assert (source.kind, source.rows, source.licence) == ("parquet", 3, "mit")
    assert source.features["label"].names == LABELS
    assert source.bytes and source.revision
    one = resolve_source(f"{bucket}/mirror/data/test-00000-of-00001.parquet")
    assert (one.rows, one.split) == (1, "train")


@pytest.mark.parametrize("asked", ["tars", "tars/a-{0..1}.tar"])
def test_tars(asked: str, bucket: str) -> None:
    rows = rows_of(resolve_source(f"{bucket}/{asked}"))
    assert [(row["file"], row["bytes"], row["payload"]["cls"]) for row in rows] == [
        ("a-0.tar", png(0), 1),
        ("a-1.tar", png(1), 2),
    ]


def test_of_tars_what_was_found_is_kept_in_the_bucket(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptTars(f"{bucket}/home/tars/it", True)
    first = resolve_source(f"{bucket}/tars", kept_tars=kept)
    assert len(listed(kept.folder)) == 2
    monkeypatch.setattr("pipeline.sources.tar_index.open_stream", lambda *_: pytest.fail("read again"))
    again = resolve_source(f"{bucket}/tars", kept_tars=kept)
    assert again.table.equals(first.table)
    forget_tars(kept.folder, again.root, {"a-1.tar": again.states["a-1.tar"]}, others=True)
    assert len(listed(kept.folder)) == 1


def test_a_list(bucket: str) -> None:
    rows = rows_of(resolve_source(f"{bucket}/lists/l.csv", url_column="url"))
    assert [row["bytes"] or row["unread"].kind for row in rows] == ["outside", png(3), png(4), "outside"]


def test_what_is_not_there(bucket: str) -> None:
    assert "cannot be listed" in refusal(f"{bucket}/nothing")
    assert "cannot be listed" in refusal("s3://no-such-bucket/x")
    assert "'s3://bucket/tars/z.tar' cannot be listed" in refusal(f"{bucket}/tars/z.tar")


@pytest.mark.parametrize("asked", ["pics", "tars/a-{0..1}.tar"])
def test_a_bucket_that_may_not_be_read(asked: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise OSError("AWS Error ACCESS_DENIED during HeadObject operation")

    monkeypatch.setattr("pipeline.sources.place.is_file", denied)
    monkeypatch.setattr("pipeline.sources.single_file.stat_files", denied)
    said = refusal(f"{bucket}/{asked}")
    assert said.startswith(f"'{bucket}/{asked}' cannot be accessed: AWS Error ACCESS_DENIED")


def test_inside() -> None:
    assert is_inside("s3://b/a/", "s3://b/a/c/../d")
    assert not any(
        is_inside("s3://b/a/", other) for other in ("s3://b/a/../c", "s3://b/ab", "gs://b/a/c", "/b/a/c")
    )


@pytest.mark.long
def test_rows_through_ray(bucket: str) -> None:
    ray.shutdown()  # workers have the environment of their Ray, which must know the keys of the bucket
    share_ray()
    assert [row["bytes"] for row in read_all(resolve_source(f"{bucket}/mirror"))] == [png(0), png(1), png(2)]
    assert [row["bytes"] for row in read_all(resolve_source(f"{bucket}/pics"))] == [png(1), png(2), png(3)]
