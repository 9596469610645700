"""Worked by hand, and against every permutation of the ties."""

import itertools

import numpy as np
import pytest

from pipeline.evaluation import (
    TieGroups,
    average_precision,
    expected_precision,
    ndcg_at,
    precision_at,
    recall_at,
)


def ranking(*relevant: int) -> TieGroups:
    return TieGroups.of_ranking(np.array([relevant], bool))


def groups(*members: tuple[int, int]) -> TieGroups:
    """(size, relevant) of each group of one query."""
    return TieGroups(np.array([[n for n, _ in members]]), np.array([[r for _, r in members]]))


def test_precision_and_recall_by_hand() -> None:
    hits = ranking(1, 0, 1, 1, 0)  # R = 3
    assert precision_at(hits, 3)[0] == pytest.approx(2 / 3)
    assert precision_at(hits, 5)[0] == pytest.approx(3 / 5)
    assert recall_at(hits, 1)[0] == pytest.approx(1 / 3)
    assert recall_at(hits, 4)[0] == 1


def test_average_precision_by_hand() -> None:
    hits = ranking(1, 0, 1, 1, 0)
    assert average_precision(hits)[0] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert average_precision(hits, hits.total)[0] == pytest.approx((1 / 1 + 2 / 3) / 3)  # AP@R, R = 3
    assert average_precision(hits, 2)[0] == pytest.approx(1 / 2)  # ÷ min(R, k) = 2


def test_ndcg_by_hand() -> None:
    gained, ideal = 1 + 1 / np.log2(4), 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert ndcg_at(ranking(1, 0, 1, 1, 0), 3)[0] == pytest.approx(gained / ideal)
    assert ndcg_at(ranking(1, 1, 0), 3)[0] == 1


def test_expected_ap_of_two_tied_hits_by_hand() -> None:
    # one relevant of two: at rank 1 (AP 1) or at rank 2 (AP 1/2)
    tied = groups((2, 1))
    assert average_precision(tied)[0] == pytest.approx(0.75)
    assert average_precision(tied, order="best")[0] == 1
    assert average_precision(tied, order="worst")[0] == 0.5


# Three hits at distance 0, one of them relevant; then a relevant and an irrelevant one, each alone: R = 2.
# The first relevant hit is at rank 1, 2 or 3, each as likely; the second is at rank 4 in any case.
TIED = ((3, 1), (1, 1), (1, 0))


def test_precision_and_recall_of_ties_by_hand() -> None:
    tied = groups(*TIED)
    for k, expected, best, worst in ((1, 1 / 3, 1, 0), (2, 2 / 3, 1, 0), (4, 2, 2, 2)):
        found = [precision_at(tied, k, order)[0] * k for order in ("expected", "best", "worst")]
        assert found == pytest.approx([expected, best, worst])
        found = [recall_at(tied, k, order)[0] * 2 for order in ("expected", "best", "worst")]
        assert found == pytest.approx([expected, best, worst])


def test_average_precision_of_ties_by_hand() -> None:
    tied = groups(*TIED)
    first, second = [1 / 1, 1 / 2, 1 / 3], 2 / 4
    every = [(precision + second) / 2 for precision in first]  # AP@all, R = 2
    assert average_precision(tied)[0] == pytest.approx(sum(every) / 3)
    assert average_precision(tied, order="best")[0] == pytest.approx(every[0])
    assert average_precision(tied, order="worst")[0] == pytest.approx(every[2])
    # AP@R looks at two hits: the first relevant one is there at rank 1, at rank 2, or not at all
    assert average_precision(tied, tied.total)[0] == pytest.approx((1 / 2 + 1 / 4 + 0) / 3)
    assert average_precision(tied, tied.total, "best")[0] == pytest.approx(1 / 2)
    assert average_precision(tied, tied.total, "worst")[0] == 0
    # AP@1 divides by min(R, 1) = 1
    assert average_precision(tied, 1)[0] == pytest.approx(1 / 3)


