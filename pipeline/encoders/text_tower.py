"""The text half of CLIP (Radford et al., 2021) and SigLIP (Zhai et al., 2023): words -> vectors among images.

It is loaded when words are first searched for: index jobs and searches by picture never need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from pipeline import hub
from pipeline.encoders.checkpoint import Checkpoint
from pipeline.encoders.names import EncoderName
from pipeline.encoders.preprocessing import quiet
from pipeline.errors import SimileError

__all__ = ["TextTower", "has_text_tower", "load_text_tower"]

TEXT_HALF = {"clip": "CLIPTextModelWithProjection", "siglip": "SiglipTextModel"}
# One of TOKENIZERS is needed; the settings beside it are optional.
TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")


class TextTower:
    """Texts -> (N, D) float32, the projected text embedding (`get_text_features`), not normalised.

    For CLIP, texts are padded to the longest one, and a mask marks the padding. SigLIP was trained on texts
    padded to the full length and without a mask.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.length = model.config.max_position_embeddings  # tokens; longer texts are cut off
        self.pads_fully = model.config.model_type == "siglip_text_model"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        tokens = self.tokenizer(
            list(texts),
            padding="max_length" if self.pads_fully else True,
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )
        found: torch.Tensor
        with torch.inference_mode():
            if self.pads_fully:
                found = self.model(input_ids=tokens["input_ids"]).pooler_output
            else:
                output = self.model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
                found = output.text_embeds
            return found.float().numpy()


def has_text_tower(checkpoint: Checkpoint) -> bool:
    """Whether this is a whole CLIP or SigLIP with a tokenizer; those on the Hub always have one."""
    if checkpoint.config.get("model_type") not in TEXT_HALF:
        return False
    if "CLIPVisionModelWithProjection" in (checkpoint.config.get("architectures") or ()):
        return False
    return checkpoint.repo is not None or any((checkpoint.folder / file).is_file() for file in TOKENIZERS)


def load_text_tower(name: EncoderName, checkpoint: Checkpoint) -> TextTower:
    """The text half, from the checkpoint that also holds the image half.

    Raises:
        SimileError: the tokenizer cannot be found or read, or tensors are missing.
    """
    import transformers

    folder = checkpoint.download(name)
    if checkpoint.repo is not None:
        _fetch_tokenizer(name, checkpoint.repo, checkpoint.revision)
    try:
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
            config = transformers.AutoConfig.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
            if config.model_type == "clip":  # the file states it once; the text half reads its own part only
                config.text_config.projection_dim = config.projection_dim
            model, report = getattr(transformers, TEXT_HALF[config.model_type]).from_pretrained(
                folder,
                config=config.text_config,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (RuntimeError, ValueError, OSError, TypeError, KeyError, ImportError) as error:
        raise SimileError(
            f"the text half of '{name.text}' cannot be loaded: {str(error).strip().splitlines()[0]}"
        ) from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise SimileError(
            f"the weights of '{name.text}' lack {len(missing)} tensors of its text half ({missing[0]}, …); "
            "is the file complete?"
        )
    return TextTower(model, tokenizer)


def _fetch_tokenizer(name: EncoderName, repo: str, commit: str) -> None:
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with hub.explained(name.text, repo, "model", name.revision):
        for file in (*TOKENIZERS, *TOKENIZER_SETTINGS):
            # No repository has all of them. If one that is needed is missing, loading the tokenizer fails.
            with suppress(EntryNotFoundError, LocalEntryNotFoundError):
                hub.fetch(repo, file, commit)
