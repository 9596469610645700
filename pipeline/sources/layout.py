"""Splits of files in the Hub's layout, known from their names alone: `datasets` is the judge of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import SimileError
from pipeline.printable import printable
from pipeline.sources.source import refuse_config

if TYPE_CHECKING:
    from datasets import DatasetBuilder, Features

__all__ = ["Layout", "card_fields", "hub_builder", "layout_of"]


class Layout(NamedTuple):
    """What names say.

    Attributes:
        config: name of the configuration.
        splits: split -> files, as they were given.
        features: those of the card, if it has them.
    """

    config: str
    splits: dict[str, list[str]]
    features: Features | None


def layout_of(name: str, files: Sequence[str], config: str | None, card: bytes | None) -> Layout:
    """The splits of a configuration.

    `datasets` sees a folder of empty files with these names, so that it needs no way to where they lie.

    Args:
        name: of the source, for messages.
        files: paths within the source, all of one format.
        card: README.md of the source.

    Raises:
        SimileError: an unknown or missing configuration, or names that no folder can have.
    """
    with tempfile.TemporaryDirectory() as place:
        seen = Path(place, "dataset").resolve()
        for file in files:
            if ".." in PurePosixPath(file).parts or file.startswith("/"):
                raise SimileError(f"'{name}' holds a file called '{file}', which is no path; rename it")
            try:
                (seen / file).parent.mkdir(parents=True, exist_ok=True)
                (seen / file).touch()
            except OSError as error:  # a bucket may have longer names, and a file where others lie below it
                raise SimileError(
                    f"'{name}' holds a file called '{printable(file, 80)}', which no folder can have "
                    f"({error.strerror}); rename it"
                ) from error
        if card is not None:
            (seen / "README.md").write_bytes(card)
        builder = hub_builder(str(seen), name, config, place)
        if builder is None:
            raise SimileError(
                f"'{name}' has files that are not in the Hub's layout; expected names such as "
                "data/train-00000-of-00001.parquet"
            )
        splits = {
            str(split): [each.removeprefix(f"{seen}/") for each in found]
            for split, found in (builder.config.data_files or {}).items()
        }
        return Layout(builder.config.name, splits, builder.info.features)


def hub_builder(root: str, name: str, config: str | None, cache: str) -> DatasetBuilder | None:
    """What `datasets` would read a folder with; it knows splits and configurations of the Hub's layout."""
    from datasets import load_dataset_builder
    from datasets.data_files import EmptyDatasetError

    try:
        return load_dataset_builder(root, name=config, cache_dir=cache)
    except EmptyDatasetError:
        return None
    except (ValueError, FileNotFoundError) as error:
        refuse_config(name, config, error)
        return None


def card_fields(text: str) -> dict[str, Any]:
    """The fields of a dataset card; none of a README that is no card."""
    from huggingface_hub import DatasetCard
    from yaml import YAMLError

    try:
        fields: dict[str, Any] = DatasetCard(text).data.to_dict()
        return fields
    except (ValueError, YAMLError):
        return {}