def test_ndcg_of_ties_by_hand() -> None:
    tied = groups(*TIED)
    gain = {rank: 1 / np.log2(rank + 1) for rank in (1, 2, 3, 4)}
    ideal = gain[1] + gain[2]
    every = [(gain[rank] + gain[4]) / ideal for rank in (1, 2, 3)]
    assert ndcg_at(tied, 4)[0] == pytest.approx(sum(every) / 3)
    assert ndcg_at(tied, 4, "best")[0] == pytest.approx(every[0])
    assert ndcg_at(tied, 4, "worst")[0] == pytest.approx(every[2])
    assert ndcg_at(tied, 2)[0] == pytest.approx((gain[1] + gain[2]) / 3 / ideal)


ORDERS = [
    [(3, 1), (0, 0), (4, 2), (1, 1)],
    [(1, 0), (5, 2), (2, 2)],
    [(2, 0), (3, 3), (3, 0)],
    [(8, 3)],
]


@pytest.mark.parametrize("members", ORDERS)
@pytest.mark.parametrize("k", [1, 3, 5, 8])
def test_every_permutation_agrees(members: list[tuple[int, int]], k: int) -> None:
    pools = [list(itertools.permutations([1] * r + [0] * (n - r))) for n, r in members]
    every = np.array([[x for pool in choice for x in pool] for choice in _some(pools)], bool)
    each = TieGroups.of_ranking(every)
    for measure in (precision_at, recall_at, average_precision, ndcg_at):
        values = measure(each, k)
        tied = groups(*members)
        assert measure(tied, k)[0] == pytest.approx(values.mean())
        assert measure(tied, k, "best")[0] == pytest.approx(values.max())
        assert measure(tied, k, "worst")[0] == pytest.approx(values.min())
    tied = groups(*members)
    for rank_of in (lambda _: None, lambda ranked: ranked.total):  # AP@all, AP@R
        values = average_precision(each, rank_of(each))
        assert average_precision(tied, rank_of(tied))[0] == pytest.approx(values.mean())
        assert average_precision(tied, rank_of(tied), "best")[0] == pytest.approx(values.max())
        assert average_precision(tied, rank_of(tied), "worst")[0] == pytest.approx(values.min())


def _some(pools: list[list[tuple[int, ...]]]) -> list[tuple[tuple[int, ...], ...]]:
    """All combinations; repeated ones are dropped evenly (every distinct order is equally often there)."""
    return list(itertools.product(*[sorted(set(pool)) for pool in pools]))


def test_irrelevant_hits_in_a_row_are_one_group() -> None:
    found = TieGroups.of_ranking(np.array([[0, 0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0]], bool))
    assert found.sizes.tolist() == [[2, 1, 1, 1, 2], [0, 1, 0, 0, 6]]
    assert found.relevant.tolist() == [[0, 1, 0, 1, 0], [0, 1, 0, 0, 0]]
    assert average_precision(found) == pytest.approx([(1 / 3 + 2 / 5) / 2, 1])
    assert precision_at(found, 3) == pytest.approx([1 / 3, 1 / 3])


def test_without_relevant_hits_there_is_no_value() -> None:
    nothing = ranking(0, 0)
    assert precision_at(nothing, 2)[0] == 0
    assert np.isnan([recall_at(nothing, 1)[0], average_precision(nothing)[0], ndcg_at(nothing, 2)[0]]).all()


def test_without_ties_expected_precision_is_the_share_of_relevant_hits() -> None:
    assert expected_precision(np.array([1, 2, 3, 4]), np.array([1, 0, 1, 1], bool), 3) == pytest.approx(2 / 3)


def test_ties_across_the_rank_count_in_proportion() -> None:
    # one sure hit; two of the four tied ones are relevant and one place is left: (1 + 1/2) / 2
    assert expected_precision(np.array([0, 5, 5, 5, 5]), np.array([1, 1, 0, 0, 1], bool), 2) == 0.75


def test_all_tied_is_the_share_of_relevant() -> None:
    assert expected_precision(np.zeros(4), np.array([1, 0, 0, 0], bool), 1) == 0.25


def test_too_few_hits_are_refused() -> None:
    with pytest.raises(ValueError, match="P@5 needs 5"):
        expected_precision(np.zeros(4), np.ones(4, bool), 5)
