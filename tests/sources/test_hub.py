"""Datasets of the Hub, which a server on this machine plays."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.sources.conftest import LABELS, png, put, write_mirror
from tests.sources.test_webdataset import tar
from tests.stand_ins.hub import HubStandIn

ROOT = Path(__file__).parents[2]


ASK = """
import json, os, sys
hub_page = os.environ["HF_ENDPOINT"]
import ray, ray.data
from pipeline.errors import SimileError
from pipeline.sources import decode_payload, image_bytes, read_rows, resolve_source

def ask(name, read=False, **options):
    try:
        source = resolve_source(name, **options)
    except SimileError as error:
        return {"error": str(error)}
    said = {"rows": source.rows, "revision": source.revision, "bytes": source.bytes, "config": source.config,
            "licence": source.licence, "left_out": source.left_out, "notes": source.notes,
            "images": [], "payload": [], "file": []}
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


@pytest.mark.long
def test_the_hub(tmp_path: Path) -> None:
    root = write_mirror(tmp_path / "cifar10", [5, 4])
    write_mirror(root, [2], split="test")
    put(root / "README.md", b"---\nlicense: mit\n---\n# CIFAR\n")
    put(root / ".gitattributes", b"")
    put(root / "logo.png", png(0))
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
    for n in range(2):
        tar(tmp_path / f"tars/shards/a-{n}.tar", {"0.png": png(n), "0.txt": b"said"})
    put(tmp_path / "tars/more/cat/x.png", png(7))
    put(tmp_path / "tars/l.csv", b"picture\nmore/cat/x.png\n")
    public = {
        "uoft-cs/cifar10": root,
        "me/configs": configs,
        "old/script": tmp_path / "script",
        "old/script@refs/convert/parquet": converted,
        "old/lonely": tmp_path / "script",
        "me/tars": tmp_path / "tars",
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
    "tars": ask("me/tars", read=True),
    "one tar": ask("hf://datasets/me/tars/shards/a-{0..0}.tar", read=True),
    "pictures": ask("hf://datasets/me/tars@main/more", read=True),
    "list": ask("hf://datasets/me/tars/l.csv", read=True, url_column="picture"),
    "page": ask(hub_page + "/datasets/uoft-cs/cifar10/tree/main/data", read=True),
    "parquet": ask("hf://datasets/uoft-cs/cifar10/data/test-00000-of-00001.parquet", read=True),
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
    # Listed = rows' files + left out, of the whole dataset or of the folder that was asked for.
    other_split = ".parquet of another split"
    assert public_rows["left_out"] == {other_split: 1, ".md": 1, ".png": 1, "hidden": 1}
    assert public_rows["notes"] == []
    assert answers["page"]["left_out"] == {other_split: 1}
    assert answers["config"]["left_out"] == {".md": 1, ".parquet in no split of this configuration": 1}
    assert answers["converted"]["left_out"] == {".parquet in no split of this configuration": 1}
    assert answers["tars"]["left_out"] == {".csv": 1, ".png": 1}
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
    assert answers["tars"]["images"] == [png(0).hex(), png(1).hex()]
    assert [row["text"] for row in answers["tars"]["payload"]] == ["said"] * 2
    assert answers["one tar"]["images"] == [png(0).hex()]
    assert answers["pictures"]["images"] == answers["list"]["images"] == [png(7).hex()]
    assert answers["pictures"]["payload"] == [{"label": "cat", "path": "cat/x.png"}]
    assert answers["page"]["images"] == public_rows["images"]
    assert answers["page"]["revision"] == answers["parquet"]["revision"] == public_rows["revision"]
    assert answers["parquet"]["images"] == [png(n).hex() for n in range(2)]


def test_a_hub_that_hangs_up_is_named_and_not_asked_again_and_again(tmp_path: Path) -> None:
    """A user at a broken network is told so at once, and not after a minute of further attempts."""
    attempts: list[object] = []

    def hang_up(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the end of the test closes the listener
            while True:
                connection, _ = listener.accept()
                attempts.append(connection.getpeername())
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        answer = ask_hub(endpoint, tmp_path, "print(json.dumps(ask('a/b')))")
    assert "cannot be reached" in answer["error"] and "HF_ENDPOINT" in answer["error"]
    assert 1 <= len(attempts) <= 3  # HTTP clients try a connection that was closed once more
