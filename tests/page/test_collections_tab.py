"""What is said of collections: filters and their values, figures, sources, and one that cannot be read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from page.collection_library import CollectionLibrary
from page.components.filter_boxes import MAX_FILTERS, boxes_of, more_filters, places_of
from page.components.source_words import source_words
from page.tabs.collections import _measured, _rejects, _report, _state, overview_html
from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.search.counts import Counted
from pipeline.sources import public_name
from pipeline.store.manifest import Manifest, RowCounts
from pipeline.store.measured import IndexCheck


class _Fields:
    """Stands in for a collection of many fields with 1,119 values each."""

    name, title, counted = "things", "Things", Counted(1119, True)

    def __init__(self, fields: int) -> None:
        self.filters = [f"field_{i}" for i in range(fields)]
        self.kinds = dict.fromkeys(self.filters, FieldKind("text"))

    def without_value(self, field: str, filters: Any = None) -> int:
        return 0

    def facets(self, field: str, filters: Any = None, limit: int = 200) -> list[tuple[str, int]]:
        return [(f"value {i}", 2000 - i) for i in range(1119)][:limit]


def test_filters_say_what_they_leave_out() -> None:
    many: Any = _Fields(6)
    boxes = boxes_of(many, places_of(many), {"field_5": ["value 1118"]})
    assert [box.get("label") for box in boxes[:6]] == [f"Field {i}" for i in range(6)]
    assert all(box["info"] == "1,000 of 1,119 values, most frequent first" for box in boxes[:6])
    assert boxes[0]["choices"][0] == ("Value 0 (2,000)", "value 0")
    assert boxes[5]["choices"][-1][1] == "value 1118" == boxes[5]["value"][0], "what is chosen stays listed"
    assert len(boxes) == MAX_FILTERS and not boxes[6]["visible"]
    more = {n: more_filters(places_of(_Fields(n))) for n in (4, 5, 15)}  # type: ignore[arg-type]
    assert [more[n]["visible"] for n in (4, 5)] == [False, True]
    assert more[15]["label"].endswith(f"the first {MAX_FILTERS} of 15 fields)")


def test_a_collection_that_cannot_be_read_has_a_card_beside_the_others(demo_home: Path) -> None:
    for error in (SimileError("things is damaged"), RuntimeError("/home/anna/secret")):
        library = CollectionLibrary(str(demo_home))
        there, opened = library.names(), library.open
        library.names = lambda there=there: ["things", *there]  # type: ignore[method-assign, misc]

        def broken(name: str | None, opened: Any = opened, error: Exception = error) -> Any:
            if name == "things":
                raise error
            return opened(name)

        library.open = broken  # type: ignore[method-assign, assignment]
        html = overview_html(library)
        assert html.count('<article class="collection">') == 3 and "anna" not in html
        assert html.count('role="alert"') == 1 and "WikiArt" in html
        assert ("Things is damaged" in html) is isinstance(error, SimileError)
        assert _state(library) == _state(library) and "wikiart__" in _state(library)


def test_bundled_samples_are_named_in_words(demo_home: Path) -> None:
    html = overview_html(CollectionLibrary(str(demo_home)))
    assert "the bundled samples of CIFAR-10" in html and "the bundled samples of WikiArt" in html
    for source, shown in (("/data/birds", "birds"), ("uoft-cs/cifar10", "uoft-cs/cifar10")):
        found = SimpleNamespace(title="Birds", manifest=SimpleNamespace(source=source))
        assert source_words(found) == shown  # type: ignore[arg-type]


def test_recall_and_ram_are_shown_where_they_were_measured() -> None:
    took = {"ms": 1.0, "exact_ms": 1.0}
    found = {
        "queries": 500,
        "protocol": "held out",
        "cosine": {"recall": 0.9904, **took},
        "hamming": {"recall": 1.0, **took},
        "bytes": {"vector": 64, "code": 64, "links": 83.6, "total": 211.6, "from": "files"},
    }
    measured = IndexCheck.model_validate(found)
    assert _measured(measured) == ("cosine 0.990 · Hamming 1.000", "212 bytes a picture")
    too_few = IndexCheck(queries=0, protocol="held out")
    assert _measured(None) == _measured(too_few) == ("not measured", "not measured")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("uoft-cs/cifar10", "uoft-cs/cifar10"),
        ("/home/anna/pictures/", "pictures"),
        ("C:\\Users\\anna\\art", "art"),
        ("https://me:secret@example.org/a/b.tar?X-Amz-Signature=se/cret", "b.tar"),
    ],
)
def test_a_source_is_shown_by_its_hub_id_or_the_name_of_its_folder(source: str, shown: str) -> None:
    assert public_name(source) == shown


def test_where_there_is_no_report_the_command_that_makes_one_is() -> None:
    found = SimpleNamespace(name="things<", attachment=lambda name: None)
    assert "<code>python -m ray_jobs.report things&lt;</code>" in _report(found)  # type: ignore[arg-type]


def test_rejected_rows_are_counted_by_reason_and_escaped() -> None:
    kind = "decode: <b>cut off</b>"
    counts = RowCounts(
        source=5,
        written=3,
        skipped=0,
        rejected=2,
        rejects={kind: 2},
        reject_examples={kind: "a<b>.png:0: no"},
    )
    shown = _rejects(Manifest(collection="things", account=counts))
    assert (
        "<li>decode: &lt;b&gt;cut off&lt;/b&gt;: 2<br><small>such as a&lt;b&gt;.png:0: no</small></li>"
        in shown
    )
    assert _rejects(Manifest(collection="things")) == ""
