"""Try whether a store takes points."""

import os
import socket

import numpy as np

from pipeline.config import CollectionConfig
from pipeline.errors import SimileError
from pipeline.store.protocol import Store, vector_params
from pipeline.store.versions import PROBE

__all__ = ["check_writable"]


def check_writable(store: Store, config: CollectionConfig) -> None:
    """Write one point and read it back, in a version that no other job uses.

    Raises:
        SimileError: the store cannot be written, or does not count the point.
    """
    version = f"{config.collection}{PROBE}{socket.gethostname()}-{os.getpid()}"
    try:
        store.create(version, config, vector_params(config, {"probe": 2}, {}), {})
        point = "00000000-0000-0000-0000-000000000001"
        store.upsert(version, [point], {"probe": np.ones((1, 2), np.float32)}, [{}])
        if store.count(version) != 1:
            raise SimileError(f"The store at {store.address} accepted a point but does not count it.")
    except OSError as error:
        raise SimileError(f"The store at {store.address} cannot be written: {error}.") from error
    finally:
        store.drop(version)
