"""A network that ONNX Runtime runs on a CPU."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.encoders.all_cores import threads_now
from pipeline.errors import SimileError

__all__ = ["OnnxNetwork"]


class OnnxNetwork:
    """(N, 3, H, W) float32 -> (N, D) float32; many threads may call it at once.

    For a call it uses as many threads as torch would in this process.
    """

    def __init__(self, file: Path, places: Path | None = None) -> None:
        """
        Args:
            places: the ONNX file of `spatial`, which is loaded when it is first called.

        Raises:
            RuntimeError: no whole ONNX file, or one with operators that ONNX Runtime does not know.
        """
        self._vectors = _session(file)
        self._places_file = places
        self._places: Any = None
        self._loading = threading.Lock()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return _run(self._vectors, images)

    def spatial(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> (N, h, w, D) float32: the embedding of each place.

        Raises:
            SimileError: there is no file for it.
        """
        if self._places_file is None:
            raise SimileError("its ONNX file has no output for places")
        with self._loading:
            self._places = self._places or _session(self._places_file)
        return _run(self._places, images)


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_now()
    # Threads that spin while they wait would take CPU time from those that decode and preprocess.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _run(session: Any, images: np.ndarray) -> np.ndarray:
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    return np.asarray(found)
