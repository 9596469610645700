"""Vectors, codes and labels -> how good retrieval is, for ray_jobs/evaluate.py and ray_jobs/report.py.

Pure functions are exported here. pool.py reads what is measured, run.py and engine.py measure it.
"""

from pipeline.evaluation.metrics import (
    TieGroups,
    TieOrder,
    auc,
    average_precision,
    bootstrap_interval,
    expected_precision,
    ndcg_at,
    precision_at,
    recall_at,
)
from pipeline.evaluation.rankings import cosine_rankings, csls_offsets, hamming_groups

__all__ = [
    "TieGroups",
    "TieOrder",
    "auc",
    "average_precision",
    "bootstrap_interval",
    "cosine_rankings",
    "csls_offsets",
    "expected_precision",
    "hamming_groups",
    "ndcg_at",
    "precision_at",
    "recall_at",
]
