"""Where Qdrant keeps each part of a version: on disk, in the page cache or in RAM."""

from typing import Any, Literal

from pydantic import Field
from qdrant_client import models

from pipeline.config.yaml_file import Frozen

__all__ = ["MemoryConfig", "placed"]

Tier = Literal["cold", "cached", "pinned"]
Mapped = Literal["cold", "cached"]  # what the engine only ever reads through mapped files


def placed(memory: models.Memory, flag: Literal["on_disk", "always_ram"] = "on_disk") -> dict[str, Any]:
    """The tier as arguments of Qdrant's models, beside the flag that servers before it go by.

    >>> placed(models.Memory.COLD)
    {'memory': <Memory.COLD: 'cold'>, 'on_disk': True}
    """
    of_flag = models.Memory.COLD if flag == "on_disk" else models.Memory.PINNED
    return {"memory": memory, flag: memory == of_flag}


class MemoryConfig(Frozen):
    """Qdrant's memory tiers.

    `pinned` is read into RAM and stays there. `cached` is a mapped file that is read once when a version is
    opened, so that searches find it in the page cache, from which the system may take it again. `cold` is a
    mapped file that is read where a search needs it.
    """

    vectors: Mapped | None = Field(
        None, description="the originals; default: cold, and cached where `quantization` is none"
    )
    codes: Tier = Field("pinned", description="the quantized vectors and the Hamming codes")
    graph: Tier = Field("cached", description="the links of the graphs")
    payload: Mapped = Field("cold", description="fields and thumbnails")
    payload_indexes: Tier = Field("pinned", description="the indexes of the filter fields")

    def of_vectors(self, quantized: bool) -> models.Memory:
        """Where the originals are kept: without quantization every search compares them."""
        return models.Memory(self.vectors or ("cold" if quantized else "cached"))
