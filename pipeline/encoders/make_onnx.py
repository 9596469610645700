"""Write the ONNX files of encoders beside their weights: python -m pipeline.encoders.make_onnx [NAME …]

Without names: those that ship with the repository. A folder that ray_jobs.train wrote can be named as well.
It needs torch and onnx, and compares the new file with torch before it is kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.encoders.families.pypi_models import shipped_folder
from pipeline.encoders.load import load_encoder
from pipeline.encoders.names import WEIGHTS_ROOT, parse_name
from pipeline.encoders.onnx_export import MAX_BYTES
from pipeline.encoders.onnx_network import OnnxNetwork
from pipeline.encoders.shipped_onnx import FILE, PLACES, ShippedOnnx, digest
from pipeline.errors import SimileError
from pipeline.installation import need_torch

if TYPE_CHECKING:
    import torch

    from pipeline.encoders.encoder import Encoder

__all__ = ["LARGEST", "main", "make_onnx"]

LARGEST = 12_000_000  # bytes of a file of this repository
LEAST_COSINE = 0.9999  # of a vector to torch's
_SMALL = 1024  # values; statistics of norms and biases take no space worth rounding them
_LARGEST_BATCH = 4096
_PICTURES = 8


def main(arguments: list[str] | None = None) -> None:
    """One line an encoder."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.encoders.make_onnx", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="weights:NAME, pypi:NAME or a folder")
    names = parser.parse_args(arguments).names
    shipped = sorted(f"weights:{config.parent.name}" for config in WEIGHTS_ROOT.glob("*/config.json"))
    try:
        need_torch("making ONNX files")
        for name in names or [*shipped, "pypi:efficientnet-lite0"]:
            file = make_onnx(name)
            print(f"{name}: {file}, {file.stat().st_size:,} bytes", flush=True)
    except SimileError as error:
        sys.exit(f"error: {error}")


def make_onnx(name: str) -> Path:
    """Export an encoder at its own input size, with vectors of places; returns the file.

    Raises:
        SimileError: neither Simile's own network nor one of PyPI, a name with `@<N>px`, or vectors that are
            not those of torch.
    """
    parsed = parse_name(name)
    encoder = load_encoder(name, device="cpu", runtime="torch")
    own = encoder.description.family.startswith(("simile:", "pypi:"))
    if parsed.pixels or not own:
        raise SimileError(
            f"'{name}' is not exported; name a network of ray_jobs.train or of PyPI, without '@<N>px'"
        )
    folder = shipped_folder(parsed) if parsed.source == "pypi" else Path(parsed.place)
    folder.mkdir(parents=True, exist_ok=True)
    # Both files refer to each other by name, so they are made and compared in a folder of their own.
    with tempfile.TemporaryDirectory(dir=folder) as drafts:
        _export(encoder, Path(drafts), LARGEST if folder.is_relative_to(WEIGHTS_ROOT) else MAX_BYTES)
        _compare(encoder, OnnxNetwork(Path(drafts) / FILE, Path(drafts) / PLACES))
        for file in (FILE, PLACES):
            (Path(drafts) / file).replace(folder / file)
    ShippedOnnx(
        folder=folder,
        revision=encoder.description.revision,
        input_size=list(encoder.description.preprocessing["input_size"]),
        dimension=encoder.dimension,
        sha256=digest(folder / FILE),
        sha256_of_places=digest(folder / PLACES),
    ).write()
    return folder / FILE


