"""SECURITY.md names flags, variables and limits that exist, with the values that they have."""

import re

import pytest

from page.app import MAX_WAITING
from page.body_limit import MAX_BODY, MAX_VALUES
from page.components.search_controls import MAX_HITS
from page.disk_budget import Allowance
from page.pixel_budget import AT_ONCE, MOST_OWN, VISITORS
from page.rate_limit import _ADDRESS_FACTOR, _PROGRAM_FACTOR, PER_MINUTE
from page.session_states import CAPACITY
from page.shared_state import MAX_PICTURES
from page.uploads import MAX_BYTES
from tests.docs.pages import ROOT, blocks, inline_code, tables
from tests.docs.test_docs import FLAG, _sources, flags_of

PAGE = ROOT / "SECURITY.md"
LIMITS = {
    "searches a minute for a visitor (`--limit`)": PER_MINUTE,
    "searches a minute for an address": PER_MINUTE * _ADDRESS_FACTOR,
    "requests that wait in the queue": MAX_WAITING,
    "searches a minute of all programs without an open page, by the public link": PER_MINUTE
    * _PROGRAM_FACTOR,
    "megapixels of a picture, as it is decoded": VISITORS.max_pixels / 1e6,
    "megapixels of all pictures in memory at once": AT_ONCE / 1e6,
    "pictures of a visitor's own in one search": MOST_OWN,
    "size of a request": MAX_BODY / 1e6,
    "values of JSON in a request": MAX_VALUES,
    "uploads that are kept for an address": Allowance().visitor / 1e6,
    "uploads that are kept in all": Allowance().total / 1e6,
    "exports and other copies that are kept": Allowance().exports / 1e6,
    "pages whose hits are remembered": CAPACITY,
    "size of a picture": MAX_BYTES / 1e6,
    "pictures, likes and dislikes of a visitor": MAX_PICTURES,
    "hits of a search": MAX_HITS,
    "hours until an upload is deleted": Allowance().seconds / 3600,
}


def test_limits_are_those_of_the_code() -> None:
    (table,) = tables(PAGE)
    said = {name: float(value.removesuffix(" MB").replace(",", "")) for name, value in table.rows}
    assert said == LIMITS


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_flags_and_variables_exist() -> None:
    said = [*inline_code(PAGE), *(block.text for block in blocks(PAGE, "bash"))]
    flags = {flag for text in said if "docker" not in text for flag in FLAG.findall(text)}
    assert {"--share", "--metrics-key"} <= flags <= flags_of("demo")
    code = "\n".join(file.read_text("utf-8") for file in _sources())
    for name in {name for text in said for name in re.findall(r"\b(?:SIMILE|FORWARDED)_[A-Z_]+", text)}:
        assert name in code, name


def test_it_is_one_page_that_the_readme_names() -> None:
    assert len(PAGE.read_text("utf-8").splitlines()) <= 80
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text("utf-8")
