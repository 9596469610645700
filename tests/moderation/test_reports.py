"""Reports of visitors: counted, bounded, listed by a command, and forgotten."""

import json
from pathlib import Path

import gradio as gr
import pytest

from page.components import reporting
from page.components.cards import Card
from page.components.reporting import REPORTS, Reports, report_html
from pipeline.__main__ import main
from pipeline.errors import SimileError
from pipeline.moderation import reports
from pipeline.moderation.reports import read_reports, report
from pipeline.store import open_store
from tests.search.conftest import IDS, fill


def test_reports_are_counted_by_picture_and_reason(tmp_path: Path) -> None:
    home = str(tmp_path)
    for point, reason in ((IDS[0], "offensive"), (IDS[1], "private"), (IDS[1], "private"), (IDS[1], "wrong")):
        report(home, "greys", point, reason)
    first, second = read_reports(home, "greys")
    assert (first.id, first.reasons, first.times) == (IDS[1], {"private": 2, "wrong": 1}, 3)
    assert second.id == IDS[0] and second.first == second.last
    assert read_reports(home, "others") == []
    with pytest.raises(SimileError, match="there is no reason 'rude'; there are: offensive"):
        report(home, "greys", IDS[0], "rude")
    with pytest.raises(SimileError):
        report(home, "greys", "../../etc/passwd", "wrong")


def test_the_list_is_bounded_and_damaged_files_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(tmp_path)
    monkeypatch.setattr(reports, "MOST_REPORTED", 1)
    report(home, "greys", IDS[0], "wrong")
    with pytest.raises(SimileError, match="The list of reports is full"):
        report(home, "greys", IDS[1], "wrong")
    assert report(home, "greys", IDS[0], "wrong").times == 2
    (tmp_path / f"reports/greys/{IDS[0]}.json").write_text('{"reasons": 7}')
    assert read_reports(home, "greys") == []


def test_the_command_lists_and_forgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(open_store(home=str(tmp_path)), calibrated=True)
    report(str(tmp_path), "greys", IDS[2], "copyright")
    main(["reports", "greys", "--home", str(tmp_path), "--json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["id"], told["times"], told["hidden"]) == (IDS[2], 1, False)
    main(["reports", "greys", "--home", str(tmp_path)])
    assert "copyright 1" in capsys.readouterr().out
    main(["reports", "greys", "--home", str(tmp_path), "--forget", IDS[2]])
    assert capsys.readouterr().out.startswith("Nobody reported")


class _Library:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def report(self, name: str, point: str, reason: str) -> None:
        self.told.append((name, point, reason))


def test_a_visitor_reports_some_pictures_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", said.append)
    monkeypatch.setattr(gr, "Warning", said.append)
    library, now = _Library(), [0.0]
    visitors = Reports(library, lambda: now[0])  # type: ignore[arg-type]
    shown = Card(IDS[0], "greys", "", "")
    for _ in range(11):
        visitors.take(shown, REPORTS[0], "192.0.2.7")
    assert library.told == [("greys", IDS[0], "offensive")] * 10
    assert said == [reporting.THANKS] * 10 + [reporting.TOO_MANY]
    visitors.take(shown, REPORTS[1], "192.0.2.8")
    now[0] = 3600.0
    visitors.take(shown, REPORTS[1], "192.0.2.7")
    assert len(library.told) == 12


def test_the_larger_view_offers_every_reason() -> None:
    html = report_html()
    assert all(f'data-action="{action}"' in html for action in REPORTS)
