"""Find a network's configuration and safetensors: in a local folder, or at a commit on the Hub."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pipeline import hub
from pipeline.encoders.names import EncoderName
from pipeline.errors import SimileError

__all__ = [
    "PREPROCESSING",
    "PROVENANCE",
    "SIMILE",
    "VOLATILE",
    "WEIGHTS",
    "Checkpoint",
    "find_folder",
    "find_on_hub",
]

WEIGHTS = "model.safetensors"
SIMILE = "simile"  # `model_type` of networks that ray_jobs/train.py wrote
INDEX = "model.safetensors.index.json"  # of weights in several files
PICKLED = ("*.bin", "*.pth", "*.pt", "*.ckpt", "*.h5", "*.msgpack", "*.npz")
PROVENANCE = "provenance"  # key of networks of ray_jobs/train.py; see pipeline/training/provenance.py
# Keys of a configuration that do not change the vectors, and are left out of the fingerprint.
VOLATILE = {
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "dtype",
    "torch_dtype",
    "transformers_version",
    PROVENANCE,
}
PREPROCESSING = ("preprocessor_config.json", "processor_config.json")  # one of them, of transformers


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was found; `download` fetches the files that are still missing."""

    folder: Path
    config: dict[str, Any]
    revision: str
    licence: str | None
    repo: str | None = None  # None: local

    @property
    def layout(self) -> Literal["timm", "transformers", "simile"]:
        if self.config.get("model_type") == SIMILE:
            return "simile"
        return "timm" if "architecture" in self.config else "transformers"

    def download(self, name: EncoderName) -> Path:
        """The folder, with the weights in it.

        Raises:
            SimileError: the Hub cannot be reached or does not give them.
        """
        if self.repo is not None:
            with hub.explained(name.text, self.repo, "model", name.revision):
                for file in _weight_files(self.repo, self.revision, self.layout == "transformers"):
                    hub.fetch(self.repo, file, self.revision)
        return self.folder


def find_folder(name: EncoderName) -> Checkpoint:
    """The checkpoint in the local folder `name.place`; its revision is the hash of weights and configuration.

    Raises:
        SimileError: no configuration, or no safetensors.
    """
    folder = Path(name.place)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SimileError(
            f"'{folder}' has no config.json; expected what save_pretrained (transformers) or save_for_hf "
            "(timm) write"
        ) from None
    except ValueError as error:
        raise SimileError(f"'{folder}/config.json' is not JSON: {error}; save the model again") from None
    _check_layout(name, config)
    files, index = [WEIGHTS], folder / INDEX
    if index.is_file() and "architecture" not in config:  # timm reads one file
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    for file in files:
        if not (folder / file).is_file():
            raise _no_safetensors(
                str(folder), [p.name for kind in PICKLED for p in sorted(folder.glob(kind))]
            )
    parts = [_hash_file(folder / file, *_stamp(folder / file)) for file in files]
    kept = {key: value for key, value in config.items() if key not in VOLATILE}
    digest = hashlib.sha256(json.dumps([parts, kept], sort_keys=True).encode()).hexdigest()
    return Checkpoint(folder, config, f"sha256:{digest}", _licence(folder, config))


def find_on_hub(name: EncoderName, repo: str) -> Checkpoint:
    """The checkpoint `repo` on the Hub or in its cache: configuration fetched, weights only looked for.

    Raises:
        SimileError: the Hub cannot be reached and the cache has nothing, no such repository, no safetensors.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with hub.explained(name.text, repo, "model", name.revision):
        path = hub.fetch(repo, "config.json", name.revision)
        config = json.loads(path.read_text(encoding="utf-8"))
        commit = path.parent.name  # …/snapshots/<commit>/config.json
        _check_layout(name, config)
        for file in ("README.md", *(PREPROCESSING if "architecture" not in config else ())):
            try:
                hub.fetch(repo, file, commit)
            except LocalEntryNotFoundError:
                continue  # offline; the code that needs the file reports it
            except EntryNotFoundError:
                continue  # the repository has none
        _weight_files(repo, commit, sharded="architecture" not in config)
    return Checkpoint(path.parent, config, commit, _licence(path.parent, config), repo)


def _check_layout(name: EncoderName, config: Any) -> None:
    if not isinstance(config, dict) or not {"architecture", "model_type"} & set(config):
        raise SimileError(
            f"the config.json of '{name.text}' names neither 'model_type' (transformers) nor 'architecture' "
            "(timm); is it an image model of one of these?"
        )


def _weight_files(repo: str, commit: str, sharded: bool) -> list[str]:
    """Names of the safetensors files in `repo`, all of which are in the cache or can be downloaded."""
    if hub.exists(repo, WEIGHTS, commit):
        return [WEIGHTS]
    if sharded and hub.exists(repo, INDEX, commit):
        index = json.loads(hub.fetch(repo, INDEX, commit).read_text(encoding="utf-8"))
        return sorted(set(index["weight_map"].values()))
    raise _no_safetensors(f"{repo} on the Hub", [])


def _no_safetensors(where: str, pickled: list[str]) -> SimileError:
    found = f"only {', '.join(pickled)}, which can run code when opened" if pickled else "no weights"
    return SimileError(
        f"{where} has no {WEIGHTS} ({found}); convert it once with its own library: "
        "model.save_pretrained(folder) in transformers, timm.models.save_for_hf(model, folder, "
        "safe_serialization=True) in timm"
    )


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _hash_file(path: Path, size: int, mtime: int) -> str:
    """sha256 of a file; its size and time are part of the cache's key, so a changed file is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _licence(folder: Path, config: dict[str, Any]) -> str | None:
    """From the model card, or else what timm notes in the configuration."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    stated: Any = None
    with suppress(OSError, ValueError, YAMLError):  # no card, or a README without its front matter
        stated = ModelCard.load(folder / "README.md").data.to_dict().get("license")
    stated = stated or config.get("pretrained_cfg", {}).get("license") or config.get("license")
    return ", ".join(map(str, stated)) if isinstance(stated, list) else stated
