"""Filters are read from plain values, checked against the kinds of the fields."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.fields import FieldKind
from pipeline.store.filter_terms import (
    AnyOf,
    Either,
    Every,
    Not,
    NoValue,
    Range,
    Term,
    Where,
    parse_filters,
    parse_term,
)

KINDS = {
    "style": FieldKind("text"),
    "tags": FieldKind("text", many=True),
    "year": FieldKind("integer"),
    "rating": FieldKind("number"),
    "sold": FieldKind("boolean"),
    "when": FieldKind("time"),
}
MAY = datetime(2024, 5, 31, tzinfo=UTC)
JUNE = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "wanted", "term"),
    [
        ("style", "Cubism", AnyOf(("Cubism",))),
        ("style", ("Cubism", "Realism"), AnyOf(("Cubism", "Realism"))),
        ("style", ["Cubism", None], Either((AnyOf(("Cubism",)), NoValue()))),
        ("style", [], None),
        ("style", {"not": "Cubism"}, Not(AnyOf(("Cubism",)))),
        ("tags", None, NoValue()),
        ("year", "1900", AnyOf((1900,))),
        ("year", np.int64(1900), AnyOf((1900,))),
        ("year", 1900.0, AnyOf((1900,))),
        ("year", "9007199254740993", AnyOf((2**53 + 1,))),
        ("year", {"gte": 1900, "lt": "1950"}, Range(gte=1900, lt=1950)),
        ("year", {"gte": 1900, "not": [1912]}, Every((Range(gte=1900), Not(AnyOf((1912,)))))),
        ("year", {"any": ["1900", "1901"]}, AnyOf((1900, 1901))),
        ("rating", 2, Range(gte=2.0, lte=2.0)),
        ("rating", {"gt": np.float32(0.5)}, Range(gt=0.5)),
        ("sold", "true", AnyOf((True,))),
        ("sold", [False], AnyOf((False,))),
        ("when", "2024-05-31", Range(gte=MAY, lt=JUNE)),
        ("when", date(2024, 5, 31), Range(gte=MAY, lt=JUNE)),
        ("when", "2024-06-01T02:00:00+02:00", Range(gte=JUNE, lte=JUNE)),
        ("when", {"gte": "2024-05-31", "lte": "2024-05-31"}, Range(gte=MAY, lt=JUNE)),
        ("when", {"gt": "2024-05-31"}, Range(gte=JUNE)),
        ("when", {"gt": "2024-05-31T00:00:00"}, Range(gt=MAY)),
    ],
)
def test_plain_values_become_terms(field: str, wanted: Any, term: Term | None) -> None:
    assert parse_term(field, KINDS[field], wanted) == term


@pytest.mark.parametrize(
    ("field", "wanted", "said"),
    [
        ("year", "abc", "'year' holds whole numbers, and 'abc' was given"),
        ("year", 1900.5, "1900.5 was given"),
        ("year", True, "True was given"),
        ("year", 2**63, "9223372036854775808 was given"),
        ("year", {"gte": 2**53 + 1}, "exact up to 2^53"),
        ("year", {"gte": 1, "gt": 2}, "'year' holds whole numbers"),
        ("year", {"ge": 1900}, "'ge'; there are: gte, gt, lte, lt, any, not"),
        ("year", {}, "no operator"),
        ("year", [[1900]], "[1900] was given"),
        ("rating", float("nan"), "'rating' holds numbers, and nan was given"),
        ("style", 7, "'style' holds text, and 7 was given"),
        ("style", {"gte": "A"}, "'style' holds text"),
        ("tags", {"lt": "A"}, "'tags' holds lists of text"),
        ("sold", 1, "'sold' holds true or false, and 1 was given"),
        ("sold", "maybe", "possible are true, false or null"),
        ("when", "yesterday", "'when' holds times, and 'yesterday' was given"),
        ("when", 2024, 'a date such as "2024-05-31"'),
    ],
)
def test_what_does_not_fit_is_one_sentence(field: str, wanted: Any, said: str) -> None:
    with pytest.raises(SimileError) as caught:
        parse_term(field, KINDS[field], wanted)
    assert said in str(caught.value) and f"'{field}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_fields_of_a_filter_are_read() -> None:
    filters = {"style": ["Cubism"], "year": {"gte": 1900}, "tags": []}
    assert parse_filters(filters, KINDS) == (
        Where("style", AnyOf(("Cubism",))),
        Where("year", Range(gte=1900)),
    )
    assert parse_filters(None, KINDS) == ()
