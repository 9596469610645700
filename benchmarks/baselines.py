"""Other programs that index the same pictures: a plain loop of timm and qdrant-client, and DeepImageSearch.

Both use the same network with random weights, which take as long as trained ones and need no download.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from qdrant_client import QdrantClient, models
from timm.data import create_transform, resolve_model_data_config

__all__ = ["BATCH", "VERSION", "index_in_a_loop", "run_deep_image_search"]

VERSION = "3.0.3"  # of DeepImageSearch
BATCH = 64  # of both programs
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


def index_in_a_loop(folder: str, store: str, pixels: int) -> None:
    """Index every picture of a folder; prints images, seconds and start_up (loading) as JSON."""
    began = time.perf_counter()
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval()
    transform = create_transform(**resolve_model_data_config(model) | {"input_size": (3, pixels, pixels)})
    client = QdrantClient(path=store)
    client.create_collection(
        "plain", vectors_config=models.VectorParams(size=1280, distance=models.Distance.COSINE)
    )
    files = sorted(Path(folder).iterdir())
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
    seconds = time.perf_counter() - loaded
    client.close()
    print(json.dumps({"images": len(files), "seconds": seconds, "start_up": loaded - began}))


if __name__ == "__main__":
    index_in_a_loop(sys.argv[1], sys.argv[2], int(sys.argv[3]))
