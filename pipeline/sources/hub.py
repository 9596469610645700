"""What Simile asks of the Hugging Face Hub: is there such a dataset, may we read it, where is its parquet.

The endpoint and the token are those of `huggingface_hub`: `HF_ENDPOINT`, `HF_TOKEN` or a stored login.
The token is never put into a message.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import SimileError
from pipeline.hub import explained, token
from pipeline.sources.extensions import kind_of
from pipeline.sources.hub_address import HubAddress
from pipeline.sources.listing import (
    OTHER_TAR,
    FolderListing,
    listing_of,
    with_left_out,
    with_parquet_left_out,
)
from pipeline.sources.parquet import Listing, is_parquet, parquet_source, split_files
from pipeline.sources.place import folder_at
from pipeline.sources.single_file import file_source, is_pattern
from pipeline.sources.source import Asked, FileState, Measured, Source, refuse_config
from pipeline.sources.storage import HUB, hub_filesystem, is_file, remote_file
from pipeline.sources.webdataset import tar_source

if TYPE_CHECKING:
    from datasets import DatasetBuilder
    from huggingface_hub import DatasetInfo

TIMEOUT = 15.0  # seconds for the first answer; the Hub takes less than one
PARQUET_BRANCH = "refs/convert/parquet"  # where the Hub keeps its own conversion of other formats


def dataset_info(name: str, revision: str | None) -> DatasetInfo:
    """The card and commit of dataset `name`, asked once.

    Raises:
        SimileError: the Hub cannot be reached, or does not show this dataset or revision to this token.
    """
    from huggingface_hub import HfApi

    with explained(name, name, "dataset", revision):
        return HfApi(token=token()).dataset_info(name, revision=revision, timeout=TIMEOUT)


def _measured(name: str, revision: str, root: str, files: list[str]) -> Measured:
    """The states of `files`, each `root` + path, asked for in one request; and the commit they are of.

    The hash of a file stays the same in a commit that does not change it.
    """
    from huggingface_hub import HfApi

    paths = [file.removeprefix(root) for file in files]
    infos = HfApi(token=token()).get_paths_info(name, paths, repo_type="dataset", revision=revision)
    states = {
        info.path: FileState(getattr(info, "size", 0), str(getattr(info, "blob_id", ""))) for info in infos
    }
    return Measured(states, revision)


def converted_files(name: str) -> tuple[DatasetInfo, dict[str, dict[str, list[str]]]]:
    """The Hub's own parquet conversion of a dataset, and hf:// paths by configuration and split.

    Raises:
        SimileError: there is none.
    """
    try:
        info = dataset_info(name, PARQUET_BRANCH)
    except SimileError as error:
        raise SimileError(
            f"dataset '{name}' is not stored as parquet, and the Hub keeps no conversion of it in "
            f"{PARQUET_BRANCH}; download it and name the folder"
        ) from error
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(hub_filesystem().glob(f"datasets/{name}@{info.sha}/*/*/*.parquet")):
        config, split, _ = path.split("/")[-3:]
        found.setdefault(config, {}).setdefault(split, []).append(f"hf://{path}")
    return info, found


def resolve_hub(address: HubAddress, asked: Asked) -> Source:
    """What lies on the Hub: a dataset, or a folder or file in one.

    Raises:
        SimileError: the Hub does not show it, or holds it in no form that can be read.
    """
    from datasets import load_dataset_builder
    from yaml import YAMLError

    name, inside = address.name, address.inside
    config, revision = asked.config or address.config, address.revision or asked.revision
    # Asked first: within seconds it tells whether the rest can work.
    info = dataset_info(name, revision)
    card = info.card_data.to_dict() if info.card_data else {}
    commit = str(info.sha)
    root = f"{HUB}datasets/{name}@{commit}/"
    shown = f"{HUB}datasets/{name}/{inside}" if inside else name
    if inside and (is_pattern(inside) or is_file(root + inside)):
        return replace(file_source(shown, root + inside, asked), revision=commit)
    if asked.url_column is not None:
        return replace(folder_at(shown, root + inside, asked), revision=commit)
    with tempfile.TemporaryDirectory() as cache:
        try:
            with explained(name, name, "dataset", revision):
                builder = load_dataset_builder(
                    name,
                    name=config,
                    revision=commit,
                    cache_dir=cache,
                    token=token(),
                    data_dir=inside or None,
                )
        except (ValueError, RuntimeError, FileNotFoundError, TypeError, YAMLError) as error:
            refuse_config(name, config, error)
            # a script, a card or files that `datasets` does not read; the Hub may have converted them
            builder = None
    measure = partial(_measured, name, commit, root)
    if builder is not None and (is_parquet(builder) or _is_tars(builder)):
        splits = {str(key): list(files) for key, files in (builder.config.data_files or {}).items()}
        listing = Listing(builder.config.name, splits, builder.info.features, root, card, hub_filesystem())
        beside = _beside(info, root, inside)
        if is_parquet(builder):
            return with_parquet_left_out(parquet_source(shown, listing, asked, measure), beside, splits)
        files = split_files(shown, listing, asked.split)
        paths = [file.removeprefix(root) for file in files]
        source = tar_source(
            shown, root, paths, asked, measured=measure(files), config=listing.config, card=card
        )
        every = {file.removeprefix(root) for files in splits.values() for file in files}
        return with_left_out(source, beside, set(paths), dict.fromkeys(every, OTHER_TAR))
    if inside:
        return replace(folder_at(shown, root + inside, asked), revision=commit)
    info, found = converted_files(name)
    chosen = config or ("default" if "default" in found else next(iter(found), None))
    if chosen not in found:
        raise SimileError(f"dataset '{name}' has no configuration '{chosen}'; there are: {', '.join(found)}")
    root = f"{HUB}datasets/{name}@{info.sha}/"
    listing = Listing(chosen, found[chosen], None, root, card, hub_filesystem())
    source = parquet_source(name, listing, asked, partial(_measured, name, str(info.sha), root))
    return with_parquet_left_out(source, _beside(info, root), found[chosen])


def _beside(info: DatasetInfo, root: str, inside: str = "") -> FolderListing:
    """All files of a dataset, or of a folder in it; their names came with the card."""
    paths = sorted(each.rfilename for each in info.siblings or [])
    top = f"{inside.rstrip('/')}/" if inside else ""
    return listing_of(root, (remote_file(path) for path in paths if path.startswith(top)))


def _is_tars(builder: DatasetBuilder) -> bool:
    from datasets.packaged_modules.webdataset.webdataset import WebDataset

    files = [file for split in (builder.config.data_files or {}).values() for file in split]
    return isinstance(builder, WebDataset) and all(kind_of(file) == "tar" for file in files)
