"""JSON and YAML of strangers: whatever is wrong with it is one line, in little time and memory."""

import pytest

from pipeline.config import load_config
from pipeline.errors import SimileError
from pipeline.parsing import parse_json, parse_yaml

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "nope", b"\xff\xfe", ""])
def test_what_is_no_json(text):
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [r'{"\ud83d": ["a\uDE00", "\ud83d\ude00"]}', b'{"\xed\xa0\xbd": ["a\xed\xb8\x80", "\xf0\x9f\x98\x80"]}'],
)
def test_halves_of_surrogate_pairs_become_text_that_utf_8_holds(text):
    found = parse_json(text)
    assert found == {r"\ud83d": [r"a\ude00", "\U0001f600"]}


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        MERGES,
        "a: &a [*a]",
        "a: " + "[" * 5_000 + "]" * 5_000,
        "a: " + "[" * 5_000,
        "a: !!binary é",
        "a: 2020-13-45",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: !!bool perhaps",
        "a: !!float x",
        "a: " + "9" * 10_000,
        "a: !!python/object/apply:os.system [ls]",
        "? [a]\n: 1",
        "a: \x00",
        "a: [",
        "--- a\n--- b",
    ],
    ids=lambda text: text[:20].replace("\x00", "0"),
)
def test_what_is_no_yaml(text, tmp_path):
    with pytest.raises(ValueError) as raised:
        parse_yaml(text)
    assert "\n" not in str(raised.value)
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SimileError, match="is not valid YAML") as shown:
        load_config(tmp_path / "c.yaml")
    assert "\n" not in str(shown.value)


def test_aliases_that_repeat_a_little_are_read():
    assert parse_yaml("a: &a [1, 2]\nb: *a\nc: {<<: &d {e: 1}}") == {"a": [1, 2], "b": [1, 2], "c": {"e": 1}}
    assert parse_yaml("") is None


def test_bytes_where_a_text_is_wanted_are_a_sentence(tmp_path):
    (tmp_path / "c.yaml").write_text("collection: !!binary //4=\nsource: x\nencoders: [{name: e}]\n")
    with pytest.raises(SimileError, match="collection: ") as raised:
        load_config(tmp_path / "c.yaml")
    assert "\n" not in str(raised.value)
