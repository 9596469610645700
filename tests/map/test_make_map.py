"""A small version in the embedded store -> its map: kept whole, read back, the command line."""

import base64
import io
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.map.map_file import MAP, Map, MapField, read_map, sheet_name, write_map
from pipeline.projection import Projection
from pipeline.store import Manifest, Store, open_store
from pipeline.store.protocol import vector_params
from ray_jobs.map import main

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
N, D = 40, 16
VERSION = "things__1"
IDS = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(i))) for i in range(N)]
COLOURS = [(255, 0, 0), (0, 0, 255)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Even points are red squares, odd ones blue; their vectors point two ways."""
    home = tmp_path_factory.mktemp("home")
    store = open_store(home=str(home))
    kind = np.arange(N) % 2
    noise = np.random.default_rng(0).normal(size=(N, D)) * 0.3
    vectors = (np.eye(D)[kind] * 3 + noise).astype(np.float32)
    store.create(VERSION, CONFIG, vector_params(CONFIG, {"cnn": D}, {"cnn_code": D}), {})
    payloads = [
        {"label": ["red", "blue"][k], "_simile": {"thumbnail": picture(COLOURS[k])}} for k in kind.tolist()
    ]
    payloads[0].pop("label")
    store.upsert(VERSION, IDS, {"cnn": vectors, "cnn_code": Projection.codes(vectors)}, payloads)
    store.finish(VERSION)
    facts = {"collection": "things", "filters": ["label"], "encoders": [{"name": "e:cnn", "vector": "cnn"}]}
    store.write_manifest(VERSION, Manifest(**facts))
    store.switch("things", VERSION)
    return home


def picture(colour: tuple[int, int, int]) -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    return open_store(home=str(home))


@pytest.fixture(scope="module")
def made(home: Path, store: Store) -> Map:
    main(["things", "--home", str(home)])
    data = store.attachment(VERSION, MAP)
    assert data is not None
    return read_map(data)


def test_every_point_has_its_place(made: Map) -> None:
    assert sorted(made.ids) == sorted(IDS)
    assert made.positions.shape == (N, 2) and np.isfinite(made.positions).all()
    assert made.facts["points"] == N and made.facts["vector"] == "cnn"


def test_labels_go_with_their_points(made: Map) -> None:
    label = made.labels["label"]
    assert label.names == ["blue", "red", "other"]  # 20, 19 and the one without
    for number, point in enumerate(made.ids):
        at = IDS.index(point)
        assert label.names[label.values[number]] == ("other" if at == 0 else ["red", "blue"][at % 2])


def test_each_point_finds_its_thumbnail_on_the_sheets(made: Map, store: Store) -> None:
    side, columns = made.facts["side"], made.facts["columns"]
    sheets = []
    for number in range(made.facts["sheets"]):
        data = store.attachment(VERSION, sheet_name(number))
        assert data is not None
        sheets.append(Image.open(io.BytesIO(data)).convert("RGB"))
    assert len(sheets) == 2 and store.attachment(VERSION, sheet_name(2)) is None

    def is_right(sheet: Image.Image, place: int, point: str) -> bool:
        at = (place % columns * side + side // 2, place // columns * side + side // 2)
        red, _, blue = sheet.getpixel(at)  # type: ignore[misc]
        return (red > blue) == (IDS.index(point) % 2 == 0)

    assert sorted(made.tiles.tolist()) == list(range(N))
    assert all(is_right(sheets[1], tile, made.ids[i]) for i, tile in enumerate(made.tiles.tolist()))
    assert 1 < len(made.sample) <= N
    assert all(is_right(sheets[0], place, made.ids[i]) for place, i in enumerate(made.sample.tolist()))


def test_a_sample_of_the_points_can_be_asked_for(
    home: Path, store: Store, made: Map, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["things", "--home", str(home), "--points", "12"])
    said = json.loads(capsys.readouterr().out)
    assert (said["points"], said["of"], said["sheets"]) == (12, N, 2)
    smaller = read_map(store.attachment(VERSION, MAP) or b"")
    assert sorted(smaller.ids) == sorted(IDS)[:12]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["thing"], "Collection 'thing' does not exist; there are: things."),
        (["things", "--vector", "vit"], "'things' has no vector 'vit'; it has: cnn."),
        (["things", "--points", "0"], "--points is 0; it must be 1 or more."),
    ],
)
def test_wrong_arguments_are_one_sentence(
    home: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--home", str(home)])
    assert capsys.readouterr().err.strip().endswith(said)


SHEETS = {"side": 64, "columns": 16, "sheets": 2}


def test_map_survives_its_file() -> None:
    labels = {"artist": MapField(["A", "B"], np.array([0, 1], np.uint16))}
    tiles, sample = np.array([0, -1], np.int32), np.array([1], np.int32)
    places = np.array([[-1, 0.5], [1, -0.25]], np.float32)
    facts = {"points": 2, **SHEETS}
    read = read_map(write_map(Map(IDS[:2], places, labels, tiles, sample, facts)))
    assert read.ids == IDS[:2] and read.facts == facts
    assert read.labels["artist"].names == ["A", "B"] and read.labels["artist"].values.tolist() == [0, 1]
    assert np.array_equal(read.positions, places)
    assert read.tiles.tolist() == [0, -1] and read.sample.tolist() == [1]
    assert read.index()[IDS[1]] == 1


def written(**changes: Any) -> bytes:
    """A map of two pictures, with some of its parts replaced."""
    parts = {
        "ids": IDS[:2],
        "positions": np.zeros((2, 2), np.float32),
        "labels": {"artist": MapField(["A", "B"], np.array([0, 1]))},
        "tiles": np.array([0, 1]),
        "sample": np.array([0]),
        "facts": SHEETS,
    }
    return write_map(Map(**{**parts, **changes}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no map",
        written()[:-9],
        written(positions=np.zeros((3, 2))),
        written(tiles=np.zeros(5)),
        written(sample=np.array([2])),
        written(sample=np.array([-1])),
        written(labels={"artist": MapField(["A"], np.array([0, 1]))}),
        written(labels={"artist": MapField(["A", "B"], np.array([0]))}),
        written(facts={}),
        written(facts=SHEETS | {"sheets": 10**9}),
        written(facts=SHEETS | {"side": "64"}),
    ],
)
def test_a_broken_map_is_one_sentence(data: bytes) -> None:
    with pytest.raises(SimileError, match="make it again"):
        read_map(data)


def test_a_map_that_is_not_broken() -> None:
    assert read_map(written()).ids == IDS[:2]
