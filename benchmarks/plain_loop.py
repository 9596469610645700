"""What people write first: a `for` loop with timm and qdrant-client's local mode. Run by benchmarks.embed.

python -m benchmarks.plain_loop FOLDER STORE PIXELS
"""

import json
import sys
import time
from pathlib import Path

import timm
import torch
from PIL import Image
from qdrant_client import QdrantClient, models
from timm.data import create_transform, resolve_model_data_config

BATCH = 64  # of DeepImageSearch as well


def main(folder: str, store: str, pixels: int) -> None:
    """Index every picture of a folder; prints images and seconds, loading apart."""
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
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
