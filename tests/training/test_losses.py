"""Losses on cases that can be worked out by hand."""

import math

import pytest
import torch

from pipeline.training.losses import distillation, dsh, hadamard, orthohash, target_codes


def test_dsh_pulls_one_class_together_and_pushes_two_apart_up_to_the_margin() -> None:
    code = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    # Squared distances: 4 (0–1), 8 (0–2), 4 (1–2). All logits are ±1, so nothing is lost to quantization.
    same = torch.tensor([0, 0, 1])
    # pairs: ½·4 (one class), ½·max(4 − 8, 0) = 0, ½·max(4 − 4, 0) = 0; margin 2 · 2 bits = 4
    assert dsh(code, same).item() == pytest.approx(2 / 3)
    assert dsh(code, same, margin=10.0).item() == pytest.approx((2 + 1 + 3) / 3)


def test_dsh_charges_what_is_not_a_bit() -> None:
    code = torch.tensor([[0.5, -2.0], [0.5, -2.0]])
    # one pair at distance 0; per image |0.5 − 1| + |2 − 1| = 1.5, two images, alpha 0.01
    assert dsh(code, torch.tensor([3, 3])).item() == pytest.approx(0.03)
    assert dsh(code, torch.tensor([3, 3]), alpha=1.0).item() == pytest.approx(3.0)


def test_orthohash_is_a_softmax_of_cosines_less_a_margin() -> None:
    targets = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    code = torch.tensor([[3.0, 3.0]])  # cosine 1 to the first target and 0 to the second, whatever its length
    expected = -math.log(math.exp(2 * 0.8) / (math.exp(2 * 0.8) + 1))
    assert orthohash(code, torch.tensor([0]), targets, scale=2.0, margin=0.2).item() == pytest.approx(
        expected
    )
    wrong = orthohash(code, torch.tensor([1]), targets, scale=2.0, margin=0.2)
    assert wrong.item() == pytest.approx(-math.log(math.exp(-0.4) / (math.exp(2) + math.exp(-0.4))))


def test_distillation_is_nothing_for_equal_classes_and_a_divergence_otherwise() -> None:
    even, sure = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    assert distillation(sure + 5, sure).item() == pytest.approx(0, abs=1e-6)  # a constant changes no softmax
    # KL((¾, ¼) ‖ (½, ½)) at temperature 1
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert distillation(even, sure, temperature=1.0).item() == pytest.approx(expected)


@pytest.mark.parametrize("order", [2, 4, 12, 16, 20, 24, 32, 40, 48, 64])
def test_rows_of_a_hadamard_matrix_are_orthogonal(order: int) -> None:
    matrix = hadamard(order)
    assert matrix is not None
    assert torch.equal(matrix.abs(), torch.ones(order, order))
    assert torch.equal(matrix @ matrix.T, order * torch.eye(order))


@pytest.mark.parametrize("bits", [12, 16, 24, 32, 48, 64])
def test_two_classes_differ_in_half_of_the_bits(bits: int) -> None:
    codes = target_codes(10, bits)
    assert codes.shape == (10, bits)
    assert torch.equal(codes @ codes.T, bits * torch.eye(10))  # D − 2h = 0 for h = D / 2


def test_codes_without_a_hadamard_matrix_are_far_apart_and_fixed() -> None:
    assert hadamard(36) is None
    codes = target_codes(10, 36)
    distances = (36 - codes @ codes.T) / 2 + 36 * torch.eye(10)
    assert distances.min() >= 12  # a single random draw has pairs at 9 to 11 of 36
    assert torch.equal(codes, target_codes(10, 36))
