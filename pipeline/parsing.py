"""JSON and YAML that anybody may have written: whatever is wrong with it is a ValueError of one line."""

import json
import re
from typing import Any

import yaml

__all__ = ["parse_json", "parse_yaml"]

# Values in a YAML text, each counted as often as aliases repeat it. Real files have some hundred; nine lines
# of aliases to aliases make a thousand million.
_MOST_NODES = 100_000
_DEEP = "it is nested too deeply"
_MAY_BE_HALF = re.compile(r"\\u[dD]|[\ud800-\udfff]")


def parse_json(text: str | bytes) -> Any:
    r"""What `json.loads` returns. Half of a surrogate pair, which no UTF-8 can hold, is written as `\ud83d`.

    Raises:
        ValueError: it is not JSON, not UTF-8, or nested more deeply than Python can follow.
    """
    if isinstance(text, bytes):  # as json.loads does
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        value = json.loads(text)
        return _without_halves(value) if _MAY_BE_HALF.search(text) else value
    except RecursionError:
        raise ValueError(_DEEP) from None


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_without_halves(each) for each in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(each) for key, each in value.items()}
    return value


def parse_yaml(text: str) -> Any:
    """What `yaml.safe_load` returns: plain values only, never an object of a tag's choice.

    Raises:
        ValueError: it is not YAML, says a value that there is not, is nested more deeply than Python can
            follow, or repeats itself by aliases without end.
    """
    if yaml.reader.Reader.NON_PRINTABLE.search(text):
        raise ValueError("it holds control characters")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError(_DEEP) from None
    # All of these come from values such as `!!timestamp x`, which PyYAML does not check.
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())[:300] or type(error).__name__) from None
    finally:
        loader.dispose()


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Nodes below and with `node`, those behind aliases as often as they are repeated."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_NODES  # for a node that is found below itself
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        inner = node.value
    elif isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    count = 1 + sum(_count(one, known) for one in inner)
    if count > _MOST_NODES:
        raise ValueError("its aliases repeat more than can be read; write the values out")
    known[id(node)] = count
    return count
