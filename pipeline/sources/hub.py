"""What Simile asks of the Hugging Face Hub: is there such a dataset, may we read it, where is its parquet.

The endpoint and the token are those of `huggingface_hub`: `HF_ENDPOINT`, `HF_TOKEN` or a stored login.
The token is never put into a message.
"""

from __future__ import annotations

import tempfile
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.hub import explained, token
from pipeline.sources.parquet import Listing, is_parquet, parquet_source
from pipeline.sources.source import Source, Wanted, refuse_config

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo, HfFileSystem

TIMEOUT = 15.0  # seconds for the first answer; the Hub takes less than one
PARQUET_BRANCH = "refs/convert/parquet"  # where the Hub keeps its own conversion of other formats


def filesystem() -> HfFileSystem:
    """The Hub as a file system; it can be sent to Ray tasks, with the endpoint and token of this process."""
    from huggingface_hub import HfFileSystem, constants

    return HfFileSystem(endpoint=constants.ENDPOINT, token=token())


def dataset_info(name: str, revision: str | None) -> DatasetInfo:
    """The card and commit of dataset `name`, asked once.

    Raises:
        SimileError: the Hub cannot be reached, or does not show this dataset or revision to this token.
    """
    from huggingface_hub import HfApi

    with explained(name, name, "dataset", revision):
        return HfApi(token=token()).dataset_info(name, revision=revision, timeout=TIMEOUT)


def _measured(name: str, revision: str, root: str, files: list[str]) -> tuple[int, str]:
    """Bytes of `files`, each `root` + path, asked for in one request; and the commit they are of."""
    from huggingface_hub import HfApi

    paths = [file.removeprefix(root) for file in files]
    infos = HfApi(token=token()).get_paths_info(name, paths, repo_type="dataset", revision=revision)
    return sum(getattr(info, "size", 0) for info in infos), revision


def converted_files(name: str) -> tuple[str, dict[str, dict[str, list[str]]]]:
    """The Hub's own parquet conversion of a dataset: its commit, and hf:// paths by configuration and split.

    Raises:
        SimileError: there is none.
    """
    try:
        commit = dataset_info(name, PARQUET_BRANCH).sha
    except SimileError as error:
        raise SimileError(
            f"dataset '{name}' is not stored as parquet, and the Hub keeps no conversion of it in "
            f"{PARQUET_BRANCH}; download it and name the folder"
        ) from error
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(filesystem().glob(f"datasets/{name}@{commit}/*/*/*.parquet")):
        config, split, _ = path.split("/")[-3:]
        found.setdefault(config, {}).setdefault(split, []).append(f"hf://{path}")
    return str(commit), found


def resolve_hub(name: str, split: str, wanted: Wanted, config: str | None, revision: str | None) -> Source:
    from datasets import load_dataset_builder
    from yaml import YAMLError

    info = dataset_info(name, revision)  # asked first: within seconds it tells whether the rest can work
    card = info.card_data.to_dict() if info.card_data else {}
    root = f"hf://datasets/{name}@{info.sha}/"
    with tempfile.TemporaryDirectory() as cache:
        try:
            with explained(name, name, "dataset", revision):
                builder = load_dataset_builder(
                    name, name=config, revision=info.sha, cache_dir=cache, token=token()
                )
        except (ValueError, RuntimeError, FileNotFoundError, TypeError, YAMLError) as error:
            refuse_config(name, config, error)
            # a script, a card or files that `datasets` does not read; the Hub may have converted them
            builder = None
        if builder is not None and is_parquet(builder):
            splits = {str(key): list(files) for key, files in builder.config.data_files.items()}
            listing = Listing(builder.config.name, splits, builder.info.features, root, card, filesystem())
            return parquet_source(name, listing, split, wanted, partial(_measured, name, str(info.sha), root))
    commit, found = converted_files(name)
    chosen = config or ("default" if "default" in found else next(iter(found), None))
    if chosen not in found:
        raise SimileError(f"dataset '{name}' has no configuration '{chosen}'; there are: {', '.join(found)}")
    root = f"hf://datasets/{name}@{commit}/"
    listing = Listing(chosen, found[chosen], None, root, card, filesystem())
    return parquet_source(name, listing, split, wanted, partial(_measured, name, commit, root))
