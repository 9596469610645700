"""The index job as its users run it: a process, real Ray, real images, the embedded engine or a server."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets
import pytest

from pipeline import open_collection
from pipeline.cluster.actors import Actors
from pipeline.cluster.reservation import Reservation
from pipeline.errors import SimileError
from pipeline.indexing import dry_run
from ray_jobs.index import main
from tests.indexing.conftest import COLOURS, Index, write_pictures
from tests.indexing.conftest import picture as coloured
from tests.stand_ins.hub import HubStandIn
from tests.stand_ins.qdrant import QdrantStandIn

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECTION = {"dimension": 64}


def picture(colour: tuple[int, int, int], seed: int) -> bytes:
    out = io.BytesIO()
    coloured(colour, seed).save(out, "PNG")
    return out.getvalue()


def run_job(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ray_jobs.index", *arguments]
    variables = os.environ | environment
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, env=variables)


def result_of(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr[-3000:]
    assert "WARNING" not in run.stderr  # such as that Ray's own progress bars are off
    return json.loads(run.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight textured pictures of each of three colours, one exact copy, and one file that is no image."""
    root = write_pictures(tmp_path_factory.mktemp("pictures"))
    (root / "red" / "copy.png").write_bytes((root / "red" / "0.png").read_bytes())
    (root / "blue" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not really")
    return root


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("config") / "colours.yaml"
    path.write_text(
        "collection: colours\nsource: nobody/nothing\nencoders:\n"
        f"  - name: pypi:efficientnet-lite0@64px\nprojection: {PROJECTION}\n"
    )
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first_run(config: str, folder: Path, home: str) -> dict[str, Any]:
    return result_of(run_job(config, "--source", str(folder), "--home", home))


def test_the_account_adds_up(first_run: dict[str, Any]) -> None:
    assert first_run["source"] == 26
    assert (first_run["written"], first_run["skipped"], first_run["rejected"]) == (24, 1, 1)
    assert first_run["collection"] == "colours"
    assert first_run["encoders"] == ["pypi:efficientnet-lite0@64px"]
    assert first_run["images_per_second"] > 0


def test_the_report_says_what_each_stage_took(first_run: dict[str, Any]) -> None:
    assert list(first_run["stages"]) == ["reserve", "plan", "embed", "catalogue", "fit", "load", "check"]
    assert {name: stage["rows"] for name, stage in first_run["stages"].items()} == {
        "reserve": 0, "plan": 26, "embed": 24, "catalogue": 26, "fit": 24, "load": 24, "check": 0,
    }  # fmt: skip
    assert first_run["seconds"] == pytest.approx(
        sum(s["seconds"] for s in first_run["stages"].values()), abs=0.1
    )
    (kind,) = first_run["rejects"]
    assert kind.startswith("decode: ") and first_run["rejects"][kind] == 1
    (example,) = first_run["reject_examples"][kind]
    assert example["place"] and example["reason"]
    assert first_run["bytes"]["staged"] > 24 * 1280 * 2  # vectors of 1,280 16-bit floats, and thumbnails
    assert first_run["bytes"]["loaded"] > 24 * 16 * 4
    (actor,) = first_run["actors"]
    assert actor["rows"] == 25 and actor["device"].startswith("cpu")
    assert all(peak > 50e6 for peak in first_run["peak_memory"].values())  # Python and its libraries alone


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
@pytest.mark.parametrize("exact", [True, False])
def test_a_picture_finds_itself_then_its_colour(
    first_run: dict[str, Any], folder: Path, home: str, metric: Any, exact: bool
) -> None:
    hits = open_collection("colours", home=home).search(folder / "green" / "3.png", metric, k=6, exact=exact)
    assert hits[0].distance == pytest.approx(0, abs=0.02 if metric == "cosine" else 2)
    assert hits[0].payload["_simile"]["places"] == ["green/3.png:0"]
    if metric == "cosine":  # 24 rows leave 23 bits of code: too few to promise neighbours of one colour
        assert {hit.label for hit in hits} == {"green"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_thumbnail_and_size_are_kept(first_run: dict[str, Any], folder: Path, home: str) -> None:
    hit = open_collection("colours", home=home).search(folder / "red" / "1.png", k=1)[0]
    assert hit.thumbnail == (folder / "red" / "1.png").read_bytes()
    assert (hit.payload["_simile"]["width"], hit.payload["_simile"]["height"]) == (48, 40)


def test_both_places_of_a_copy_are_recorded(first_run: dict[str, Any], folder: Path, home: str) -> None:
    hit = open_collection("colours", home=home).search(folder / "red" / "0.png", k=1)[0]
    assert sorted(hit.payload["_simile"]["places"]) == ["red/0.png:0", "red/copy.png:0"]


def test_filters_and_facets(first_run: dict[str, Any], folder: Path, home: str) -> None:
    collection = open_collection("colours", home=home)
    hits = collection.search(folder / "red" / "1.png", k=20, filters={"label": ["blue"]})
    assert {hit.label for hit in hits} == {"blue"}
    assert sorted(collection.facets("label")) == [("blue", 8), ("green", 8), ("red", 8)]


def test_mistakes_in_a_query_are_one_sentence(first_run: dict[str, Any], folder: Path, home: str) -> None:
    collection = open_collection("colours", home=home)
    with pytest.raises(SimileError, match="no filter field 'artist'; it has: label"):
        collection.search(folder / "red" / "1.png", filters={"artist": "x"})
    with pytest.raises(SimileError, match="not indexed with 'timm:vgg16'"):
        collection.search(folder / "red" / "1.png", encoder="timm:vgg16")
    with pytest.raises(SimileError, match="choose cosine or hamming"):
        collection.search(folder / "red" / "1.png", metric="euclid")  # type: ignore[arg-type]
    with pytest.raises(SimileError, match="'colour' does not exist; there are: colours"):
        open_collection("colour", home=home)


@pytest.mark.long
def test_a_collection_gains_an_encoder_without_touching_the_first(
    first_run: dict[str, Any], index: Index, folder: Path, home: str, tmp_path: Path
) -> None:
    first, second = "pypi:efficientnet-lite0@64px", "weights:cifar10-cnn"
    again = str(tmp_path / "home")
    shutil.copytree(home, again)  # others use the collection as it is
    query = folder / "green" / "3.png"
    before = open_collection("colours", home=again).search(query, k=10, exact=True)
    staged = {path: path.stat().st_mtime_ns for path in Path(again).glob("staging/colours/*/*.parquet")}
    assert staged

    account = index(Path(again), folder, encoders=[{"name": first}, {"name": second}], projection=PROJECTION)
    assert account.embedded == 24  # once each, by the new one
    assert sum(actor.rows for actor in account.actors.values()) == 25  # the broken picture is tried again
    assert account.encoders == [first, second]
    parts = list(Path(again).glob("staging/colours/*/*.parquet"))
    assert len({part.parent for part in parts}) == 3  # the rows, and the vectors of each encoder
    assert {part: part.stat().st_mtime_ns for part in parts if part in staged} == staged
    assert {part.parent for part in parts if part not in staged}.isdisjoint(part.parent for part in staged)

    reader = open_collection("colours", home=again)
    assert reader.encoders == [first, second]
    after = reader.search(query, k=10, exact=True)
    assert [hit.id for hit in after] == [hit.id for hit in before]
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], abs=1e-5)
    by_second = reader.search(query, k=10, exact=True, encoder=second)
    assert by_second[0].id == after[0].id  # the picture itself
    assert [hit.score for hit in by_second] != [hit.score for hit in after]


