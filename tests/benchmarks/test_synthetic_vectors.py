"""Synthetic vectors look like prepared ones, and are the same whenever they are asked for."""

import numpy as np

from benchmarks.synthetic_vectors import FIELDS, payloads, prepared_vectors


def test_the_same_rows_are_the_same_vectors() -> None:
    assert np.array_equal(prepared_vectors(0, 300, 1_000, 32), prepared_vectors(0, 300, 1_000, 32))
    assert not np.array_equal(prepared_vectors(0, 300, 1_000, 32), prepared_vectors(300, 600, 1_000, 32))


def test_no_component_carries_much_more_than_another() -> None:
    deviations = prepared_vectors(0, 5_000, 5_000, 64).std(axis=0)
    assert deviations.max() / deviations.min() < 2.0  # unturned, the first is 64 ** 0.35 = 4.3 times the last


def test_rows_of_one_cluster_are_near_each_other() -> None:
    rows = prepared_vectors(0, 1_000, 1_000, 64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1.0)
    nearest = np.sort(cosines, axis=1)[:, -10:]
    assert nearest.mean() > 0.5
    assert abs(np.median(cosines)) < 0.1


def test_two_fields_anded_leave_a_twenty_fifth() -> None:
    drawn = payloads(0, 10_000)
    both = sum(all(row[name] == f"{name} 1" for name in FIELDS) for row in drawn)
    assert 0.035 < both / len(drawn) < 0.045
