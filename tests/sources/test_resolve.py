"""What is refused as a source, and what the sentence says."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.conftest import png, put, refusal, write_mirror

ROOT = Path(__file__).parents[2]


def test_refusals_say_what_was_wrong_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "words/a.txt", b"hello")
    put(tmp_path / "odd/a.zzz", b"hello")
    put(tmp_path / "broken/data/train-00000-of-00001.parquet", b"PAR1 and then nothing")
    assert "does not exist" in refusal(tmp_path / "nowhere")
    assert "is empty; expected images" in refusal(tmp_path / "empty")
    assert "has no images; expected" in (said := refusal(tmp_path / "words")) and "found 1 .txt" in said
    assert "has no images; expected" in refusal(tmp_path / "odd")
    assert "is not a parquet file" in refusal(tmp_path / "broken")
    assert "neither an existing folder nor a Hub id" in refusal("cifar10")


def test_refusals_list_what_there_is(tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [2])
    write_mirror(tmp_path, [1], split="test")
    assert "no split 'dev'; there are: test, train" in refusal(root, split="dev")
    assert "no image column 'pic'; it has the image columns: img" in refusal(root, image_column="pic")
    assert "no configuration 'xl'; there are: default" in refusal(root, config="xl")


def test_a_folder_of_images_has_one_configuration(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    assert "no configuration 'xl'; there are: default" in refusal(tmp_path, config="xl")


def test_a_table_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "data/train-00000-of-00001.parquet")
    assert "no image column, only a, b" in refusal(tmp_path)


def test_importing_sources_imports_neither_ray_nor_datasets() -> None:
    code = "import sys, pipeline.sources; print({'ray', 'datasets', 'torch', 'pyarrow'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "front",
    [
        "license: " + "[" * 3_000,
        "license: !!python/object:os.system x",
        "license: 2020-13-45",
        "- a list",
        "dataset_info:\n  features: !!binary aGVsbG8=",
        "a: &a [*a]",
    ],
    ids=lambda text: text[:12],
)
def test_a_card_that_cannot_be_read_is_a_sentence(front: str, tmp_path: Path) -> None:
    root = write_mirror(tmp_path, [1])
    (root / "README.md").write_text(f"---\n{front}\n---\n")
    said = refusal(str(root))
    assert said.startswith(f"the dataset card '{root}/README.md' cannot be read: ") and "\n" not in said


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("x.png", "is a single picture; name the folder that it lies in"),
        ("x.zip", "is an archive; unpack it and name the folder, or pack the pictures into a .tar"),
        ("x.tar.gz", "is compressed; unpack it"),
        ("x.tgz", "is compressed; unpack it"),
        ("x.json", "call it .jsonl"),
        ("x.tfrecord", "write it as parquet or .tar"),
        ("x.doc", "is a file of another kind; expected a folder of images"),
    ],
)
def test_a_file_that_is_not_taken_says_so_and_what_is(name: str, mend: str, tmp_path: Path) -> None:
    said = refusal(put(tmp_path / name, b"PK"))
    assert mend in said and "a .parquet file, .tar files in the WebDataset format" in said


def test_a_lance_dataset_is_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path / "x.lance/_versions/1.manifest", b"")
    assert "x.lance' is a Lance dataset; write it as parquet" in refusal(tmp_path / "x.lance")


def test_paths_that_the_system_cannot_look_at_are_a_sentence(tmp_path: Path) -> None:
    for name in (f"{tmp_path}/{'x' * 300}", "x" * 300, f"{'x' * 300}?X-Amz-Signature=secret"):
        said = refusal(name)
        assert "cannot be accessed (File name too long); expected an existing path" in said
        assert "secret" not in said and len(said) < 250
    assert "'~nobody9/x' begins with the home of a user that this machine does not know" in refusal(
        "~nobody9/x"
    )


def test_addresses_that_are_no_sources_are_shown_without_secrets() -> None:
    signed = refusal(f"https://example.org/a?X-Amz-Signature={'secret' * 60}")
    assert "'https://example.org/a' is no source" in signed and "secret" not in signed
    said = refusal("https://me:secret@example.org/pictures?token=secret")
    assert "'https://example.org/pictures' is no source; expected s3://" in said and "secret" not in said
    assert "is an archive; unpack it" in refusal("https://example.org/a.zip?token=1")
    assert "'ftp://example.org/a' is no source" in refusal("ftp://example.org/a")
    assert "'https://[x' is no source" in refusal("https://[x")
    assert "'https://h:port/a' is no source" in refusal("https://h:port/a")
    assert "'s3://[x/a' names no bucket" in refusal("s3://[x/a")
    assert "Keys do not belong in an address" in refusal("s3://key:secret@bucket/a")
