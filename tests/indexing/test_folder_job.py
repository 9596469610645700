"""A folder as people have it, through the whole job: labels, odd names, faults, files that change."""

import shutil
from pathlib import Path

import pytest

from pipeline import open_collection
from pipeline.indexing import job
from pipeline.staging.rejects import read_rejects
from tests.indexing.conftest import COLOURS, Index, picture


@pytest.mark.long
def test_a_folder_as_people_have_it(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, home = tmp_path / "My [backup] photos", tmp_path / "home"
    (root / "2024/cats").mkdir(parents=True)
    (root / "best").mkdir()
    for seed in range(6):
        picture(COLOURS["red"], seed).save(root / f"2024/cats/{seed}.png")
    shutil.copy(root / "2024/cats/0.png", root / "best/copy.png")
    picture(COLOURS["blue"], 7).save(root / "Mu\udcf1oz.png")
    (root / "metadata.csv").write_text(
        "file_name;country\nMu\\xf1oz.png;NA\n2024/cats/1.png;NA\n;left over\n"
    )
    (root / "2024/cats/0.png.json").write_text("{}")
    embed = job.embed_units

    def change_first(*arguments: object) -> object:
        shutil.move(root / "2024/cats/3.png", root / "3-before.png")
        picture(COLOURS["green"], 3).save(root / "2024/cats/3.png")
        (root / "2024/cats/5.png").unlink()
        return embed(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(job, "embed_units", change_first)
        account = index(home, root)
    assert (account.source, account.written, account.skipped, account.rejected) == (9, 5, 1, 3)
    assert (account.left_out, account.listed) == ({".json": 1}, 10)
    assert open_collection("colours", home=str(home)).manifest.account.left_out == {".json": 1}
    account = index(home, root)
    assert (account.source, account.written, account.rejected) == (9, 2, 1)
    found = open_collection("colours", home=str(home))
    assert dict(found.facets("label")) == {"cats": 5, "best": 1}
    for name in ("3-before.png", "2024/cats/3.png", "best/copy.png"):
        hit = found.search(root / name, k=1)[0]
        assert (hit.score, f"{name}:0" in hit.places) == (pytest.approx(1, abs=0.01), True)
    assert (hit.path, hit.label, hit.payload["path"]) == (
        "2024/cats/0.png",
        "cats, best",
        ["2024/cats/0.png", "best/copy.png"],
    )
    assert [reject.place for reject in read_rejects(str(home), "colours") or []] == ["metadata.csv:4"]
    assert dict(found.facets("country")) == {"NA": 2}
