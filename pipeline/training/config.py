"""YAML of one training run -> frozen pydantic models."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.config.yaml_file import Frozen, load_yaml

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "LossConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "TrainingConfig",
    "WorkerSettings",
    "load_training_config",
]

_SMALLEST = 8  # pixels


class DataConfig(Frozen):
    """What is trained on, and what is kept apart from it."""

    source: str = Field(description="a Hub id, a mirror in the Hub's layout or a folder of images")
    licence: str | None = Field(None, description="of the data, for the card, where the source states none")
    split: str = "train"
    config: str | None = None
    image: str | None = None
    labels: list[str] = Field(min_length=1, description="class columns; the first one is validated on")
    pixels: int = Field(
        0,
        ge=0,
        le=1024,
        description="images are resized to this side, whole; with backbone `pretrained` by default the side "
        "that its encoder takes",
    )
    limit: int | None = Field(None, ge=1, description="only the first rows")
    classes: list[int] | None = Field(None, description="train on these classes of the first label only")
    protocol: Literal["none", "art", "a", "b"] = Field(
        "none",
        description="art: leave out what evaluation.art_split keeps for queries; a, b: the "
        "training images of protocols A and B alone, which are the same; cut from all rows, whatever `limit` "
        "says",
    )
    validation: float = Field(0.05, ge=0.0, lt=1.0, description="share of training images, by content hash")


class AugmentConfig(Frozen):
    """How training images are varied; see pipeline/training/augment.py."""

    shift: int = Field(0, ge=0, description="pixels, up to which an image is moved; edges are reflected")
    flip: Literal["none", "random", "alternating"] = "alternating"
    cutout: int = Field(0, ge=0, description="pixels, side of a grey square")
    crop: float = Field(1.0, gt=0.0, le=1.0, description="smallest area of a random crop, as a share")
    variants: int | None = Field(
        None,
        ge=1,
        le=64,
        description="of each image, drawn once, the first one unvaried: they pass through the part that is "
        "not trained, and every step takes one; without it images are varied anew in every epoch",
    )


class NetworkConfig(Frozen):
    """What `pipeline.networks.build_network` is told, and where its weights come from."""

    backbone: str
    options: dict[str, Any] = Field({}, description="of the backbone")
    dimension: int | None = Field(None, ge=2, le=4096)
    code_bits: int | None = Field(None, ge=4, le=1024)
    temperature: float = Field(1.0, gt=0.0)
    start: str | None = Field(None, description="an encoder whose weights the backbone begins with")
    start_heads: bool = Field(
        False,
        description="go on from the whole of `start`, a network of the same shape, with its hash head and "
        "classifiers",
    )
    start_embedding: Literal["whitened", "discriminant", "teacher"] = Field(
        "whitened",
        description="first weights of a pretrained CNN's embedding; see pipeline/training/first_embedding.py",
    )
    frozen: bool = Field(False, description="train the heads only; the backbone stays as it is at the start")
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    mirror: bool = Field(False, description="in use, average over the image and its mirror image")

    @property
    def width(self) -> int | None:
        """Of the embedding; None where only the built backbone tells it."""
        return self.dimension or self.options.get("features")


class LossConfig(Frozen):
    """One term of the loss."""

    kind: Literal["classes", "orthohash", "dsh", "metric", "teacher"]
    weight: float = Field(1.0, gt=0.0)
    column: str | None = Field(None, description="of labels; default: the first")
    options: dict[str, Any] = Field(
        {}, description="of the loss; `metric`: `name` in pytorch-metric-learning"
    )


class OptimizerConfig(Frozen):
    """The rate is for the mean loss of a batch; it rises linearly to `rate` and falls linearly to 0."""

    kind: Literal["sgd", "adamw"] = "sgd"
    rate: float = Field(gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)
    momentum: float = Field(0.85, ge=0.0, lt=1.0)
    norm_bias_scale: float = Field(1.0, gt=0.0, description="times the rate, for biases of batch norms")
    head_scale: float = Field(1.0, gt=0.0, description="times the rate, for everything but the backbone")
    warmup: float = Field(0.2, ge=0.0, lt=1.0, description="share of the steps until the rate is reached")
    clip: float | None = Field(None, gt=0.0, description="largest gradient norm")


class TrainingConfig(Frozen):
    """Everything that one YAML file in training_config/ may say."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    network: NetworkConfig
    losses: list[LossConfig] = Field(min_length=1)
    teacher: str | None = Field(None, description="encoder of this repository that is imitated")
    optimizer: OptimizerConfig
    epochs: int = Field(ge=1)
    batch: int = Field(ge=2, description="images a step, of all workers together")
    per_class: int | None = Field(
        None, ge=2, description="images of one class drawn together, for losses over pairs"
    )
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    workers: int = Field(1, ge=1)
    threads: int = Field(1, ge=1, description="CPU threads of a worker")
    seed: int = 0
    validate_every: int = Field(1, ge=1, description="epochs")

    @model_validator(mode="after")
    def _consistent(self) -> "TrainingConfig":
        if self.data.pixels < _SMALLEST and (self.data.pixels or self.network.backbone != "pretrained"):
            raise ValueError(f"data.pixels is {self.data.pixels}, expected {_SMALLEST} to 1024")
        for loss in self.losses:
            if loss.column and loss.column not in self.data.labels:
                raise ValueError(f"a loss wants column '{loss.column}', which is not among data.labels")
            if loss.kind in ("orthohash", "dsh") and not self.network.code_bits:
                raise ValueError(f"loss '{loss.kind}' needs network.code_bits")
            if loss.kind == "teacher" and not self.teacher:
                raise ValueError("loss 'teacher' needs `teacher:`, the encoder that is imitated")
        if self.network.start_heads and not self.network.start:
            raise ValueError("network.start_heads needs `start:`, the network that training goes on from")
        if self.network.start_embedding == "teacher" and not (self.teacher and self.images_stay):
            raise ValueError(
                "network.start_embedding 'teacher' needs `teacher:` and images that stay as they are"
            )
        return self

    @property
    def images_stay(self) -> bool:
        """Whether every epoch shows the same pixels, or one of the same few variants of them. Then the part
        of a network that is not trained has to compute its output only once for each."""
        return self.augment.variants is not None or self.augment == AugmentConfig(flip="none")

    @property
    def fingerprint(self) -> str:
        """16 hex digits of all settings that change the result; a run is only continued under the same."""
        kept = self.model_dump_json(
            exclude={"workers": True, "threads": True, "validate_every": True, "data": {"licence"}}
        )
        return hashlib.sha256(kept.encode()).hexdigest()[:16]


class WorkerSettings(Frozen):
    """What each worker of a run is told; travels to other machines as plain data (`model_dump`)."""

    config: TrainingConfig
    network: dict[str, Any] = Field(description="for `pipeline.networks.build_network`")
    classes: dict[str, int] = Field(description="label column -> number of classes")


def load_training_config(path: str | Path, **changes: Any) -> TrainingConfig:
    """Read and check one run's YAML.

    Args:
        path: the file, such as `training_config/cifar10-cnn.yaml`.
        changes: instead of what the file says; `data` is merged key by key.

    Raises:
        SimileError: the file is missing, is not YAML, or says something that it cannot say.
    """
    return load_yaml(path, TrainingConfig, changes)
