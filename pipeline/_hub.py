"""What Simile asks of the Hugging Face Hub: is there such a dataset, may we read it, where is its parquet.

The endpoint and the token are those of `huggingface_hub`: `HF_ENDPOINT`, `HF_TOKEN` or a stored login.
The token is never put into a message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.errors import SimileError

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo, HfFileSystem

TIMEOUT = 15.0  # seconds for the first answer; the Hub takes less than one
PARQUET_BRANCH = "refs/convert/parquet"  # where the Hub keeps its own conversion of other formats


def filesystem() -> HfFileSystem:
    """The Hub as a file system; it can be sent to Ray tasks, with the endpoint and token of this process."""
    from huggingface_hub import HfFileSystem, constants, get_token

    return HfFileSystem(endpoint=constants.ENDPOINT, token=get_token())


def dataset_info(name: str, revision: str | None) -> DatasetInfo:
    """The card and commit of dataset `name`, asked once.

    Raises:
        SimileError: the Hub cannot be reached, or does not show this dataset or revision to this token.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        return HfApi().dataset_info(name, revision=revision, timeout=TIMEOUT)
    except HFValidationError:
        raise SimileError(
            f"'{name}' is neither an existing folder nor the id of a Hub dataset; expected org/name or a path"
        ) from None
    except HfHubHTTPError as error:
        _explain(name, revision, error)
    except OfflineModeIsEnabled:
        raise SimileError(
            f"dataset '{name}' needs the Hub, but HF_HUB_OFFLINE is set; unset it, or name a local folder"
        ) from None
    except (httpx2.HTTPError, OSError) as error:
        raise unreachable(name, error) from None


def unreachable(name: str, error: Exception) -> SimileError:
    """The error for a Hub that does not answer."""
    from huggingface_hub import constants

    return SimileError(
        f"the Hub at {constants.ENDPOINT} cannot be reached for dataset '{name}' ({type(error).__name__}); "
        "check the network and HF_ENDPOINT, or name a local copy of the dataset"
    )


def _explain(name: str, revision: str | None, error: Any) -> NoReturn:
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

    status = error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        raise SimileError(
            f"dataset '{name}' has no revision '{revision}'; name a branch, tag or commit"
        ) from None
    if isinstance(error, GatedRepoError):
        raise SimileError(
            f"dataset '{name}' is gated; accept its terms on its page and set HF_TOKEN to your token"
        ) from None
    if status in (401, 403, 404):
        mend = (
            "check the spelling, and that the token in use may read it"
            if get_token()
            else "check the spelling; if it is private, set HF_TOKEN to a token that may read it"
        )
        raise SimileError(f"the Hub shows no dataset '{name}' (HTTP {status}); {mend}") from None
    raise SimileError(
        f"the Hub answered HTTP {status} for dataset '{name}'; try again later, or name a local copy"
    ) from None


def file_sizes(name: str, revision: str, files: list[str], root: str) -> int:
    """Bytes of `files`, each `root` + path, in one request."""
    from huggingface_hub import HfApi

    paths = [file.removeprefix(root) for file in files]
    infos = HfApi().get_paths_info(name, paths, repo_type="dataset", revision=revision)
    return sum(getattr(info, "size", 0) for info in infos)


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


def refuse_config(name: str, config: str | None, error: Exception) -> None:
    """Raise for an unknown or missing configuration, with the names that `datasets` lists in its message."""
    listed = re.search(r"(not found\. Available|available configs): \[(.*?)\]", str(error), re.DOTALL)
    if listed:
        asked = f"has no configuration '{config}'" if config else "has several configurations; name one"
        raise SimileError(f"'{name}' {asked}; there are: {listed[2].replace(chr(39), '')}") from None
