"""ONNX files that come with weights. They run without torch, and nothing has to be exported for them.

<folder>/model.onnx       the network at its own input size: images -> vectors
<folder>/places.onnx      images -> vectors of places, for heat maps; the weights are read from model.onnx
<folder>/model.onnx.json  of which weights they were made

`python -m pipeline.encoders.make_onnx` writes all three. Files of other weights than those beside them, as
after training anew, are not used.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.encoders.onnx_network import OnnxNetwork
from pipeline.errors import SimileError

__all__ = ["FILE", "PLACES", "ShippedOnnx", "digest", "find_shipped"]

FILE = "model.onnx"
PLACES = "places.onnx"
_RECORD = "model.onnx.json"


@dataclass(frozen=True)
class ShippedOnnx:
    """What is known of an ONNX file.

    Attributes:
        revision: of the weights, as `EncoderDescription` has it.
        input_size: [3, height, width], the only one that it takes.
        dimension: of the embedding.
        sha256, sha256_of_places: of the two files.
    """

    folder: Path
    revision: str
    input_size: list[int]
    dimension: int
    sha256: str
    sha256_of_places: str

    def write(self) -> None:
        """The record beside the file."""
        facts = asdict(self)
        del facts["folder"]
        (self.folder / _RECORD).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def network(self) -> OnnxNetwork:
        """Ready to run.

        Raises:
            SimileError: a file is gone, or not the one that was recorded.
        """
        for name, recorded in ((FILE, self.sha256), (PLACES, self.sha256_of_places)):
            file = self.folder / name
            if not file.is_file() or digest(file) != recorded:
                raise SimileError(
                    f"'{file}' is not the file that {_RECORD} describes; copy it again, or make both again: "
                    "python -m pipeline.encoders.make_onnx"
                )
        return OnnxNetwork(self.folder / FILE, self.folder / PLACES)


def digest(file: Path) -> str:
    """sha256 of a file, in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def find_shipped(folder: Path, revision: str | None = None) -> ShippedOnnx | None:
    """The ONNX file in a folder; None where there is none, or one of other weights.

    Args:
        revision: of the weights that it must be made of; None takes any.

    Raises:
        SimileError: its record cannot be read.
    """
    file = folder / _RECORD
    if not file.is_file() or not (folder / FILE).is_file():
        return None
    try:
        found = ShippedOnnx(folder, **json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise SimileError(
            f"'{file}' cannot be read ({error}); copy it again, or remove it and {FILE}"
        ) from None
    return found if revision in (None, found.revision) else None
