"""The Hugging Face Hub: single files of a repository, and whatever it refuses as one sentence with the mend.

Endpoint, token and cache are those of `huggingface_hub`: HF_ENDPOINT, HF_TOKEN or a stored login, HF_HOME,
HF_HUB_OFFLINE. The token never gets into a message. A process that strangers use takes it out of its
environment first (`take_token`): whatever else it runs then does not find one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pipeline.errors import SimileError
from pipeline.printable import hide

__all__ = ["Kind", "exists", "explained", "fetch", "take_token", "token"]

Kind = Literal["model", "dataset"]

_EXPECTED = {"model": "hf:ORG/NAME", "dataset": "ORG/NAME, or the path of a folder"}
_WITHOUT_NETWORK = {
    "model": "where there is a network, run 'hf download {repo}' and copy HF_HOME here, or copy the "
    "checkpoint's folder and name that",
    "dataset": "check the network and HF_ENDPOINT, or name a local copy of the dataset",
}

_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_FILE = "HF_TOKEN_PATH"  # where `huggingface_hub` looks for a stored login
_taken: list[str | None] = []  # the token of a process that called `take_token`


def take_token() -> None:
    """Keep the Hub's token here alone: out of the environment of this process and of those that it starts.

    Libraries that look for a token by themselves, such as Gradio, find none from then on, not even that of a
    stored login. The token is also hidden in logs.
    """
    if _taken:
        return
    from huggingface_hub import constants, get_token

    found = get_token()
    for name in _VARIABLES:
        os.environ.pop(name, None)
    os.environ[_FILE] = constants.HF_TOKEN_PATH = os.devnull
    _taken.append(found)
    if found:
        hide(found)


def token() -> str | None:
    """The token to read models and datasets with, to be handed to each call; None: there is none."""
    from huggingface_hub import get_token

    return _taken[0] if _taken else get_token()


def exists(repo: str, file: str, commit: str) -> bool:
    """Whether a model has the file, in the cache or on the Hub; a cached one is not asked for again."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(repo, file, revision=commit), str):
        return True
    return HfApi(token=token()).file_exists(repo, file, revision=commit)


def fetch(repo: str, file: str, revision: str | None) -> Path:
    """A file of a model: from the cache where it is there, else from the Hub."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repo, file, revision=revision, token=token()))


@contextmanager
def explained(asked: str, repo: str, kind: Kind, revision: str | None = None) -> Iterator[None]:
    """Turn what the Hub, or the way there, refuses into one sentence.

    Args:
        asked: what the user wrote, for the beginning of the sentence.
        repo: the Hub's id of it.
        kind: what it is.
        revision: that was asked for.

    Raises:
        SimileError: anything that `huggingface_hub` or the network raised inside.
    """
    import httpx2
    from huggingface_hub import errors

    def said(message: str) -> SimileError:
        return SimileError(f"'{asked}': {message}")

    try:
        yield
    except errors.HFValidationError:
        raise said(f"'{repo}' is no Hub id; expected {_EXPECTED[kind]}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise said(_unreachable(repo, kind, error)) from None
    except errors.GatedRepoError:
        raise said(
            f"{kind} {repo} is gated; accept its terms on its page and set HF_TOKEN to your token"
        ) from None
    except errors.RevisionNotFoundError:
        raise said(f"{kind} {repo} has no revision '{revision}'; name a branch, tag or commit") from None
    except errors.EntryNotFoundError:
        raise said(f"{kind} {repo} has no config.json; is it an image model?") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
            mend = (
                "check the spelling, and that the token in use may read it"
                if token()
                else "check the spelling; if it is private, set HF_TOKEN to a token that may read it"
            )
            raise said(f"the Hub shows no {kind} {repo} (HTTP {status}); {mend}") from None
        raise said(
            f"the Hub answered HTTP {status} for {kind} {repo}; try again later, or name a local copy"
        ) from None
    except (httpx2.HTTPError, ConnectionError) as error:  # last: the Hub's answers are of this class too
        raise said(_unreachable(repo, kind, error)) from None


def _unreachable(repo: str, kind: Kind, error: Exception) -> str:
    from huggingface_hub import constants

    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else type(error).__name__
    mend = _WITHOUT_NETWORK[kind].format(repo=repo)
    return f"the Hub at {constants.ENDPOINT} cannot be reached for {kind} {repo} ({why}); {mend}"
