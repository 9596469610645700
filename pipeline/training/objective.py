"""The losses of a configuration as one function of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.errors import SimileError
from pipeline.networks import Outputs
from pipeline.training.config import LossConfig, TrainingConfig
from pipeline.training.losses import distillation, dsh, orthohash, target_codes

__all__ = ["Objective"]


class Objective(nn.Module):
    """Outputs, labels (N, columns) and the teacher's outputs -> weighted sum of the losses, and each loss.

    The single losses, by name, are not weighted.
    """

    def __init__(self, config: TrainingConfig, classes: Mapping[str, int]) -> None:
        """
        Args:
            classes: label column -> number of classes.
        """
        super().__init__()
        self.terms = config.losses
        self.columns = config.data.labels
        first = classes[self.columns[0]]
        if config.network.code_bits:
            self.register_buffer("targets", target_codes(first, config.network.code_bits))
        self.metric = nn.ModuleList(
            _metric_loss(term, classes[term.column or self.columns[0]], config)
            for term in self.terms
            if term.kind == "metric"
        )

    @torch.no_grad()
    def begin(self, embedding: torch.Tensor, labels: torch.Tensor) -> None:
        """Start proxies at the mean directions of their classes.

        Args:
            embedding: (N, dimension) of training images.
            labels: (N, columns) int64.
        """
        directions = F.normalize(embedding.float(), dim=1)
        terms = [term for term in self.terms if term.kind == "metric"]
        for term, loss in zip(terms, self.metric, strict=True):
            proxies: Any = getattr(loss, "W", None)
            if proxies is None:
                continue
            own = labels[:, self.columns.index(term.column or self.columns[0])]
            sums = torch.zeros_like(proxies.T).index_add_(0, own, directions)
            seen = sums.norm(dim=1) > 0  # proxies of classes without a training image stay random
            proxies.T[seen] = F.normalize(sums[seen], dim=1)

    def forward(
        self, outputs: Outputs, labels: torch.Tensor, teacher: Outputs | None = None
    ) -> tuple[torch.Tensor, dict[str, float]]:
        total = outputs.embedding.new_zeros(())
        parts: dict[str, float] = {}
        metric = iter(self.metric)
        for term in self.terms:
            column = term.column or self.columns[0]
            own = labels[:, self.columns.index(column)]
            if term.kind == "metric":
                value = next(metric)(outputs.embedding.float(), own)
            else:
                value = self._term(term, column, outputs, own, teacher)
            total = total + term.weight * value
            name = f"{term.options.get('name', term.kind)} {column}" if term.column else term.kind
            parts[name] = value.item()
        return total, parts

    def _term(
        self, term: LossConfig, column: str, outputs: Outputs, labels: torch.Tensor, teacher: Outputs | None
    ) -> torch.Tensor:
        if term.kind == "classes":
            smoothing = term.options.get("label_smoothing", 0.0)
            return F.cross_entropy(outputs.classes[column].float(), labels, label_smoothing=smoothing)
        if term.kind == "teacher":
            assert teacher is not None  # the configuration names one
            return _imitation(outputs, teacher, **term.options)
        assert outputs.code is not None  # checked by the configuration
        code = outputs.code.float()
        if term.kind == "dsh":
            return dsh(code, labels, **term.options)
        return orthohash(code, labels, self.targets, **term.options)  # type: ignore[arg-type]


def _imitation(
    outputs: Outputs, teacher: Outputs, temperature: float = 2.0, columns: Sequence[str] | None = None
) -> torch.Tensor:
    """Classes (KL), and embedding and hash logits (1 − cosine) where both networks have the same width."""
    shared = [c for c in (columns or outputs.classes) if c in teacher.classes]
    terms = [
        distillation(outputs.classes[c].float(), teacher.classes[c].float(), temperature) for c in shared
    ]
    pairs = [(outputs.embedding, teacher.embedding)]
    if outputs.code is not None and teacher.code is not None:
        pairs.append((outputs.code, teacher.code))
    terms += [
        1 - F.cosine_similarity(mine.float(), other.float()).mean()
        for mine, other in pairs
        if mine.shape == other.shape
    ]
    if not terms:
        raise SimileError("teacher and student share neither classes nor the width of an output")
    return torch.stack(terms).sum()


def _metric_loss(term: LossConfig, classes: int, config: TrainingConfig) -> nn.Module:
    """A loss of pytorch-metric-learning (Musgrave, Belongie and Lim, 2020), with proxies if it has them."""
    import inspect

    from pytorch_metric_learning import losses

    options = dict(term.options)
    name = options.pop("name", "MultiSimilarityLoss")
    kind = getattr(losses, name, None)
    if kind is None:
        raise SimileError(f"pytorch-metric-learning has no loss '{name}'")
    asked = {key for part in kind.__mro__ for key in inspect.signature(part.__init__).parameters}
    if "num_classes" in asked:  # proxies: learnt centres of classes
        if not config.network.width:
            raise SimileError(f"loss '{name}' needs network.dimension")
        options |= {"num_classes": classes, "embedding_size": config.network.width}
    loss: nn.Module = kind(**options)
    return loss
