"""Inputs and outputs of Gradio events by name.

Gradio passes values by position. So that no two files have to repeat an order, a handler returns a dataclass
of updates (`named_outputs`), and makes a dataclass of its many inputs (`named_inputs`).
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

import gradio as gr

__all__ = ["QUIET", "UNCHANGED", "named_inputs", "named_outputs", "no_update"]

# Of an event that is no endpoint and shows no spinner.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
UNCHANGED: Any = object()  # of a field in a dataclass of updates: its component stays as it is

T = TypeVar("T")


def no_update(updates: type[T]) -> T:
    """A dataclass of updates that changes nothing."""
    return updates(**{field.name: UNCHANGED for field in fields(updates)})  # type: ignore[arg-type]


def _merged(first: Any, second: Any) -> Any:
    return {**first, **second} if isinstance(first, dict) and isinstance(second, dict) else second


def named_inputs(values: type, components: Mapping[str, Any]) -> list[Any]:
    """Components in the order of the fields of the dataclass `values`: a handler calls `values(*inputs)`."""
    return [components[field.name] for field in fields(values)]


def named_outputs(handler: Callable[..., Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """`fn` and `outputs` of an event whose handler returns a dataclass of updates.

    Args:
        handler: each field of its answer is the update of the component of that name, or `UNCHANGED`. It may
            answer a tuple of such dataclasses: `gr.update`s of a component are merged, else the last counts.
        components: name -> component; a list of components takes a list of updates.

    The event fails with a KeyError where the handler sets a field for which there is no component.
    """
    outputs = [each for one in components.values() for each in (one if isinstance(one, list) else [one])]

    @wraps(handler)
    def by_component(*inputs: Any) -> dict[Any, Any]:
        answer = handler(*inputs)
        updates: dict[Any, Any] = {}
        for part in answer if isinstance(answer, tuple) else (answer,):
            for field in fields(part):
                value, target = getattr(part, field.name), components[field.name]
                if value is UNCHANGED:
                    continue
                each = zip(target, value, strict=True) if isinstance(target, list) else [(target, value)]
                for component, update in each:
                    if update is not UNCHANGED:
                        updates[component] = _merged(updates.get(component), update)
        return updates or gr.skip()

    return {"fn": by_component, "outputs": outputs}