def test_a_server_holds_the_same(
    index: Index, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with QdrantStandIn(api_key="k3y") as server:
        monkeypatch.setenv("QDRANT_API_KEY", "k3y")
        account = index(tmp_path, folder, url=server.url)
        assert (account.written, account.skipped, account.rejected) == (24, 1, 1)
        assert "k3y" not in json.dumps(account.summary())
        monkeypatch.delenv("QDRANT_API_KEY")
        with pytest.raises(SimileError, match="set QDRANT_API_KEY"):
            index(tmp_path, folder, url=server.url)


def test_a_dry_run_shows_rows_and_rejects_and_writes_nothing(
    config: str,
    folder: Path,
    tmp_path: Path,
    ray_here: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr("ray_jobs.index.ray_session", nullcontext)
    asked: list[str] = []
    with QdrantStandIn() as server:
        server.fault = lambda method, path: asked.append(method)
        monkeypatch.setenv("QDRANT_URL", server.url)
        main([config, "--source", str(folder), "--home", str(home), "--dry-run"])
    assert set(asked) == {"GET"}
    said, err = capsys.readouterr()
    result = json.loads(said.splitlines()[-1])
    assert (result["source"], result["measured"]) == (26, 26)
    assert result["seconds"] > 0
    assert result["disk_bytes"] > 0
    assert len(result["rows"]) > 8
    assert {row["payload"]["label"] for row in result["rows"]} == {"red", "green", "blue"}
    assert all((row["width"], row["height"]) == (48, 40) and row["bytes"] > 1000 for row in result["rows"])
    (reject,) = result["rejects"]
    assert (reject["place"], reject["stage"]) == ("blue/broken.png:0", "decode")
    assert err.startswith("checking ")
    assert "1 rejects among the first 26:" in err
    assert not home.exists()


@pytest.mark.parametrize(("of_a_gpu", "threads"), [(0.0, 4), (1.0, 4), (0.25, 16)])
def test_a_dry_run_takes_all_the_threads_of_a_gpu(
    config: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_a_gpu: float, threads: int
) -> None:
    took: list[int] = []
    made = dry_run.pool_of
    monkeypatch.setattr(dry_run, "pool_of", lambda count: took.append(count) or made(count))
    monkeypatch.setattr(dry_run, "reserve", lambda *_: Reservation(4, 1.0, of_a_gpu, 4))
    monkeypatch.setattr("ray_jobs.index.ray_session", nullcontext)
    main([config, "--source", str(folder), "--home", str(tmp_path / "home"), "--dry-run"])
    assert took == [threads]


def test_a_dry_run_without_one_picture_names_no_speed(
    config: str, tmp_path: Path, ray_here: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no picture")
    monkeypatch.setattr("ray_jobs.index.ray_session", nullcontext)
    main([config, "--source", str(tmp_path / "bad"), "--home", str(tmp_path / "home"), "--dry-run"])
    said, err = capsys.readouterr()
    result = json.loads(said.splitlines()[-1])
    assert (result["seconds"], result["measured"], result["rows"]) == (None, 0, [])
    assert "unknown time, as no picture could be embedded" in err


@pytest.mark.long
def test_a_dataset_of_the_hub_by_its_id(config: str, tmp_path: Path) -> None:
    rows = {
        "img": [{"bytes": picture(COLOURS["red"], seed), "path": None} for seed in range(6)],
        "label": [0] * 6,
    }
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat"])})
    table = datasets.Dataset.from_dict(rows, features=features)
    (tmp_path / "hub" / "data").mkdir(parents=True)
    table.to_parquet(tmp_path / "hub" / "data" / "train-00000-of-00001.parquet")
    with HubStandIn({"uoft-cs/cifar10": tmp_path / "hub"}) as hub:
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        arguments = ["qdrant_config/cifar10.yaml", "--encoder", "weights:cifar10-cnn"]
        run = run_job(*arguments, "--home", str(tmp_path / "home"), SIMILE_DASHBOARD="1", **environment)
    assert "Ray's dashboard: http://127.0.0.1:" in run.stderr
    result = result_of(run)
    assert (result["source"], result["written"]) == (6, 6)
    collection = open_collection("cifar10", home=str(tmp_path / "home"))
    assert collection.manifest.source == "uoft-cs/cifar10"
    assert collection.facets("label") == [("cat", 6)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["qdrant_config/nothing.yaml"], "No configuration at"),
        (["qdrant_config/cifar10.yaml", "--home", "relative"], "is relative"),
        (["qdrant_config/cifar10.yaml", "--sample", "--limit", "0"], "must be 1 or more"),
        (["qdrant_config/cifar10.yaml", "--sample", "--encoder", "pypi:lite9"], "efficientnet-lite0"),
        (["qdrant_config/cifar10.yaml", "--source", "/nowhere"], "/nowhere"),
        (["qdrant_config/cifar10.yaml", "--rollback"], "does not exist"),
        (["qdrant_config/cifar10.yaml", "--prune"], "does not exist"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = [] if "--home" in arguments else ["--home", str(tmp_path)]
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, *home])
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_more_actors_than_there_are_cpus_are_refused(index: Index, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SimileError, match="lower --actors"):
        index(tmp_path, folder, actors=Actors(64))
