"""Parameter groups and the rate of each step."""

from collections.abc import Iterable

import torch
from torch import nn

from pipeline.networks import Embedder
from pipeline.training.config import OptimizerConfig

__all__ = ["make_optimizer", "rate_at"]


def make_optimizer(
    network: Embedder, proxies: Iterable[nn.Parameter], config: OptimizerConfig
) -> torch.optim.Optimizer:
    """An optimizer with three groups: backbone, norm biases, and heads with proxies of losses.

    The effect of SGD's weight decay grows with the rate, so norm biases whose rate is scaled have none.
    """
    norms = {
        id(module.bias)
        for module in network.backbone.modules()
        if isinstance(module, nn.BatchNorm2d) and module.bias is not None
    }
    backbone = [p for p in network.backbone.parameters() if p.requires_grad]
    inside = {id(p) for p in network.backbone.parameters()}
    heads = [p for p in network.parameters() if id(p) not in inside and p.requires_grad] + list(proxies)
    scaled = config.norm_bias_scale != 1
    groups = [
        {"params": [p for p in backbone if id(p) not in norms], "scale": 1.0},
        {
            "params": [p for p in backbone if id(p) in norms],
            "scale": config.norm_bias_scale,
            "weight_decay": 0.0 if scaled else config.weight_decay,
        },
        {"params": heads, "scale": config.head_scale},
    ]
    groups = [group for group in groups if group["params"]]
    if config.kind == "adamw":
        return torch.optim.AdamW(groups, lr=config.rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        groups,
        lr=config.rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        weight_decay=config.weight_decay,
    )


def rate_at(step: int, steps: int, config: OptimizerConfig) -> float:
    """The rate of step 0 … steps − 1: a triangle with its top after `warmup` of all steps.

    >>> rate_at(5, 10, OptimizerConfig(rate=1.0, warmup=0.5))
    1.0
    """
    top = config.warmup * steps
    done = min(1.0, (step + 1) / (top + 1)) if step < top else (steps - step) / (steps - top)
    return config.rate * done
