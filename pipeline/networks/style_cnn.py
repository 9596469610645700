"""Statistics of every stage of a pretrained CNN: they describe the style of a picture.

The statistics of early feature maps over all places describe a picture's stroke, grain and palette
(Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016). Means and
deviations of channels say much of it (Huang and Belongie, "Arbitrary style transfer in real-time with
adaptive instance normalization", ICCV 2017), and which channels go together says more. Of correlations the
square root of the matrix is taken, so that a few strong ones do not drown the others (Li et al., "Is
second-order information helpful for large-scale visual recognition?", ICCV 2017). Classifiers use the last
map alone, which tells what is shown.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.errors import SimileError

__all__ = ["StyleCnn", "random_efficientnet"]

_TINY = 1e-5  # added to variances, as a constant channel would be divided by 0
_ROOT_STEPS = 5  # of Newton and Schulz; Li et al. (2018) found no gain by more
_PROBE = 64  # pixels; side of an image that is passed through to count channels


class StyleCnn(nn.Module):
    """(N, 3, H, W) -> (N, F): statistics over places of the chosen maps, standardised.

    They are mean and deviation of each channel, in the order of the maps; then, of the maps that are chosen
    for it, the square root of the matrix of correlations between channels, its upper triangle. F is their
    number: 2 C for each map of C channels, and C (C + 1) / 2 more where it has correlations. Each is centred,
    divided by its deviation over the training images, and by √(statistics of its kind and map), so that all
    have the same weight.
    """

    roots: Any  # a ModuleList of `_CorrelationRoot`, whose methods type checkers do not see
    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        architecture: str = "tf_efficientnet_lite0",
        maps: Sequence[int] = (2, 3, 4, 5, 6, 7, 8),
        correlations: Sequence[int] = (),
    ) -> None:
        """
        Args:
            architecture: one of timm's EfficientNets.
            maps: 0 is the stem's, 1 to 7 those of the stages, 8 the head's. Layers after the last chosen map
                are not built.
            correlations: those of `maps` whose channels are correlated as well.

        Raises:
            SimileError: another architecture, or no such map.
        """
        super().__init__()
        self.architecture, self.maps, self.correlations = architecture, tuple(maps), tuple(correlations)
        model = random_efficientnet(architecture)
        if model is None:
            raise SimileError(f"'{architecture}' is not one of timm's EfficientNets")
        steps = _steps(model)
        if not maps or sorted(set(maps)) != list(maps) or maps[0] < 0 or maps[-1] >= len(steps):
            raise SimileError(f"maps {list(maps)} are not ascending numbers from 0 to {len(steps) - 1}")
        if not set(correlations) <= set(maps):
            raise SimileError(f"correlations {list(correlations)} are not all among the maps {list(maps)}")
        self.steps = nn.Sequential(*steps[: maps[-1] + 1])
        with torch.no_grad():  # in evaluation mode, so that the probe does not enter the statistics of norms
            found = self.eval().maps_of(torch.zeros(1, 3, _PROBE, _PROBE))
        self.train()
        channels = {number: one.shape[1] for number, one in zip(self.maps, found, strict=True)}
        self.widths = [2 * count for count in channels.values()]
        self.roots = nn.ModuleList(_CorrelationRoot(channels[at]) for at in self.correlations)
        self.widths += [len(root.upper) for root in self.roots]
        self.features = sum(self.widths)
        self.register_buffer("centre", torch.zeros(self.features))
        self.register_buffer("scale", self._shares())

    def load_pretrained(self, model: nn.Module) -> None:
        """Take the stages of timm's model of the same architecture.

        Raises:
            AttributeError, RuntimeError: it has no such stages, or they do not fit.
        """
        steps = nn.Sequential(*_steps(model)[: len(self.steps)])
        self.steps.load_state_dict(steps.state_dict())

    @torch.no_grad()
    def standardise(self, features: torch.Tensor) -> torch.Tensor:
        """Set `centre` and `scale` from the statistics of training images.

        Args:
            features: (N, F) output of `forward` for the training images, N ≥ 2.

        Returns:
            (N, F): what `forward` gives for the same images from now on.
        """
        raw = features / self.scale + self.centre
        self.centre.copy_(raw.mean(0))
        self.scale.copy_(self._shares().to(raw) / raw.std(0).clamp(min=_TINY))
        return (raw - self.centre) * self.scale

    def _shares(self) -> torch.Tensor:
        return torch.cat([torch.full((width,), width**-0.5) for width in self.widths])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.of_maps(self.maps_of(images))

    def of_maps(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """`forward`, from the chosen maps of the images."""
        statistics = [part.flatten(1) for one in maps for part in _statistics(one.float())]
        for at, root in zip(self.correlations, self.roots, strict=True):
            statistics.append(root(maps[self.maps.index(at)].float()))
        return (torch.cat(statistics, 1) - self.centre) * self.scale

    def spatial(self, images: torch.Tensor) -> torch.Tensor:
        """(N, h, w, F) on the grid of the last map: the share of each place; the mean is `forward`.

        The share of a place in a mean is its value x. A deviation σ is the mean over places of
        ((x − mean)² + tiny) / σ, which is the share of a place in it. The root S of the correlations is the
        mean over places of (S⁻¹ z zᵀ + z zᵀ S⁻¹) / 2, z the standardised channels of a place. Larger maps are
        averaged over the cells of the grid. For images whose sides are no multiples of 32 px the cells differ
        in size; then, and where S⁻¹ is not exact, the difference to the true mean is added to all places
        alike.
        """
        maps = [one.float() for one in self.maps_of(images)]
        places, whole = [], []
        rows, columns = maps[-1].shape[2:]
        for one in maps:
            mean, deviation = _statistics(one)
            shares = ((one - mean).square() + _TINY) / deviation
            places += [F.adaptive_avg_pool2d(part, (rows, columns)) for part in (one, shares)]
            whole += [mean, deviation]
        for at, root in zip(self.correlations, self.roots, strict=True):
            shares, every = root.spatial(maps[self.maps.index(at)], rows, columns)
            places.append(shares)
            whole.append(every[:, :, None, None])
        grid, missing = torch.cat(places, 1), torch.cat(whole, 1)
        missing = missing - grid.mean((2, 3), keepdim=True)
        return ((grid + missing).permute(0, 2, 3, 1) - self.centre) * self.scale

    def maps_of(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The chosen maps, (N, C, h, w) each."""
        found = []
        for number, step in enumerate(self.steps):
            images = step(images)
            if number in self.maps:
                found.append(images)
        return found


