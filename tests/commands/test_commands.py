"""`python -m pipeline search`, `collections` and `show` on twelve grey pictures."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.commands.terminal_pictures import Protocol, in_terminal, protocol_of
from pipeline.commands.text_table import text_table
from pipeline.search import query_embedding
from pipeline.store import open_store
from tests.search.conftest import IDS, GreyEncoder, N, fill, grey


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("home"))
    fill(open_store(home=folder), calibrated=True)
    return folder


@pytest.fixture(autouse=True)
def grey_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_embedding, "load_encoder", lambda name: GreyEncoder())
    query_embedding._encoders.clear()
    query_embedding._vectors.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one of them further down, one broken file and one that is none."""
    (tmp_path / "deep").mkdir()
    grey(31).save(tmp_path / "deep" / "b.png")
    grey(90).save(tmp_path / "a.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not asked")
    return tmp_path


def search(capsys: pytest.CaptureFixture[str], home: str, *arguments: str) -> list[dict]:
    main(["search", *arguments, "--collection", "greys", "--home", home, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_table_of_hits(home: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["search", str(folder / "a.png"), "--collection", "greys", "--home", home, "-k", "2"])
    name, head, first, second = capsys.readouterr().out.splitlines()
    assert name == str(folder / "a.png") and head.split() == ["score", "distance", "label", "place", "id"]
    assert first.split()[:2] == ["1", "1.0000"] and IDS[9] in first and "artist 0 · odd" in first
    assert second.split()[0] == "2"


def test_json_filters_and_metrics(home: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(folder / "a.png")
    (told,) = search(
        capsys, home, picture, "-k", "3", "--filter", "style=even", "--filter", "artist!=artist 1"
    )
    assert told["collection"] == "greys" and told["metric"] == "cosine" and told["query"] == picture
    assert [hit["id"] for hit in told["hits"]] == [IDS[8], IDS[6], IDS[2]]
    assert told["hits"][0]["rank"] == 1 and told["hits"][0]["style"] == "even"
    (told,) = search(capsys, home, "--id", IDS[4], "--metric", "hamming", "-k", "1", "--exact")
    assert isinstance(told["hits"][0]["distance"], int) and told["hits"][0]["id"] != IDS[4]


def test_every_picture_of_a_folder_is_asked(
    home: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = folder / "sheet.jpg"
    main(["search", str(folder), "--collection", "greys", "--home", home, "--json", "--open", str(sheet)])
    said = capsys.readouterr()
    told = [json.loads(line) for line in said.out.splitlines()]
    assert [(Path(one["query"]).name, one["hits"][0]["id"]) for one in told] == [
        ("a.png", IDS[9]),
        ("b.png", IDS[3]),
    ]
    assert "left out" in said.err and "broken.jpg" in said.err and "sheet.jpg" in said.err
    with Image.open(sheet) as made:
        assert made.format == "JPEG" and made.height > 4 * 200  # 20 hits in rows of six


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name what to search from"),
        (["missing.jpg"], "None of the pictures could be searched with"),
        (["--id", "abc"], "is no id of a point"),
        (["--id", IDS[0], "-k", "0"], "k is 0; it must be between 1 and 1000"),
        (["--id", IDS[0], "--filter", "year>=1900"], "no filter field 'year'; it has: artist, style"),
        (["--id", IDS[0], "--filter", "style"], "must be FIELD=VALUE"),
        (["--id", IDS[0], "--open", "/nowhere/x.jpg"], "cannot be written"),
        (["--words", "a cat"], "has no label that these words name"),
    ],
)
def test_mistakes_are_sentences(
    home: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["search", *arguments, "--collection", "greys", "--home", home])
    told = capsys.readouterr()
    assert said in told.err.splitlines()[-1] and told.out == ""


def test_collections_and_what_they_hold(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["collections", "--home", home])
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["greys", str(N), "e:grey"]
    main(["show", "greys", "--home", home])
    lines = capsys.readouterr().out.splitlines()
    assert "pictures: 12" in lines and "filter style: holds text, even 6, odd 6" in lines
    main(["show", "greys", IDS[4], "--home", home, "--json"])
    assert json.loads(capsys.readouterr().out)["artist"] == "artist 1"


def test_a_home_without_collections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["collections", "--home", str(tmp_path)])
    assert "none yet" in capsys.readouterr().out


def test_cells_are_aligned_and_printable() -> None:
    rows = [["モネ", 1.5, True, None], ["\x1b[31mx", 22.25, False, "y" * 99]]
    assert text_table(["who", "score", "x", ""], rows).splitlines() == [
        "who          score  x",
        "モネ        1.5000  True",
        "\\x1b[31mx  22.2500  False  " + "y" * 60 + "…",
    ]


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({}, None),
    ],
)
def test_terminals_are_known_by_their_environment(environment: dict[str, str], protocol: str | None) -> None:
    assert protocol_of(environment) == protocol


@pytest.mark.parametrize(
    ("protocol", "begin", "end"),
    [
        ("kitty", "\x1b_Ga=T,f=100,", "\x1b\\"),
        ("iterm2", "\x1b]1337;File=", "\x07"),
        ("sixel", "\x1bPq", "\x1b\\"),
    ],
)
def test_a_picture_in_a_terminal(protocol: Protocol, begin: str, end: str) -> None:
    image = Image.effect_noise((300, 200), 60).convert("RGB")
    shown = in_terminal(image, protocol)
    assert shown.startswith(begin) and shown.endswith(end) and "\n" not in shown


def test_sixel_holds_the_very_pixels() -> None:
    """Read back as a terminal does: a character is six pixels of a column, `!n` repeats it."""
    image = Image.new("RGB", (9, 8), "red")
    image.paste((0, 0, 255), (2, 1, 5, 7))
    assert _read_sixel(in_terminal(image, "sixel")).tobytes() == image.tobytes()


def _read_sixel(text: str) -> Image.Image:
    image, colours, now, column, top = Image.new("RGB", (9, 8)), {}, (0, 0, 0), 0, 0
    for defined, red, green, blue, used, count, sign in re.findall(
        r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|(?:!(\d+))?([?-~$\-])", text[3:-2]
    ):
        if defined:
            colours[defined] = tuple(int(level) * 255 // 100 for level in (red, green, blue))
        elif used:
            now = colours[used]
        elif sign in "$-":
            column, top = 0, top + 6 * (sign == "-")
        else:
            right = column + int(count or 1)
            for bit in range(6):
                if (ord(sign) - 63) >> bit & 1:
                    image.paste(now, (column, top + bit, right, top + bit + 1))
            column = right
    return image


def test_thumbnails_between_name_and_table(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["search", "--id", IDS[0], "--collection", "greys", "--home", home, "--thumbnails", "iterm2"])
    assert capsys.readouterr().out.count("\x1b]1337;File=inline=1") == 10


def test_a_palette_is_searched_for(home: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (alone,) = search(capsys, home, "--colour", "#6e6e6e", "-k", "2")
    assert alone["query"] == "#6e6e6e" and [hit["id"] for hit in alone["hits"]] == [IDS[11], IDS[10]]
    (of_picture,) = search(capsys, home, "--colours-of", str(folder / "a.png"), "-k", "1")
    assert of_picture["hits"][0]["id"] == IDS[9]
    (both,) = search(capsys, home, str(folder / "a.png"), "--colour", "#6e6e6e", "-k", "3")
    assert {hit["id"] for hit in both["hits"]} == {IDS[9], IDS[10], IDS[11]}
