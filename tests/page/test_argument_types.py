"""Values of a wrong kind, at every argument of every endpoint, are a sentence and leave no traceback."""

import inspect
import logging

import gradio as gr
import pytest

from page.api.argument_types import AS_DATA, checked_arguments
from page.api.arguments import parsed_box, parsed_filters, parsed_limits
from page.api.endpoints import _explained
from page.api.explain_map_compare import HitEndpoints
from page.api.search import SearchEndpoints
from page.api.search_upload import search_upload
from pipeline.errors import SimileError

_SEARCHES, _HITS = SearchEndpoints(None), HitEndpoints(None)  # type: ignore[arg-type]
ENDPOINTS = [
    search_upload(None),  # type: ignore[arg-type]
    *(_SEARCHES.facets, _SEARCHES.search_image, _SEARCHES.search_text, _SEARCHES.search_by_id),
    *(_SEARCHES.recommend, _SEARCHES.export, _HITS.explain, _HITS.map, _HITS.compare),
]
GOOD = {str: "x", str | None: "x", int: 3, float: 0.5, bool: True, list[str]: ["x"]}
WRONG = {
    str: [7, True, ["x"], {"x": 1}, 1.5],
    str | None: [7, ["x"], {}],
    int: ["5", True, 2.5, float("nan"), float("inf"), 10**400, [5], {}],
    float: ["0.5", True, float("nan"), 10**400, [0.5], {}],
    bool: ["true", 1, 0, [], {}],
    list[str]: ["x", [7], [None], [["x"]], {"x": 1}, 7],
}


def wrong_calls(function):
    """Arguments of a call that are right but for one: its name, and all of them."""
    parameters = inspect.signature(function).parameters
    given = {name: GOOD.get(parameter.annotation) for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        for wrong in WRONG.get(parameter.annotation, []):
            if not isinstance(wrong, AS_DATA.get(name, ())):
                yield name, given | {name: wrong}


@pytest.mark.parametrize("function", ENDPOINTS, ids=lambda function: function.__name__)
def test_a_wrong_kind_is_a_sentence_that_names_the_argument(function, caplog):
    for name, arguments in wrong_calls(function):
        with caplog.at_level(logging.DEBUG), pytest.raises(gr.Error) as raised:
            _explained(function)(**arguments)
        assert raised.value.message.startswith(f"{name} must be ")
        assert not raised.value.print_exception and not caplog.records


def test_there_are_cases_for_every_argument():
    assert sum(len(list(wrong_calls(function))) for function in ENDPOINTS) > 200
    for function in ENDPOINTS:
        kinds = {parameter.annotation for parameter in inspect.signature(function).parameters.values()}
        assert {kind for kind in kinds if kind not in WRONG} <= {gr.FileData}


def test_what_is_right_passes():
    def endpoint(a: str, k: int = 10, d: float = 0.0, on: bool = False, ids: list[str] = []) -> None: ...  # noqa: B006

    assert checked_arguments(endpoint, ("x", 5.0, 1, None), {}) == {"a": "x", "k": 5, "d": 1.0, "on": False}
    with pytest.raises(SimileError, match="a must be text, not None"):
        checked_arguments(endpoint, (None,), {})
    with pytest.raises(SimileError, match="the arguments do not fit: missing a required argument: 'a'"):
        checked_arguments(endpoint, (), {})
    with pytest.raises(SimileError, match=r"k must be a whole number, not 'x{50,60}…$"):
        checked_arguments(endpoint, ("a", "x" * 10_000), {})


@pytest.mark.parametrize(
    "text", ['{"artist": null}', '{"artist": ["x", null]}', "[1]", "7", "[" * 100_000, "{"]
)
def test_filters_that_are_none(text):
    with pytest.raises(SimileError) as raised:
        parsed_filters(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["[0,0,1," + "9" * 400 + "]", "[" * 100_000, "{}", "[1]", '["a",0,1,1]', "7"]
)
def test_boxes_that_are_none(text):
    with pytest.raises(SimileError, match="is no box"):
        parsed_box(text)


@pytest.mark.parametrize("function", [_SEARCHES.search_image, _SEARCHES.recommend, _HITS.compare])
def test_what_is_json_may_come_as_what_it_says(function):
    style = {"style": ["Cubism"], "year": {"gte": 1900}}
    names = inspect.signature(function).parameters
    given = {"filters": style, "excluded": style, "at_most": {"artist": 2}, "box": [0, 0, 1, 1]}
    given = {name: value for name, value in given.items() if name in names}
    others = {name: GOOD[parameter.annotation] for name, parameter in names.items() if name not in given}
    assert checked_arguments(function, (), others | given) == others | given
    assert parsed_filters(style) == style
    assert parsed_limits({"artist": 2}) == parsed_limits('{"artist": 2}') == {"artist": 2}
    assert parsed_box([0, 0, 1, 1]) == parsed_box("[0, 0, 1, 1]") == (0, 0, 1, 1)
