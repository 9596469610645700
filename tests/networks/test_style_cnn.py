"""Style statistics: by hand, standardised, shared out among places, and where an embedding starts."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from pipeline.errors import SimileError
from pipeline.networks import RawOutput, build_network
from pipeline.networks.style_cnn import StyleCnn, _CorrelationRoot, _statistics, correlations
from pipeline.training.first_embedding import discriminant, whitened

RANDOM = torch.Generator().manual_seed(3)
IMAGES = torch.rand(6, 3, 64, 64, generator=RANDOM)


@pytest.fixture(scope="module")
def network() -> StyleCnn:
    torch.manual_seed(0)
    return StyleCnn("tf_efficientnet_lite0", [2, 4, 5]).eval()


def test_mean_and_deviation_by_hand() -> None:
    mean, deviation = _statistics(torch.tensor([[1.0, 3.0], [1.0, 3.0]]).view(1, 1, 2, 2))
    assert mean.item() == 2.0
    assert deviation.item() == pytest.approx(1.0, abs=1e-4)


def test_features_are_those_of_the_chosen_maps_and_later_layers_are_left_out(network: StyleCnn) -> None:
    channels = [24, 80, 112]  # of Lite0 after stages 2, 4 and 5
    assert network.widths == [2 * c for c in channels]
    assert network(IMAGES).shape == (6, 2 * sum(channels))
    assert len(network.steps) == 6
    with torch.no_grad():
        first = network.steps[:3](IMAGES)
        expected = torch.cat([first.mean((2, 3)), first.std((2, 3), correction=0)], 1) / 48**0.5
        torch.testing.assert_close(network(IMAGES)[:, :48], expected, rtol=1e-3, atol=1e-3)


def test_every_map_has_the_same_say_after_standardising(network: StyleCnn) -> None:
    with torch.no_grad():
        changed = network.standardise(network(IMAGES))
        torch.testing.assert_close(network(IMAGES), changed, rtol=1e-3, atol=1e-3)
        again = network.standardise(changed)
    torch.testing.assert_close(again, changed, rtol=1e-3, atol=1e-3)
    for part in changed.split(network.widths, 1):
        assert part.mean(0).abs().max() < 1e-4
        assert part.var(0).sum().item() == pytest.approx(1.0, abs=0.01)


def test_correlations_by_hand() -> None:
    """Two channels that are equal, and one that has nothing to do with them."""
    values = torch.tensor([[1.0, -1.0, 1.0, -1.0], [2.0, -2.0, 2.0, -2.0], [1.0, 1.0, -1.0, -1.0]])
    found = correlations(values.view(1, 3, 2, 2))
    expected = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-4)
    assert _CorrelationRoot(3)._upper(found)[0].tolist() == pytest.approx([1, 1, 0, 1, 0, 1], abs=1e-4)


def test_a_root_times_itself_is_the_matrix() -> None:
    values = torch.randn(2, 4, 50, generator=RANDOM)
    matrices = values @ values.transpose(1, 2) / 50
    root, one, rest = _CorrelationRoot(4).root(matrices)
    inverse = one[..., 0, 0] * torch.eye(4) + rest
    torch.testing.assert_close(root @ root, matrices, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(root @ inverse, torch.eye(4).expand(2, 4, 4), rtol=1e-2, atol=2e-2)
    assert _CorrelationRoot(3).root(torch.zeros(1, 3, 3))[0].abs().max() < 1e-2  # of constant channels


def test_correlations_come_after_means_and_deviations() -> None:
    torch.manual_seed(0)
    network = StyleCnn("tf_efficientnet_lite0", [2, 4], correlations=[4]).eval()
    assert network.widths == [48, 160, 80 * 81 // 2]
    with torch.no_grad():
        fourth = network.maps_of(IMAGES)[1]
        expected = _CorrelationRoot(80)(fourth)
        torch.testing.assert_close(network(IMAGES)[:, 208:], expected / expected.shape[1] ** 0.5)


@pytest.mark.parametrize("correlated", [[], [2, 4]])
@pytest.mark.parametrize(
    "pixels", [64, 72]
)  # 72 px: 18, 5 and 5 places, which cells of equal size cannot cover
def test_shares_of_places_add_up(pixels: int, correlated: list[int]) -> None:
    torch.manual_seed(0)
    network = StyleCnn("tf_efficientnet_lite0", [2, 4, 5], correlated).eval()
    images = F.interpolate(IMAGES[:2], (pixels, pixels))
    with torch.no_grad():
        places = network.spatial(images)
        torch.testing.assert_close(places.mean((1, 2)), network(images), rtol=1e-3, atol=1e-3)
    assert places.shape[1:3] == ((4, 4) if pixels == 64 else (5, 5))


def test_a_place_that_differs_adds_to_the_deviation() -> None:
    network = StyleCnn("tf_efficientnet_lite0", [0]).eval()
    image = torch.zeros(1, 3, 32, 32)
    image[..., 16:, 16:] = torch.rand(3, 16, 16, generator=RANDOM)
    with torch.no_grad():
        shares = network.spatial(image)[0, :, :, network.widths[0] // 2 :].sum(-1)
    assert shares[9:, 9:].mean() > 2 * shares[:7, :7].mean()


def test_a_place_that_differs_has_its_share_of_the_correlations() -> None:
    """Grey pictures with colours in a corner: what the channels have in common is seen there."""
    network = StyleCnn("tf_efficientnet_lite0", [0], correlations=[0]).eval()
    image = torch.full((1, 3, 64, 64), 0.2)
    image[..., 32:, 32:] = torch.rand(3, 32, 32, generator=RANDOM)
    with torch.no_grad():
        shares = network.spatial(image)[0, :, :, network.widths[0] :].abs().sum(-1)
    assert shares[18:, 18:].mean() > 2 * shares[:14, :14].mean()


def test_names_of_maps_and_architectures_are_checked() -> None:
    with pytest.raises(SimileError, match="not ascending numbers from 0 to 8"):
        StyleCnn("tf_efficientnet_lite0", [3, 2])
    with pytest.raises(SimileError, match=r"correlations \[5\] are not all among the maps \[2, 3\]"):
        StyleCnn("tf_efficientnet_lite0", [2, 3], correlations=[5])
    with pytest.raises(SimileError, match="not one of timm's EfficientNets"):
        StyleCnn("resnet18")


def test_a_discriminant_leaves_out_what_varies_within_classes() -> None:
    """Two classes apart by 1 along one axis; another axis varies more, within both alike."""
    labels = torch.arange(200) % 2
    features = torch.randn(200, 3, generator=RANDOM) * torch.tensor([0.1, 1.0, 0.1])
    features[:, 0] += labels
    weight, bias = discriminant(features, labels, 1)
    found = features @ weight.T + bias
    assert found.mean().abs() < 1e-4
    assert weight[0, 0].abs() > 5 * weight[0, 1].abs()
    plain, _ = whitened(features, 1)
    assert plain[0, 0].abs() < plain[0, 1].abs()


def test_more_directions_than_images_show_are_refused() -> None:
    with pytest.raises(SimileError, match="10 images show only 9 directions"):
        discriminant(torch.randn(10, 20, generator=RANDOM), torch.arange(10) % 2, 12)


def test_the_embedding_of_places_is_the_mean_of_their_embeddings() -> None:
    description = {"backbone": "style-cnn", "options": {"maps": [2, 3]}, "dimension": 5}
    raw = RawOutput(build_network(description).eval(), mirror=True)
    with torch.no_grad():
        torch.testing.assert_close(
            raw.spatial(IMAGES[:2]).mean((1, 2)), raw(IMAGES[:2]), rtol=1e-3, atol=1e-4
        )
