"""A network of timm or transformers as plain JSON, without its weights.

What is trained from a pretrained network is saved with its recipe, and needs neither the first checkpoint nor
the Hub to be built again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from torch import nn

from pipeline.encoders import timm_models, transformers_models
from pipeline.encoders.checkpoint import VOLATILE
from pipeline.errors import SimileError

__all__ = ["network_of", "recipe_of"]

# Of timm's card, what has a say in how the network is built.
_CARD = ("architecture", "tag", "num_classes", "input_size", "fixed_input_size", "pool_size", "classifier")
_NO_POOLER = ("vit", "deit")  # transformers would add one that no checkpoint trained


def recipe_of(network: Any, config: Mapping[str, Any], pixels: int | None) -> dict[str, Any]:
    """What `network_of` builds the same architecture from.

    Args:
        network: as the family modules load it.
        config: the checkpoint's config.json; empty where there is none.
        pixels: side of the images that it was loaded for; None: its own.

    Raises:
        SimileError: it is of neither library.
    """
    if isinstance(network, timm_models.PooledFeatures | timm_models.ProjectedFeatures):
        card = network.model.pretrained_cfg
        arguments = dict(config.get("model_args") or {})
        if pixels and card.get("fixed_input_size"):
            arguments["img_size"] = pixels
        found: dict[str, Any] = {"library": "timm", "arguments": arguments}
        found["card"] = {key: card[key] for key in _CARD if card.get(key) is not None}
    elif isinstance(network, transformers_models.Embedding):
        model = network.model
        kept = json.loads(model.config.to_json_string(use_diff=False))
        unused = VOLATILE | {"auto_map"}
        found = {"library": "transformers", "class": type(model).__name__}
        found["config"] = {key: value for key, value in kept.items() if key not in unused}
        found["interpolate"] = bool(network.options)
    else:
        raise SimileError("only networks of timm and transformers can be trained on as they are")
    return json.loads(json.dumps(found))


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
    # What a model is built with goes through; what timm would read or write on the way to it does not.
    if foreign := sorted(set(recipe["arguments"]) & set(inspect.signature(timm.create_model).parameters)):
        raise ValueError(f"'{foreign[0]}' is no part of an architecture")
    model = timm.create_model(
        card["architecture"], pretrained=False, pretrained_cfg=card, **recipe["arguments"]
    )
    return timm_models.embedding_of(model)


def _of_transformers(recipe: Mapping[str, Any]) -> nn.Module:
    import transformers

    made = getattr(transformers, recipe["class"], None)
    if not (isinstance(made, type) and issubclass(made, transformers.PreTrainedModel)):
        raise ValueError(f"transformers has no model '{recipe['class']}'")
    config = dict(recipe["config"])
    kind = config.pop("model_type")
    options: dict[str, Any] = {"add_pooling_layer": False} if kind in _NO_POOLER else {}
    model = made(transformers.AutoConfig.for_model(kind, **config), **options)
    return transformers_models.Embedding(model, interpolate=recipe["interpolate"])
