"""One YAML file -> one frozen pydantic model, and what is wrong with it in a sentence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import SimileError
from pipeline.parsing import parse_yaml

__all__ = ["Frozen", "load_yaml"]

Model = TypeVar("Model", bound=BaseModel)


class Frozen(BaseModel):
    """Unknown keys are refused, so that a misspelt setting cannot be ignored in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load_yaml(path: str | Path, model: type[Model], changes: Mapping[str, Any] | None = None) -> Model:
    """Read and check one file.

    Args:
        path: the file.
        model: what it says.
        changes: instead of what the file says; sections are merged key by key.

    Raises:
        SimileError: the file is missing, is not YAML, or says something that it cannot say; the message names
            the key and what it may be.
    """
    path = Path(path)
    if not path.is_file():
        there = ", ".join(sorted(str(p) for p in path.parent.glob("*.yaml"))) or "none"
        raise SimileError(f"No configuration at '{path}'. There are: {there}.")
    try:
        found = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except ValueError as error:
        raise SimileError(f"'{path}' is not valid YAML: {error}") from error
    try:
        return model.model_validate(_merged(found, changes or {}) if isinstance(found, dict) else found)
    except ValidationError as error:
        raise SimileError(f"'{path}': {_explained(error, model)}.") from error


def _merged(found: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    sections = {
        k: found[k] | v for k, v in changes.items() if isinstance(v, dict) and isinstance(found.get(k), dict)
    }
    return {**found, **changes, **sections}


def _explained(error: ValidationError, model: type[BaseModel]) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"])) or "the file"
        if item["type"] == "extra_forbidden":
            known = ", ".join(_known_keys(item["loc"], model))
            lines.append(f"unknown key '{where}'; known keys: {known}")
        else:
            lines.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


def _known_keys(where: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Keys of the section that holds the unknown one."""
    section = model.model_fields.get(str(where[0])) if len(where) > 1 else None
    kind = section.annotation if section else model
    kind = next(iter(get_args(kind)), kind)  # list[EncoderConfig] -> EncoderConfig
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
