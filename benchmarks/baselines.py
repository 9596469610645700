"""Other programs that index the same pictures: a plain loop of timm and qdrant-client, and DeepImageSearch.

Both use the same network with random weights, which take as long as trained ones and need no download. Of
DeepImageSearch there is the package itself, in an environment of its own that takes several GB, and the loop
of its indexer written down again, step by step, for where that is too much.
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from qdrant_client import QdrantClient, models
from timm.data import create_transform, resolve_model_data_config

__all__ = ["BATCH", "PROGRAMS", "VERSION", "run_deep_image_search", "run_program"]

VERSION = "3.0.3"  # of DeepImageSearch
BATCH = 64  # of both programs
_ROOT = Path(__file__).resolve().parent.parent
_PROGRAM = """
import json, sys, time
from pathlib import Path
began = time.perf_counter()
from DeepImageSearch.core.embeddings import TimmEmbedding
from DeepImageSearch.core.indexer import Indexer
from DeepImageSearch.metadatastore.json_store import JsonMetadataStore
from DeepImageSearch.vectorstores.qdrant_store import QdrantStore
folder, store, pixels = sys.argv[1], sys.argv[2], int(sys.argv[3])
network = TimmEmbedding("tf_efficientnet_lite0", pretrained=False, image_size=pixels)
vectors = QdrantStore(path=store, dimension=network.dimension)
indexer = Indexer(network, vectors, JsonMetadataStore())
files = sorted(str(file) for file in Path(folder).iterdir())
loaded = time.perf_counter()
done = indexer.index(files)
print(json.dumps({"images": done, "seconds": time.perf_counter() - loaded, "start_up": loaded - began}))
"""


def run_deep_image_search(folder: Path, work: Path, pixels: int) -> dict[str, Any]:
    """Index `folder` by DeepImageSearch, in a virtual environment of its own.

    Returns images, seconds and start_up (loading).

    Args:
        folder: image files.
        work: where the environment (several GB) and the store are made.
        pixels: input size of the network.
    """
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
        package = f"DeepImageSearch[qdrant]=={VERSION}"
        subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=True)
    command = [str(python), "-c", _PROGRAM, str(folder), str(work / "store"), str(pixels)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout.strip().splitlines()[-1])


def run_program(name: str, folder: Path, store: Path, pixels: int) -> dict[str, Any]:
    """Index `folder` by one of `PROGRAMS`, in a process of its own: images, seconds, start_up (loading)."""
    command = [sys.executable, "-m", "benchmarks.baselines", name, str(folder), str(store), str(pixels)]
    run = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def _plain_loop(folder: Path, store: str, pixels: int) -> tuple[int, float]:
    """Index every picture of a folder; their number, and when everything was loaded."""
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval()
    transform = create_transform(**resolve_model_data_config(model) | {"input_size": (3, pixels, pixels)})
    client = QdrantClient(path=store)
    client.create_collection(
        "plain", vectors_config=models.VectorParams(size=1280, distance=models.Distance.COSINE)
    )
    files = sorted(folder.iterdir())
    loaded = time.perf_counter()
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        tensors = torch.stack([transform(Image.open(file).convert("RGB")) for file in batch])
        with torch.inference_mode():
            vectors = model(tensors).numpy()
        client.upsert(
            "plain",
            [
                models.PointStruct(id=start + i, vector=vector.tolist(), payload={"file": file.name})
                for i, (file, vector) in enumerate(zip(batch, vectors, strict=True))
            ],
        )
    return len(files), loaded


def _deep_image_search(folder: Path, store: str, pixels: int) -> tuple[int, float]:
    """What `Indexer.index` of DeepImageSearch 3.0.3 does with its `TimmEmbedding` and `QdrantStore`.

    A batch is loaded whole; each picture is squashed to the input size by torchvision and normalised; the
    network runs without its last layer, in eager torch; vectors are normalised, and go with their metadata
    to qdrant-client's local mode. Its file of metadata, its log and its bar are left out.
    """
    from torchvision import transforms

    base = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model = torch.nn.Sequential(*list(base.children())[:-1]).eval()
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    preprocess = transforms.Compose(
        [
            transforms.Resize((pixels, pixels)),
            transforms.ToTensor(),
            transforms.Normalize(mean=mean, std=deviation),
        ]
    )
    client = QdrantClient(path=store)
    client.create_collection(
        "images", vectors_config=models.VectorParams(size=1280, distance=models.Distance.COSINE)
    )
    files = sorted(folder.iterdir())
    loaded = time.perf_counter()
    for start in range(0, len(files), BATCH):
        batch, images = files[start : start + BATCH], []
        for file in batch:
            image = Image.open(file)
            image.load()
            images.append(image)
        with torch.no_grad():
            features = model(torch.stack([preprocess(image.convert("RGB")) for image in images])).flatten(1)
            features = features / features.norm(dim=-1, keepdim=True)
        points = [
            models.PointStruct(
                id=str(uuid.uuid5(uuid.NAMESPACE_URL, str(file))),
                vector=vector.tolist(),
                payload={"image_index": start + at, "image_name": file.name, "image_path": str(file)},
            )
            for at, (file, vector) in enumerate(zip(batch, features.numpy(), strict=True))
        ]
        client.upsert("images", points)
    return len(files), loaded


PROGRAMS: dict[str, Callable[[Path, str, int], tuple[int, float]]] = {
    "plain loop, timm + qdrant-client": _plain_loop,
    f"the loop of DeepImageSearch {VERSION}": _deep_image_search,
}


def _main(name: str, folder: str, store: str, pixels: str) -> None:
    began = time.perf_counter()
    images, loaded = PROGRAMS[name](Path(folder), store, int(pixels))
    seconds = time.perf_counter() - loaded
    print(json.dumps({"images": images, "seconds": seconds, "start_up": loaded - began}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
