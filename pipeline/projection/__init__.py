"""Raw network outputs -> prepared vectors and ±1 codes: centre, whiten, rotate."""

from pipeline.projection.fit_projection import fit_projection
from pipeline.projection.projection import Projection, identity, read_tensors, vectors_fingerprint

__all__ = ["Projection", "fit_projection", "identity", "read_tensors", "vectors_fingerprint"]
