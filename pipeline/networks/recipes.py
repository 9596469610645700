"""A network of timm or transformers, built from plain JSON without its weights.

A recipe is such JSON; `pipeline.encoders.load_network` makes it of a pretrained network. A network that was
trained from a pretrained one is saved with it, so that it can be built again without that network's
checkpoint and without the Hub.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from pipeline.errors import SimileError
from pipeline.networks.pooling import TransformersEmbedding, embedding_of

__all__ = ["network_of"]

_NO_POOLER = ("vit", "deit")  # transformers would add one that no checkpoint trained


def network_of(recipe: Mapping[str, Any]) -> nn.Module:
    """(N, 3, H, W) -> (N, D), the embedding of its family; random weights.

    Raises:
        SimileError: the recipe names nothing that these versions of the libraries have.
    """
    try:
        return _of_timm(recipe) if recipe["library"] == "timm" else _of_transformers(recipe)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError) as error:
        raise SimileError(
            f"this network cannot be built again ({str(error).splitlines()[0]}); it was saved under other "
            "versions of timm or transformers, or its config.json was changed"
        ) from None


def _of_timm(recipe: Mapping[str, Any]) -> nn.Module:
    import timm

    card = dict(recipe["card"])
    if not timm.is_model(card["architecture"]):  # `hf-hub:` and `local-dir:` would be looked up elsewhere
        raise ValueError(f"timm has no model '{card['architecture']}'")
    # Arguments of the architecture are passed on; those of `create_model` itself, which name files to read
    # or write, are refused.
    if foreign := sorted(set(recipe["arguments"]) & set(inspect.signature(timm.create_model).parameters)):
        raise ValueError(f"'{foreign[0]}' is no part of an architecture")
    model = timm.create_model(
        card["architecture"], pretrained=False, pretrained_cfg=card, **recipe["arguments"]
    )
    return embedding_of(model)


def _of_transformers(recipe: Mapping[str, Any]) -> nn.Module:
    import transformers

    made = getattr(transformers, recipe["class"], None)
    if not (isinstance(made, type) and issubclass(made, transformers.PreTrainedModel)):
        raise ValueError(f"transformers has no model '{recipe['class']}'")
    config = dict(recipe["config"])
    kind = config.pop("model_type")
    options: dict[str, Any] = {"add_pooling_layer": False} if kind in _NO_POOLER else {}
    model = made(transformers.AutoConfig.for_model(kind, **config), **options)
    return TransformersEmbedding(model, interpolate=recipe["interpolate"])
