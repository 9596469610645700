"""JSON and YAML that anybody may have written: whatever is wrong with it is a ValueError of one line."""

import json
from typing import Any

import yaml

__all__ = ["parse_json", "parse_yaml"]

# Values in a YAML text, each counted as often as aliases repeat it. Real files have some hundred; nine lines
# of aliases to aliases make a thousand million.
_MOST_NODES = 100_000
_DEEP = "it is nested too deeply"


def parse_json(text: str | bytes) -> Any:
    """What `json.loads` returns.

    Raises:
        ValueError: it is not JSON, not UTF-8, or nested more deeply than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_DEEP) from None


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
