"""After the load, before the switch: how near two random pictures of a version are."""

from typing import Any

from pipeline.calibration import SAMPLE, calibrate
from pipeline.store import Store
from pipeline.store.bulk import read_points

__all__ = ["calibrate_version"]


def calibrate_version(store: Store, version: str, encoders: list[dict[str, Any]]) -> None:
    """Enter `calibration` in each of the manifest's `encoders`; nothing where there is no pair of pictures.

    The sample is the first 4,000 points by id; ids are hashes, so it is a fair one.
    """
    for facts in encoders:
        points = read_points(store, version, [facts["vector"], facts["code"]], [], SAMPLE)
        if len(points.ids) > 1:
            facts["calibration"] = calibrate(points.vectors[facts["vector"]], points.vectors[facts["code"]])
