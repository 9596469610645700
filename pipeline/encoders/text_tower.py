"""The text half of CLIP (Radford et al., 2021) and SigLIP (Zhai et al., 2023): words -> vectors among images.

It is loaded with the first words that are asked for: index jobs, and searches by picture, never need it.
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
# Either of these makes a tokenizer; the others say how it is set up.
TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")


class TextTower:
    """Texts -> (N, D) float32, the projected text embedding (`get_text_features`), not normalised.

    CLIP pads to the longest text and is told which tokens are padding; SigLIP was trained on texts padded to
    their full length, and reads the padding.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.length = model.config.max_position_embeddings  # tokens; what is longer is cut off
        self.pads_fully = model.config.model_type == "siglip_text_model"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        tokens = self.tokenizer(
            list(texts),
            padding="max_length" if self.pads_fully else True,
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )
        with torch.inference_mode():
            if self.pads_fully:
                return self.model(input_ids=tokens["input_ids"]).pooler_output.float().numpy()
            output = self.model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            return output.text_embeds.float().numpy()


def has_text_tower(checkpoint: Checkpoint) -> bool:
    """A whole CLIP or SigLIP, with a tokenizer; on the Hub they always have one."""
    if checkpoint.config.get("model_type") not in TEXT_HALF:
        return False
    if "CLIPVisionModelWithProjection" in (checkpoint.config.get("architectures") or ()):
        return False
    return checkpoint.repo is not None or any((checkpoint.folder / file).is_file() for file in TOKENIZERS)


def load_text_tower(name: EncoderName, checkpoint: Checkpoint) -> TextTower:
    """Its weights come from the file that also holds those of the images.

    Raises:
        SimileError: the tokenizer cannot be had or read, or tensors are missing.
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
            if config.model_type == "clip":  # said once, and not where its half looks
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
            # A repository has some of them; offline, the tokenizer says what it lacks.
            with suppress(EntryNotFoundError, LocalEntryNotFoundError):
                hub.fetch(repo, file, commit)