def _statistics(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, C, H, W) -> mean and deviation over places, (N, C, 1, 1) each."""
    mean = features.mean((2, 3), keepdim=True)
    variance = (features - mean).square().mean((2, 3), keepdim=True)
    return mean, (variance + _TINY).sqrt()


class _CorrelationRoot(nn.Module):
    """(N, C, H, W) -> (N, C (C + 1) / 2): upper triangle of the root of the correlations between channels.

    The square root of the symmetric matrix is found by Newton and Schulz's iteration. It is multiplications
    only, as Li et al. ("Towards faster training of global covariance pooling networks", CVPR 2018) have it:
    decompositions are slow on a GPU and missing in ONNX.
    """

    upper: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row, column = torch.triu_indices(channels, channels)
        self.register_buffer("upper", (row * channels + column).int(), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self._upper(self.root(correlations(features))[0])

    def spatial(self, features: torch.Tensor, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, C (C + 1) / 2, rows, columns), the share of each cell of a grid, and `forward`."""
        each = _standardised(features)
        root, one, rest = self.root(correlations(features))
        products = (each[:, :, None] * each[:, None]).flatten(1, 2)
        cells = F.adaptive_avg_pool2d(products, (rows, columns)).unflatten(1, each.shape[1:2] * 2)
        halves = (one * cells + torch.einsum("nab,nbcyx->nacyx", rest, cells)) / 2
        return self._upper(halves + halves.transpose(1, 2)), self._upper(root)

    def root(self, matrices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Square roots of symmetric matrices (N, C, C), and their inverses.

        After so few steps the smallest eigenvalues are not there yet, and the inverse is that of the others
        only.

        Returns:
            the root; factors (N, 1, 1, 1, 1) and matrices (N, C, C): the inverse is factor · 1 + matrix. So
            no file has to hold a matrix that is 1.
        """
        size = matrices.diagonal(dim1=1, dim2=2).sum(1)[:, None, None].clamp(min=_TINY)  # of all eigenvalues
        root, one, rest = matrices / size, 1.0, torch.zeros_like(matrices)
        for _ in range(_ROOT_STEPS):
            product = one * root + rest @ root
            root = 1.5 * root - 0.5 * root @ product
            rest = 1.5 * rest - 0.5 * (one * product + product @ rest)
            one *= 1.5
        return root * size.sqrt(), one / size.sqrt()[..., None, None], rest / size.sqrt()

    def _upper(self, matrices: torch.Tensor) -> torch.Tensor:
        """(N, C, C, …) -> (N, C (C + 1) / 2, …): rows of the upper triangle, the diagonal included."""
        return matrices.flatten(1, 2).index_select(1, self.upper)


def _standardised(features: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> the same shape: each channel with mean 0 and variance 1, at most, over places."""
    mean, deviation = _statistics(features)
    return (features - mean) / deviation


def correlations(features: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, C): correlations between channels, over places."""
    channels = _standardised(features).flatten(2)
    return channels @ channels.transpose(1, 2) / channels.shape[2]


def random_efficientnet(architecture: str) -> nn.Module | None:
    """One of timm's EfficientNets with random weights; None if timm has none of that name."""
    import timm

    if not timm.is_model(architecture):
        return None
    model: nn.Module = timm.create_model(architecture, pretrained=False, num_classes=0)
    return model if hasattr(model, "blocks") and hasattr(model, "conv_stem") else None


def _steps(model: Any) -> list[nn.Module]:
    """Stem, stages and head; each makes the next map from the last one."""
    stem = nn.Sequential(model.conv_stem, model.bn1)
    return [stem, *model.blocks, nn.Sequential(model.conv_head, model.bn2)]
