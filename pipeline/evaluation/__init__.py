"""Vectors, codes and labels -> how good retrieval is. Pure functions; the jobs are ray_jobs/evaluate.py
and ray_jobs/report.py.
"""

from pipeline.evaluation.intervals import bootstrap_interval
from pipeline.evaluation.neighbours import cosine_rankings, csls_offsets, hamming_groups, unit
from pipeline.evaluation.pairs import auc
from pipeline.evaluation.ties import (
    TieGroups,
    TieOrder,
    average_precision,
    expected_precision,
    ndcg_at,
    precision_at,
    recall_at,
)

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
    "unit",
]
