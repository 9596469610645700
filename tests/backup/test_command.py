"""python -m ray_jobs.backup."""

import json
from pathlib import Path

import pytest

from pipeline.store import Store
from ray_jobs import backup
from tests.backup.conftest import N


def test_the_command(embedded: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, archive = str(tmp_path / "home"), str(tmp_path / "archive")
    backup.main(["things", "--to", archive, "--home", home])
    saved = json.loads(capsys.readouterr().out)
    assert (saved["collection"], saved["points"], saved["attachments"]) == ("things", N, 2)
    backup.main(["--from", archive, "--as", "others", "--home", home])
    restored = json.loads(capsys.readouterr().out)
    assert (restored["collection"], restored["points"]) == ("others", N)
    backup.main(["--from", archive, "--home", home, "--overwrite"])
    assert json.loads(capsys.readouterr().out)["collection"] == "things"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "/a"], "name the collection to save"),
        (["things", "--to", "/a", "--as", "others"], "--as belongs to --from"),
        (["things", "--from", "/a"], "restore under another name with --as"),
        (["things"], "one of the arguments --to --from is required"),
        (["--from", "/nowhere"], "'/nowhere' holds no whole archive"),
    ],
)
def test_a_command_that_says_too_much_or_too_little(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        backup.main([*arguments, "--home", str(tmp_path)])
    assert sentence in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_sentence(
    embedded: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        backup.main(["things", "--to", str(tmp_path / "file" / "archive"), "--home", str(tmp_path / "home")])
    assert "/archive' cannot be used: " in capsys.readouterr().err
