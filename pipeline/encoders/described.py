"""Descriptions of encoders that were made before, so that who only asks need not import torch (two seconds).

<cache>/descriptions/<key>.json; the key holds all that a description is made of.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version

from pipeline.encoders.checkpoint import Checkpoint
from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.names import EncoderName
from pipeline.home import cache_folder, write_file
from pipeline.version import simile_version

__all__ = ["described_before"]

_LIBRARIES = ("torch", "torchvision", "timm", "transformers")


def described_before(
    name: EncoderName, checkpoint: Checkpoint, describe: Callable[[], EncoderDescription]
) -> EncoderDescription:
    """What `describe` says of a checkpoint, from the cache where it was asked before."""
    file = cache_folder() / "descriptions" / f"{_key(name, checkpoint)}.json"
    try:
        kept = EncoderDescription(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none, or damaged: it is made anew
        kept = describe()
        with suppress(OSError):  # a cache that cannot be written costs two seconds each time
            write_file(str(file), json.dumps(asdict(kept)).encode())
    return replace(kept, name=name.text)


def _version(library: str) -> str | None:
    """None: a light installation."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _key(name: EncoderName, checkpoint: Checkpoint) -> str:
    """Changes with the weights, with the files of settings beside them, and with the libraries."""
    settings = sorted(checkpoint.folder.glob("*.json"))
    facts = [
        simile_version(),
        [_version(library) for library in _LIBRARIES],
        str(name.pixels),
        checkpoint.layout,
        checkpoint.revision,
        checkpoint.licence,
        [[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in settings],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
