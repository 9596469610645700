"""Networks: what is promised of each part, beyond shapes."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from pipeline.errors import SimileError
from pipeline.networks import Gem, RawOutput, build_network
from pipeline.networks.whitened_cnn import WhitenedCnn

IMAGES = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_first_layer_whitens_patches() -> None:
    network = WhitenedCnn((4, 8, 8))
    smooth = F.avg_pool2d(IMAGES, 3, stride=1)  # neighbours are alike, as in photographs
    network.initialise(smooth)
    found = network.whiten(smooth)[:, :12].transpose(0, 1).flatten(1)
    covariance = torch.cov(found)
    strongest = covariance.diagonal()[:3]
    assert (covariance - covariance.diagonal().diag()).abs().max() < 1e-3
    assert ((strongest > 0.9) & (strongest <= 1.0)).all()
    assert not network.whiten.weight.requires_grad


def test_gem_goes_from_mean_to_maximum() -> None:
    features = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)
    assert Gem(1.0)(features).item() == pytest.approx(2.0)
    assert Gem(2.0)(features).item() == pytest.approx(5**0.5)
    assert Gem(60.0)(features).item() == pytest.approx(3.0, abs=0.05)


def test_raw_output_is_embedding_then_hash_logits_and_the_same_for_mirrored_images() -> None:
    description = {"backbone": "whitened-cnn", "options": {"widths": [4, 8, 8]}, "code_bits": 6}
    network = build_network(description).eval()
    outputs = network(IMAGES)
    raw = RawOutput(network)(IMAGES)
    assert outputs.code is not None
    assert torch.equal(raw, torch.cat([outputs.embedding, outputs.code], 1))
    mirrored = RawOutput(network, mirror=True)
    torch.testing.assert_close(mirrored(IMAGES), mirrored(IMAGES.flip(3)))
    assert not torch.allclose(raw, RawOutput(network)(IMAGES.flip(3)))


NETWORKS = pytest.mark.parametrize(
    "description",
    [
        {"backbone": "whitened-cnn", "options": {"widths": [4, 8, 8]}},
        {"backbone": "whitened-cnn", "options": {"widths": [4, 8, 8], "depth": 3}},
        {"backbone": "compact-vit", "options": {"pixels": 16, "width": 32, "depth": 1, "heads": 2}},
        {
            "backbone": "hybrid-vit",
            "options": {
                "cnn": "whitened-cnn",
                "cnn_options": {"widths": [4, 8, 8]},
                "stages": 2,
                "pixels": 16,
                "width": 16,
                "depth": 1,
            },
        },
        {"backbone": "pooled-cnn", "options": {"architecture": "tf_efficientnet_lite0"}},
    ],
    ids=lambda description: description["backbone"],
)


@NETWORKS
def test_a_network_can_be_described_without_memory(description: dict) -> None:
    with torch.device("meta"):
        assert build_network(description | {"dimension": 5}).dimension == 5


@NETWORKS
@pytest.mark.parametrize("dimension", [None, 5])
def test_places_add_up_to_the_embedding(description: dict, dimension: int | None) -> None:
    network = build_network(description | {"dimension": dimension}).eval()
    raw = RawOutput(network, mirror=True)
    with torch.no_grad():
        places = raw.spatial(IMAGES[:4])
        torch.testing.assert_close(places.mean((1, 2)), raw(IMAGES[:4]), rtol=1e-3, atol=1e-4)
    assert places.ndim == 4


@NETWORKS
def test_a_network_is_what_stays_and_then_the_rest(description: dict) -> None:
    network = build_network(description | {"dimension": 5}).eval()
    with torch.no_grad():
        kept = network.fixed(IMAGES[:4])
        assert kept.ndim == 2
        found, expected = network.from_fixed(kept).embedding, network(IMAGES[:4]).embedding
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_vit_sees_where_a_patch_is() -> None:
    description = {
        "backbone": "compact-vit",
        "options": {"pixels": 16, "patch": 4, "width": 32, "depth": 1, "heads": 2},
        "dimension": 8,
    }
    network = build_network(description).eval()
    assert network(IMAGES).embedding.shape == (40, 8)
    assert not torch.allclose(network(IMAGES).embedding, network(IMAGES.flip(2)).embedding, atol=1e-4)


def test_frozen_stages_and_their_statistics_stay_while_the_rest_trains() -> None:
    options = {"architecture": "tf_efficientnet_lite0", "frozen_stages": 7}
    network = build_network({"backbone": "pooled-cnn", "options": options, "dimension": 4}).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network(IMAGES[:4]).embedding.sum().backward()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert all(key.startswith("backbone.model.bn2") for key in changed)
    assert changed
    trained = {key for key, value in network.named_parameters() if value.grad is not None}
    assert not [key for key in trained if ".blocks." in key or "conv_stem" in key]
    assert "backbone.pool.power" in trained


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"backbone": "resnet"}, "no backbone 'resnet'; there are: whitened-cnn"),
        ({"backbone": "whitened-cnn", "options": {"width": 3}}, "unexpected keyword argument 'width'"),
        (
            {"backbone": "whitened-cnn", "options": {"depth": 4}},
            "depth is 4; a group of this network has 2 or",
        ),
        ({"backbone": "compact-vit", "options": {"pixels": 30}}, "patch 4 does not fit 30 px"),
        ({"backbone": "pooled-cnn", "options": {"architecture": "lenet"}}, "timm has no model 'lenet'"),
    ],
)
def test_wrong_descriptions_are_refused_in_a_sentence(description: dict, message: str) -> None:
    with pytest.raises(SimileError, match=message):
        build_network(description)
