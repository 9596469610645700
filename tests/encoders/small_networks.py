"""Small networks with random weights, saved in the layouts that the real ones come in."""

from pathlib import Path

import timm
import torch
import transformers
from timm.models import save_for_hf
from torch import nn

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
# As wide as its images, and of a fixed length.
SIGLIP_TEXT = TEXT | {"projection_size": VIT["hidden_size"], "max_position_embeddings": 16}
SQUARE = {"size": {"height": 32, "width": 32}}
CROPPED = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}


def shaken(model: nn.Module) -> nn.Module:
    """Every weight random, also those that start at zero or one: a step left out must show in the output."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.05)
    return model.eval()


def transformers_model(kind: str) -> nn.Module:
    torch.manual_seed(0)
    t = transformers
    cnn = {"hidden_sizes": [8, 16], "depths": [1, 1]}
    makers = {
        "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**VIT)),  # as google/vit-base-patch16-224 is
        "vit-with-pooler": lambda: t.ViTModel(t.ViTConfig(**VIT)),
        "deit": lambda: t.DeiTModel(t.DeiTConfig(**VIT)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**VIT)),
        "clip": lambda: t.CLIPModel(t.CLIPConfig(text_config=TEXT, vision_config=VIT, projection_dim=24)),
        "siglip": lambda: t.SiglipModel(t.SiglipConfig(text_config=SIGLIP_TEXT, vision_config=VIT)),
        "resnet": lambda: t.ResNetModel(t.ResNetConfig(embedding_size=8, layer_type="basic", **cnn)),
        "convnext": lambda: t.ConvNextModel(
            t.ConvNextConfig(num_stages=2, **cnn, layer_scale_init_value=1.0)
        ),
        "vit_mae": lambda: t.ViTMAEModel(t.ViTMAEConfig(**VIT)),
        "bert": lambda: t.BertModel(t.BertConfig(**TEXT)),
        "metaclip2": lambda: t.MetaClip2Model(
            t.MetaClip2Config(text_config=TEXT, vision_config=VIT, projection_dim=24)
        ),
        "swin": lambda: t.SwinModel(
            t.SwinConfig(
                image_size=32, patch_size=4, window_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2]
            )
        ),
    }
    return shaken(makers[kind]())


def transformers_processor(kind: str):
    t = transformers
    makers = {
        "deit": lambda: t.DeiTImageProcessorPil(size={"height": 36, "width": 36}, crop_size=SQUARE["size"]),
        "dinov2": lambda: t.BitImageProcessorPil(**CROPPED),
        "clip": lambda: t.CLIPImageProcessorPil(**CROPPED),
        "siglip": lambda: t.SiglipImageProcessorPil(**SQUARE),
        "resnet": lambda: t.ConvNextImageProcessorPil(size={"shortest_edge": 32}),
        "convnext": lambda: t.ConvNextImageProcessorPil(size={"shortest_edge": 32}),
    }
    return makers.get(kind, lambda: t.ViTImageProcessorPil(**SQUARE))()


WORDS = "a red square and a blue dog on the green grass under a yellow sun"


def save_tokenizer(kind: str, folder: Path) -> None:
    """In the layout of the real ones: vocabulary and merges (CLIP), a sentencepiece model (SigLIP)."""
    if kind == "clip":
        letters = sorted(set(WORDS) - {" "})
        pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
        pieces += ["re", "red</w>"]
        vocabulary = {piece: number for number, piece in enumerate(pieces)}
        transformers.CLIPTokenizer(vocab=vocabulary, merges=[("r", "e"), ("re", "d</w>")]).save_pretrained(
            folder
        )
        return
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS] * 20), model_prefix=str(folder / "spiece"), vocab_size=40,
        pad_id=0, unk_id=2, bos_id=-1, eos_id=1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.vocab").unlink()
    transformers.SiglipTokenizer(str(folder / "spiece.model")).save_pretrained(folder)


def save_transformers(kind: str, folder: Path) -> nn.Module:
    model = transformers_model(kind)
    model.save_pretrained(folder)
    transformers_processor(kind).save_pretrained(folder)
    return model


TIMM = {
    "resnet18": {},
    "resnet50": {"layers": (1, 1, 1, 1)},
    "vgg16": {"mlp_ratio": 0.02},
    "densenet121": {},
    "convnext_atto": {},
    "tf_efficientnet_lite0": {},
    "efficientnet_b0": {},
    "swin_tiny_patch4_window7_224": {"embed_dim": 12, "depths": (1, 1), "num_heads": (2, 2), "img_size": 56},
    "vit_tiny_patch16_224": {"depth": 2, "img_size": 64},
    "deit_tiny_distilled_patch16_224": {"depth": 2, "img_size": 64},
    "vit_small_patch14_dinov2": {"depth": 2, "embed_dim": 24, "num_heads": 2, "img_size": 56},
    "vit_base_patch16_siglip_224": {"depth": 2, "embed_dim": 24, "num_heads": 2, "img_size": 64},
    "mixer_s32_224": {"img_size": 64},
    "vit_base_patch32_clip_224": {
        "depth": 2, "embed_dim": 24, "num_heads": 2, "img_size": 64, "num_classes": 20,
    },
}  # fmt: skip


def save_timm(architecture: str, folder: Path) -> nn.Module:
    torch.manual_seed(0)
    options = {"num_classes": 0 if "siglip" in architecture else 10, **TIMM[architecture]}
    tag = ".openai" if "clip" in architecture else ""  # the default weights are a classifier
    model = shaken(timm.create_model(architecture + tag, **options))
    side = options.get("img_size", 64)  # a CNN takes any size, and small ones are quick
    model.pretrained_cfg["input_size"] = (3, side, side)
    save_for_hf(model, folder, safe_serialization=True)
    return model
