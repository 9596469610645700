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
from pipeline.encoders.weight_files import (
    INDEX,
    PICKLED,
    WEIGHTS,
    check_configuration,
    check_tensors,
    indexed_files,
    without_safetensors,
)
from pipeline.errors import SimileError
from pipeline.parsing import parse_json

__all__ = [
    "PREPROCESSING",
    "PROVENANCE",
    "SIMILE",
    "VOLATILE",
    "Checkpoint",
    "find_folder",
    "find_on_hub",
]

SIMILE = "simile"  # `model_type` of networks that ray_jobs/train.py wrote
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
            SimileError: the Hub cannot be reached or does not give them, or they are damaged.
        """
        if self.repo is not None:
            with hub.explained(name.text, self.repo, "model", name.revision):
                files = _weight_files(self.repo, self.revision, self.layout == "transformers")
                paths = [hub.fetch(self.repo, file, self.revision) for file in files]
            for path in paths:
                check_tensors(path)
        return self.folder


def find_folder(name: EncoderName) -> Checkpoint:
    """The checkpoint in the local folder `name.place`; its revision is the hash of weights and configuration.

    Raises:
        SimileError: no configuration, no safetensors, damaged ones, or other weights beside them.
    """
    folder = Path(name.place)
    try:
        config = parse_json((folder / "config.json").read_bytes())
    except FileNotFoundError:
        raise SimileError(
            f"'{folder}' has no config.json; expected what save_pretrained (transformers) or save_for_hf "
            "(timm) write"
        ) from None
    except ValueError as error:
        raise SimileError(f"'{folder}/config.json' is not JSON: {error}; save the model again") from None
    _check_layout(name, config)
    check_configuration(f"'{folder}'", folder, config)
    files, index = [WEIGHTS], folder / INDEX
    # as the libraries choose: only transformers reads several files, and only where there is not one
    in_one_file = (folder / WEIGHTS).is_file() or "architecture" in config or config["model_type"] == SIMILE
    if index.is_file() and not in_one_file:
        files = indexed_files(f"'{folder}'", index.read_text(encoding="utf-8", errors="replace"))
    for file in files:
        if not (folder / file).is_file():
            raise without_safetensors(
                str(folder), [p.name for kind in PICKLED for p in sorted(folder.glob(kind))]
            )
        check_tensors(folder / file)
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
        config = _config_of_hub(name, path)
        commit = path.parent.name  # …/snapshots/<commit>/config.json
        _check_layout(name, config)
        check_configuration(f"'{name.text}'", path.parent, config)
        for file in ("README.md", *(PREPROCESSING if "architecture" not in config else ())):
            try:
                hub.fetch(repo, file, commit)
            except LocalEntryNotFoundError:
                continue  # offline; the code that needs the file reports it
            except EntryNotFoundError:
                continue  # the repository has none
        _weight_files(repo, commit, sharded="architecture" not in config)
    return Checkpoint(path.parent, config, commit, _licence(path.parent, config), repo)


def _config_of_hub(name: EncoderName, path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise SimileError(f"the config.json of '{name.text}' is not JSON: {error}") from None


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
        text = hub.fetch(repo, INDEX, commit).read_text(encoding="utf-8", errors="replace")
        return indexed_files(f"{repo} on the Hub", text)
    raise without_safetensors(f"{repo} on the Hub", [])


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
    # no card, a README without its front matter, or one that is no YAML that Python can follow
    with suppress(OSError, ValueError, YAMLError, RecursionError):
        stated = ModelCard.load(folder / "README.md").data.to_dict().get("license")
    card = config.get("pretrained_cfg")
    stated = stated or (card if isinstance(card, dict) else {}).get("license") or config.get("license")
    return ", ".join(map(str, stated)) if isinstance(stated, list) else stated
