"""The Hugging Face Hub as encoders need it: single files of a model, and errors that say what to do.

Endpoint, token and cache are those of `huggingface_hub`: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.encoders.names import EncoderName
from pipeline.errors import SimileError


def exists(repo: str, file: str, commit: str) -> bool:
    """In the cache or on the Hub; a file in the cache is not asked for again."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(repo, file, revision=commit), str):
        return True
    return HfApi().file_exists(repo, file, revision=commit)


def fetch(repo: str, file: str, revision: str | None) -> Path:
    """From the cache where it is there, as `huggingface_hub` does it (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE)."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repo, file, revision=revision))


@contextmanager
def explained(name: EncoderName, repo: str) -> Iterator[None]:
    """Turns what the Hub says into one sentence with the mend. The token never gets into a message."""
    import httpx2
    from huggingface_hub import errors

    def said(message: str) -> SimileError:
        return SimileError(f"'{name.text}': {message}")

    try:
        yield
    except errors.HFValidationError:
        raise said(f"'{repo}' is no Hub id; expected hf:ORG/NAME") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise said(_unreachable(repo, error)) from None
    except errors.GatedRepoError:
        raise said(f"{repo} is gated; accept its terms on its page and set HF_TOKEN") from None
    except errors.RevisionNotFoundError:
        raise said(f"{repo} has no revision '{name.revision}'; name a branch or commit") from None
    except errors.EntryNotFoundError:
        raise said(f"{repo} has no config.json; is it an image model?") from None
    except errors.RepositoryNotFoundError:
        raise said(
            f"the Hub shows no model {repo}; check the spelling, or set HF_TOKEN if it is private"
        ) from None
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        raise said(f"the Hub answered HTTP {code} for {repo}; try again later") from None
    except httpx2.HTTPError as error:  # last: all of the Hub's answers are of this class too
        raise said(_unreachable(repo, error)) from None


def _unreachable(repo: str, error: Exception) -> str:
    from huggingface_hub import constants

    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else type(error).__name__
    return (
        f"{repo} is not in the local cache and the Hub cannot be reached ({why}); where there is a network, "
        f"run 'hf download {repo}' and copy HF_HOME here, or copy the checkpoint's folder and name that"
    )
