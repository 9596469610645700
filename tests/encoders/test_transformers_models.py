"""The layout of transformers: the embedding of every family, by value against the library's own pass."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from pipeline.encoders import describe_encoder, load_encoder
from pipeline.errors import SimileError
from tests.encoders.small_networks import save_transformers, transformers_processor

# What the embedding has to be, written out for each family. `m` is the whole model as it was saved.
EXPECTED = {
    "vit": lambda m, x: m.vit.layernorm(m.vit(x, output_hidden_states=True).hidden_states[-1])[:, 0],
    "vit-with-pooler": lambda m, x: m(x).last_hidden_state[:, 0],
    "deit": lambda m, x: m(x).last_hidden_state[:, 0],
    "dinov2": lambda m, x: m(x).pooler_output,
    "clip": lambda m, x: m.visual_projection(m.vision_model(x).pooler_output),
    "siglip": lambda m, x: m.get_image_features(x).pooler_output,
    "resnet": lambda m, x: m(x).pooler_output.flatten(1),
    "convnext": lambda m, x: m(x).last_hidden_state.mean((2, 3)),
    "swin": lambda m, x: m(x).pooler_output,
    "metaclip2": lambda m, x: m.get_image_features(x).pooler_output,
}
DIMENSION = {"clip": 24, "metaclip2": 24, "resnet": 16, "convnext": 16, "swin": 16}


@pytest.mark.parametrize("kind", EXPECTED)
def test_the_embedding_by_value(kind, tmp_path, pictures):
    model = save_transformers(kind, tmp_path)
    encoder = load_encoder(str(tmp_path))
    own = transformers_processor(kind)
    batch = torch.cat(
        [
            own(p.convert("RGB"), return_tensors="pt", input_data_format="channels_last")["pixel_values"]
            for p in pictures
        ]
    )
    with torch.inference_mode():
        expected = EXPECTED[kind](model, batch).numpy()
    vectors = encoder.encode(pictures)
    assert (vectors.dtype, vectors.shape) == (np.float32, (5, DIMENSION.get(kind, 32)))
    np.testing.assert_allclose(vectors, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert np.ptp(vectors, axis=0).max() > 1e-3 * np.abs(vectors).max()
    described = describe_encoder(str(tmp_path))
    assert described.dimension == encoder.dimension
    assert described.fingerprint == encoder.fingerprint
    assert encoder.input_size == 32


@pytest.mark.parametrize("kind", ["vit", "dinov2", "clip", "siglip", "resnet"])
def test_another_input_size(kind, tmp_path, pictures):
    model = save_transformers(kind, tmp_path)
    encoder = load_encoder(f"{tmp_path}@48px")
    assert encoder.preprocess(pictures[3]).shape == (3, 48, 48)
    assert encoder.fingerprint != load_encoder(str(tmp_path)).fingerprint
    own = transformers_processor(kind)
    small = pictures[3].resize((48, 48), own.resample)
    x = own(small, return_tensors="pt", do_resize=False, do_center_crop=False)["pixel_values"]
    with torch.inference_mode():
        expected = {
            "vit": lambda: model.vit(x, interpolate_pos_encoding=True).last_hidden_state[:, 0],
            "dinov2": lambda: model(x).pooler_output,
            "clip": lambda: model.get_image_features(x, interpolate_pos_encoding=True).pooler_output,
            "siglip": lambda: model.get_image_features(x, interpolate_pos_encoding=True).pooler_output,
            "resnet": lambda: model(x).pooler_output.flatten(1),
        }[kind]().numpy()
    np.testing.assert_allclose(encoder.encode(pictures[3:4]), expected, rtol=1e-3, atol=1e-4)


def test_an_image_of_three_rows_is_not_taken_for_three_channels(tmp_path):
    save_transformers("vit", tmp_path)
    encoder = load_encoder(str(tmp_path))
    reds = [
        encoder.preprocess(Image.new("RGB", size, "red")) for size in ((1, 1), (40, 3), (3, 40), (1, 50_000))
    ]
    assert all(np.array_equal(red, reds[0]) for red in reds)
    assert (reds[0][0] == 1).all()  # (1 - 0.5) / 0.5
    assert (reds[0][1:] == -1).all()


def test_the_processor_is_of_pil_and_close_to_that_of_torchvision(tmp_path, pictures):
    save_transformers("clip", tmp_path)
    assert describe_encoder(str(tmp_path)).preprocessing["image_processor_type"] == "CLIPImageProcessorPil"
    encoder = load_encoder(str(tmp_path))
    other = AutoImageProcessor.from_pretrained(tmp_path, backend="torchvision")
    for picture in pictures[:4]:
        theirs = other(picture, return_tensors="pt")["pixel_values"][0]
        steps = np.abs(encoder.preprocess(picture) - theirs.numpy()) * 0.26 * 255  # in levels of 8 bits
        assert steps.mean() < 1
        assert steps.max() < 4


def test_half_precision_checkpoints_are_run_in_full(tmp_path, pictures):
    model = save_transformers("dinov2", tmp_path)
    model.half().save_pretrained(tmp_path)
    vectors = load_encoder(str(tmp_path)).encode(pictures)
    assert np.isfinite(vectors).all()
    assert not np.array_equal(vectors, vectors.astype(np.float16))


def test_pickled_weights_are_refused_with_the_way_out(tmp_path):
    save_transformers("vit", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    for open_it in (describe_encoder, load_encoder):
        with pytest.raises(SimileError, match=r"only pytorch_model.bin.*model.save_pretrained\(folder\)"):
            open_it(str(tmp_path))


def test_missing_tensors_are_not_filled_with_random_numbers(tmp_path):
    from safetensors.torch import load_file, save_file

    save_transformers("dinov2", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(key for key in weights if "layer.1" in key and key.endswith("weight"))
    weights.pop(gone)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SimileError, match="lack 1 tensors"):
        load_encoder(str(tmp_path))


def test_a_masked_autoencoder_sees_the_whole_image(tmp_path, pictures):
    """Regression: ViT-MAE drops three quarters of the patches at random; its vectors changed every time."""
    model = save_transformers("vit_mae", tmp_path)
    encoder = load_encoder(str(tmp_path))
    first = encoder.encode(pictures)
    np.testing.assert_allclose(encoder.encode(pictures), first, rtol=1e-4, atol=1e-5)
    model.config.mask_ratio = 0.0
    batch = torch.from_numpy(np.stack([encoder.preprocess(picture) for picture in pictures]))
    with torch.inference_mode():
        np.testing.assert_allclose(first, model(batch).last_hidden_state[:, 0].numpy(), rtol=1e-3, atol=1e-4)


def test_a_model_of_texts(tmp_path):
    save_transformers("bert", tmp_path)
    with pytest.raises(SimileError, match="is no image model: BertModel reads input_ids"):
        load_encoder(str(tmp_path))


def test_a_processor_saved_with_its_tokenizer(tmp_path, pictures):
    """`CLIPProcessor.save_pretrained` writes one processor_config.json."""
    save_transformers("clip", tmp_path)
    before = load_encoder(str(tmp_path))
    plain = tmp_path / "preprocessor_config.json"
    inner = json.loads(plain.read_text())
    plain.unlink()
    whole = {"image_processor": inner, "processor_class": "CLIPProcessor"}
    (tmp_path / "processor_config.json").write_text(json.dumps(whole))
    after = load_encoder(str(tmp_path))
    assert after.fingerprint == before.fingerprint
    np.testing.assert_array_equal(after.encode(pictures), before.encode(pictures))


def test_no_preprocessing(tmp_path):
    save_transformers("vit", tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(SimileError, match=r"has no preprocessor_config.json.*processor.save_pretrained"):
        describe_encoder(str(tmp_path))


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    save_transformers("vit", tmp_path)
    (tmp_path / "mine.py").write_text("raise SystemExit('this was run')")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SimileError, match="model_type 'mine'"):
        load_encoder(str(tmp_path))


def test_by_hub_id_offline(offline):
    with pytest.raises(
        SimileError, match=r"for model facebook/dinov2-small \(HF_HUB_OFFLINE is set\).*hf download"
    ):
        describe_encoder("hf:facebook/dinov2-small")


def test_by_hub_id_out_of_the_cache(offline, tmp_path, pictures):
    commit = "b" * 40
    snapshot = offline / "models--facebook--dinov2-small" / "snapshots" / commit
    refs = snapshot.parents[1] / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(commit)
    save_transformers("dinov2", snapshot)
    (snapshot / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    encoder = load_encoder("hf:facebook/dinov2-small")
    assert (encoder.description.revision, encoder.description.licence) == (commit, "apache-2.0")
    pinned = load_encoder(f"hf:facebook/dinov2-small@{commit}@48px")
    assert (pinned.description.revision, pinned.input_size) == (commit, 48)
    shutil.copytree(snapshot, tmp_path / "copy")
    np.testing.assert_array_equal(
        encoder.encode(pictures), load_encoder(str(tmp_path / "copy")).encode(pictures)
    )


def test_a_cache_without_the_weights(offline):
    commit = "c" * 40
    snapshot = offline / "models--org--half" / "snapshots" / commit
    refs = snapshot.parents[1] / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(commit)
    save_transformers("vit", snapshot)
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(SimileError, match=r"for model org/half \(HF_HUB_OFFLINE is set\)"):
        describe_encoder("hf:org/half")
