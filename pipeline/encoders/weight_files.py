"""Which files of a checkpoint hold its weights: safetensors in its own folder, and nothing else.

What libraries would read besides (pickled weights, adapters, code) is refused here, before they see the
folder. Headers are checked here too, so that a damaged file is a sentence and not a library's traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import SimileError
from pipeline.parsing import parse_json

__all__ = [
    "INDEX",
    "PICKLED",
    "WEIGHTS",
    "check_configuration",
    "check_tensors",
    "indexed_files",
    "without_safetensors",
]

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files
ADAPTER = "adapter_config.json"  # of PEFT
PICKLED = ("*.bin", "*.pth", "*.pt", "*.ckpt", "*.h5", "*.msgpack", "*.npz")
# Keys of a configuration by which transformers and timm would read other files, or leave weights at random.
_OTHER_WEIGHTS = ("transformers_weights",)
_OTHER_LOADING = ("features_only", "pruned", "checkpoint_path")


def indexed_files(where: str, text: str) -> list[str]:
    """The files that an index of weights names, sorted.

    Args:
        where: the checkpoint, for messages.
        text: of `INDEX`.

    Raises:
        SimileError: it is no index, or names anything but safetensors beside itself.
    """
    try:
        names = set(parse_json(text)["weight_map"].values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SimileError(
            f"the {INDEX} of {where} cannot be read ({_said(error)}); save the model again"
        ) from None
    for name in names:
        if not isinstance(name, str) or not _is_plain(name):
            raise SimileError(
                f"the {INDEX} of {where} names '{str(name)[:80]}'; only safetensors files beside it are "
                "read. Save the model again with model.save_pretrained(folder)"
            )
    return sorted(names)


def check_configuration(where: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose weights are not all in the files that its fingerprint is made of.

    Raises:
        SimileError: it has an adapter, or its config.json names other files of weights.
    """
    if (folder / ADAPTER).exists():
        raise SimileError(
            f"{where} holds an adapter ({ADAPTER}), which is not read; merge it into its model first: "
            "model.merge_and_unload().save_pretrained(folder)"
        )
    arguments = config.get("model_args")
    of_timm = arguments if isinstance(arguments, dict) else {}
    named = [key for key in _OTHER_WEIGHTS if key in config]
    named += [key for key in of_timm if key in _OTHER_LOADING or key.startswith("pretrained")]
    if named:
        raise SimileError(
            f"the config.json of {where} has the key '{named[0]}', which changes how weights are read; "
            "remove it, or save the model again"
        )


def check_tensors(file: Path) -> None:
    """Read the header of a safetensors file, and compare it with the file's length.

    Raises:
        SimileError: it is cut short, or its header does not describe it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise SimileError(
            f"'{file}' is not a whole safetensors file ({_said(error)}); copy or download it again"
        ) from None


def without_safetensors(where: str, pickled: list[str]) -> SimileError:
    """The error for a checkpoint that has no safetensors, with the pickled files that it has instead."""
    found = f"only {', '.join(pickled)}, which can run code when opened" if pickled else "no weights"
    return SimileError(
        f"{where} has no {WEIGHTS} ({found}); convert it once with its own library: "
        "model.save_pretrained(folder) in transformers, timm.models.save_for_hf(model, folder, "
        "safe_serialization=True) in timm"
    )


def _is_plain(name: str) -> bool:
    return name.endswith(".safetensors") and Path(name).name == name and "\\" not in name


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
