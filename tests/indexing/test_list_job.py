"""A whole job whose source is a list of web addresses."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.indexing.conftest import Index, picture
from tests.stand_ins.web import WebStandIn

pytestmark = pytest.mark.long


@pytest.fixture
def web() -> Iterator[WebStandIn]:
    pages = {}
    for n in range(20):
        out = io.BytesIO()
        picture((40, 90, 160), n).save(out, "PNG")
        pages[f"/{n}.png"] = out.getvalue()
    with WebStandIn(pages) as server:
        yield server


def test_a_list_becomes_a_collection_and_failures_say_their_status(
    index: Index, web: WebStandIn, tmp_path: Path
) -> None:
    rows = [f"{web.url}/{n}.png?sig=secret,{1900 + n}" for n in range(20)]
    source = tmp_path / "list.csv"
    source.write_text("\n".join(["url,year", *rows, f"{web.url}/gone.png?sig=secret,1", ""]))
    account = index(tmp_path / "home", source, url_column="url", allow_private=True)
    assert (account.source, account.written, account.rejected) == (21, 20, 1)
    (reject,) = account.rejects.first
    assert (reject.kind, reject.place) == ("HTTP 404", "list.csv:20")
    assert reject.reason == f"HTTP 404 from {web.url}/gone.png"
    stored = b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())
    assert b"secret" not in stored