def _export(encoder: Encoder, folder: Path, most: int) -> None:
    """The vectors' graph with all weights, and the places' graph, which finds its large ones in that file.

    Args:
        most: bytes. The largest matrices are rounded to 16 bits until the file has no more.
    """
    import onnx
    import torch

    size = encoder.description.preprocessing["input_size"]
    example = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    program = torch.onnx.export(
        _both_outputs(encoder.network),
        (example,),
        dynamo=True,
        dynamic_shapes=({0: batch},),
        input_names=["images"],
        output_names=["vectors", "places"],
        optimize=True,
        verbose=False,
    )
    assert program is not None  # as `dynamo` promises
    model = program.model_proto
    _forget_where_it_was_made(model)
    # Matrices of ray_jobs.train lie in 16 bits beside the file, so that storing them so here loses nothing.
    exact = [each for each in _large(model) if np.array_equal(each[1].astype(np.float16), each[1])]
    _halve(model, [tensor for tensor, _ in exact])
    for tensor, _ in sorted(_large(model), key=lambda each: each[1].size, reverse=True):
        if _part(model, "vectors").ByteSize() <= most:
            break
        _halve(model, [tensor])
    vectors, places = (_part(model, output) for output in ("vectors", "places"))
    if vectors.ByteSize() > most:
        size = vectors.ByteSize()
        raise SimileError(f"the ONNX file would have {size:,} bytes, expected at most {most:,}")
    onnx.save(vectors, folder / FILE)
    _share(places, (folder / FILE).read_bytes())
    onnx.save(places, folder / PLACES)


def _part(model: Any, output: str) -> Any:
    """What of the graph leads from the images to one output; without shapes in between and names of steps,
    which an engine finds out and makes up.
    """
    from onnx.utils import Extractor

    part = Extractor(model).extract_model(["images"], [output])
    del part.graph.value_info[:]
    for node in part.graph.node:
        node.name = ""
    return part


def _both_outputs(network: Any) -> torch.nn.Module:
    import torch

    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.network(images), self.network.spatial(images)

    return Both().eval()


def _forget_where_it_was_made(model: Any) -> None:
    """Stack traces of the exporter: they name folders of this machine, and are a third of a small file."""
    del model.metadata_props[:]
    for graph in (model.graph, *model.functions):
        del graph.metadata_props[:]
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
        for value in (*getattr(graph, "value_info", ()), *getattr(graph, "initializer", ())):
            del value.metadata_props[:]


def _large(model: Any) -> list[tuple[Any, np.ndarray]]:
    """Initialisers of 32-bit floats that are worth being stored in 16 bits, and their values."""
    from onnx import TensorProto, numpy_helper

    floats = [each for each in model.graph.initializer if each.data_type == TensorProto.FLOAT]
    return [(each, values) for each in floats if (values := numpy_helper.to_array(each)).size >= _SMALL]


def _halve(model: Any, tensors: list[Any]) -> None:
    """Store initialisers in 16 bits; a cast before their use makes them floats of 32 bits again."""
    from onnx import TensorProto, helper, numpy_helper

    for tensor in tensors:
        name, stored = tensor.name, f"{tensor.name}_16"
        halves = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(halves, stored))
        model.graph.node.insert(0, helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))


def _share(model: Any, other: bytes) -> None:
    """Let initialisers that lie in the file `FILE` as well be read from there."""
    from onnx import TensorProto

    for tensor in model.graph.initializer:
        at = other.find(tensor.raw_data) if len(tensor.raw_data) >= _SMALL else -1
        if at < 0:
            continue
        where = {"location": FILE, "offset": at, "length": len(tensor.raw_data)}
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))


def _compare(encoder: Encoder, made: OnnxNetwork) -> None:
    size = encoder.description.preprocessing["input_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (_PICTURES, *size), dtype=np.uint8)
    expected, found = encoder.encode_tensor(pixels), made(encoder.normalised(pixels))
    places = encoder.spatial(pixels[:1]), made.spatial(encoder.normalised(pixels[:1]))
    pairs = [(expected, found), tuple(each.reshape(1, -1) for each in places)]
    cosine = min(_least_cosine(*pair) for pair in pairs)
    if not cosine >= LEAST_COSINE:
        raise SimileError(
            f"the ONNX file of '{encoder.name}' gives other vectors than torch: a cosine of {cosine:.5f}, "
            f"expected {LEAST_COSINE} or more"
        )


def _least_cosine(expected: np.ndarray, found: np.ndarray) -> float:
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    return float(((expected * found).sum(1) / norms).min())


if __name__ == "__main__":
    main()
