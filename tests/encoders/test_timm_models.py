"""timm's layout: the embedding of every family, by value against timm's own forward pass."""

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.errors import SimileError
from tests.encoders.small_networks import TIMM, save_timm


def tokens(model, x):
    return model.blocks(model.norm_pre(model._pos_embed(model.patch_embed(x))))


# What the embedding has to be, written out for each architecture. `x`: (N, 3, H, W).
EXPECTED = {
    "resnet18": lambda m, x: m.forward_features(x).mean((2, 3)),
    "resnet50": lambda m, x: m.forward_features(x).mean((2, 3)),
    "vgg16": lambda m, x: m.features(x).mean((2, 3)),
    "densenet121": lambda m, x: torch.relu(m.features(x)).mean((2, 3)),
    "convnext_atto": lambda m, x: m.stages(m.stem(x)).mean((2, 3)),
    "tf_efficientnet_lite0": lambda m, x: m.bn2(m.conv_head(m.blocks(m.bn1(m.conv_stem(x))))).mean((2, 3)),
    "efficientnet_b0": lambda m, x: m.bn2(m.conv_head(m.blocks(m.bn1(m.conv_stem(x))))).mean((2, 3)),
    "swin_tiny_patch4_window7_224": lambda m, x: m.norm(m.layers(m.patch_embed(x))).mean((1, 2)),
    "mixer_s32_224": lambda m, x: m.norm(m.blocks(m.stem(x))).mean(1),
    "vit_tiny_patch16_224": lambda m, x: m.norm(tokens(m, x))[:, 0],
    "deit_tiny_distilled_patch16_224": lambda m, x: m.norm(tokens(m, x))[:, 0],
    "vit_small_patch14_dinov2": lambda m, x: m.norm(tokens(m, x))[:, 0],
    "vit_base_patch16_siglip_224": lambda m, x: m.attn_pool(m.norm(tokens(m, x))),
    "vit_base_patch32_clip_224": lambda m, x: m.head(m.norm(tokens(m, x))[:, 0]),
}
DIMENSION = {
    "resnet18": 512,
    "resnet50": 2048,
    "vgg16": 512,
    "densenet121": 1024,
    "convnext_atto": 320,
    "tf_efficientnet_lite0": 1280,
    "efficientnet_b0": 1280,
    "swin_tiny_patch4_window7_224": 24,
    "mixer_s32_224": 512,
    "vit_tiny_patch16_224": 192,
    "deit_tiny_distilled_patch16_224": 192,
    "vit_small_patch14_dinov2": 24,
    "vit_base_patch16_siglip_224": 24,
    "vit_base_patch32_clip_224": 20,
}


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("architecture", TIMM)
def test_the_embedding_by_value(architecture, tmp_path, pictures):
    model = save_timm(architecture, tmp_path)
    encoder = load_encoder(str(tmp_path))
    own = create_transform(**resolve_model_data_config(model))
    batch = torch.stack([own(picture.convert("RGB")) for picture in pictures])
    with torch.inference_mode():
        expected = EXPECTED[architecture](model, batch).numpy()
    vectors = encoder.encode(pictures)
    assert (vectors.dtype, vectors.shape) == (np.float32, (5, DIMENSION[architecture]))
    largest = np.abs(expected).max()
    np.testing.assert_allclose(encoder.encode_tensor(batch), expected, rtol=1e-3, atol=1e-4 * largest)
    assert cosines(vectors, expected).min() > 0.999  # pixels a level or two off; see test_pixels.py
    assert np.ptp(vectors, axis=0).max() > 1e-3 * np.abs(vectors).max()  # the pictures differ
    described = describe_encoder(f"timm:{tmp_path}")
    assert described.dimension == encoder.dimension
    assert described.fingerprint == encoder.fingerprint
    assert (encoder.input_size, encoder.description.family) == (batch.shape[-1], f"timm:{architecture}")


@pytest.mark.parametrize(("architecture", "pixels"), [("resnet18", 50), ("vit_tiny_patch16_224", 96)])
def test_another_input_size(architecture, pixels, tmp_path, pictures):
    model = save_timm(architecture, tmp_path)
    encoder = load_encoder(f"{tmp_path}@{pixels}px")
    assert encoder.preprocess(pictures[3]).shape == (3, pixels, pixels)
    if architecture.startswith("vit"):
        model.set_input_size((pixels, pixels))  # timm's own interpolation of position embeddings
    options = resolve_model_data_config(model) | {"input_size": (3, pixels, pixels)}
    own = create_transform(**options | {"crop_pct": 1.0, "crop_mode": "squash"})
    with torch.inference_mode():
        expected = EXPECTED[architecture](model, own(pictures[3])[None]).numpy()
    assert cosines(encoder.encode(pictures[3:4]), expected).min() > 0.999
    assert encoder.fingerprint != load_encoder(str(tmp_path)).fingerprint


def test_input_sizes_that_a_network_cannot_take(tmp_path):
    save_timm("mixer_s32_224", tmp_path / "mixer")  # one weight for each place
    with pytest.raises(SimileError, match=r"does not take images of 96 × 96 px: .*choose another '@<N>px'"):
        load_encoder(f"{tmp_path / 'mixer'}@96px")
    save_timm("vit_tiny_patch16_224", tmp_path / "vit")
    with pytest.raises(SimileError, match=r"100 × 100 px: it needs a multiple of 16 px"):
        describe_encoder(f"{tmp_path / 'vit'}@100px")


def test_weights_that_do_not_fit(tmp_path):
    save_timm("resnet18", tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"resnet18"', '"resnet26"'))
    with pytest.raises(SimileError, match="do not fit 'resnet26'"):
        load_encoder(str(tmp_path))


def test_a_misspelt_model_is_answered_with_near_ones():
    with pytest.raises(SimileError, match=r"no model 'resnet5O.a1_in1k'; did you mean .*resnet50"):
        describe_encoder("timm:resnet5O.a1_in1k")
    with pytest.raises(SimileError, match=r"no weights 'a9_in1k' for 'resnet18'; there are: .*a1_in1k"):
        describe_encoder("timm:resnet18.a9_in1k")


def test_offline_and_not_in_the_cache(offline):
    with pytest.raises(SimileError, match=r"HF_HUB_OFFLINE is set.*hf download timm/vgg16.tv_in1k"):
        load_encoder("timm:vgg16.tv_in1k")


@pytest.mark.parametrize("name", ["timm:resnet18.a1_in1k", "hf:timm/resnet18.a1_in1k"])
def test_by_name_out_of_the_cache(name, offline, pictures):
    """What `hf download timm/resnet18.a1_in1k` leaves behind."""
    commit = "a" * 40
    snapshot = offline / "models--timm--resnet18.a1_in1k" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit)
    save_timm("resnet18", snapshot)
    encoder = load_encoder(name)
    assert encoder.description.revision == commit
    np.testing.assert_array_equal(encoder.encode(pictures), load_encoder(str(snapshot)).encode(pictures))


def test_strange_shapes(tmp_path):
    save_timm("resnet18", tmp_path)
    encoder = load_encoder(str(tmp_path))
    sizes = [(1, 1), (3, 3), (1, 50_000), (50_000, 1), (2000, 3)]
    vectors = encoder.encode([Image.new("RGB", size, "red") for size in sizes])
    assert np.isfinite(vectors).all()
    # red all over, whatever its shape
    np.testing.assert_allclose(vectors, np.broadcast_to(vectors[:1], vectors.shape), rtol=1e-3, atol=1e-4)
