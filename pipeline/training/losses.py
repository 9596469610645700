"""Losses over batches. Pure functions; labels are (N,) int64."""

import torch
from torch.nn import functional as F  # noqa: N812

__all__ = ["distillation", "dsh", "hadamard", "orthohash", "target_codes"]


def hadamard(order: int) -> torch.Tensor | None:
    """(order, order) ±1 float32 with orthogonal rows, first row and column +1; None where none is built here.

    Sylvester's for powers of two; Paley's first for order = q + 1 with a prime q ≡ 3 (mod 4): 12, 20, 24,
    32, 44, 48, 60 … And the doubling of either.
    """
    if order in (1, 2):
        return torch.ones(1, 1) if order == 1 else torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    q = order - 1
    if q % 4 == 3 and all(q % d for d in range(2, int(q**0.5) + 1)):
        return _paley(q)
    half = hadamard(order // 2) if order % 2 == 0 else None
    if half is None:
        return None
    return torch.cat([torch.cat([half, half], 1), torch.cat([half, -half], 1)])


def _paley(q: int) -> torch.Tensor:
    residues = {x * x % q for x in range(1, q)}
    legendre = torch.tensor([0.0] + [1.0 if x in residues else -1.0 for x in range(1, q)])
    at = (torch.arange(q)[:, None] - torch.arange(q)[None]) % q
    matrix = torch.eye(q + 1)
    matrix[1:, 1:] += legendre[at]
    matrix[0, 1:], matrix[1:, 0] = 1.0, -1.0
    return matrix * matrix[0] * (matrix * matrix[0])[:, :1]  # the same up to signs of columns and rows


def target_codes(classes: int, bits: int, seed: int = 0) -> torch.Tensor:
    """(classes, bits) ±1 float32: the code that each class is to have.

    Rows of a Hadamard matrix where one of this order is known and large enough (Yuan et al., CSQ, CVPR
    2020), so that any two classes differ in exactly half of the bits; the constant first row is left out
    if possible. Otherwise the best of 2,000 random draws by smallest, then by mean distance.
    """
    matrix = hadamard(bits)
    if matrix is not None and classes <= bits:
        return matrix[1 : classes + 1] if classes < bits else matrix
    random = torch.Generator().manual_seed(seed)
    draws = [torch.randint(0, 2, (classes, bits), generator=random) * 2.0 - 1 for _ in range(2000)]
    return max(draws, key=_separation)


def _separation(codes: torch.Tensor) -> tuple[float, float]:
    pairs = torch.triu_indices(len(codes), len(codes), 1)
    distances = ((codes.shape[1] - codes @ codes.T) / 2)[pairs[0], pairs[1]]
    return distances.min().item(), distances.mean().item()


def orthohash(
    code: torch.Tensor, labels: torch.Tensor, targets: torch.Tensor, scale: float = 8.0, margin: float = 0.2
) -> torch.Tensor:
    """Cosine softmax to fixed codes (Hoe et al., "One loss for all: deep hashing with a single cosine
    similarity based learning objective", NeurIPS 2021): −log softmax(scale · (cos − margin at the label)).

    Maximising the cosine to a ±1 code also makes the logits equal in size, so no quantization term is
    needed.

    Args:
        code: (N, bits) hash logits.
        targets: (classes, bits) ±1.
        scale: of cosines, the inverse temperature.
        margin: taken off the cosine to the own class.
    """
    cosine = F.normalize(code, dim=1) @ F.normalize(targets, dim=1).T
    own = F.one_hot(labels, len(targets)).to(cosine.dtype)
    return F.cross_entropy(scale * (cosine - margin * own), labels)


def dsh(
    code: torch.Tensor, labels: torch.Tensor, margin: float | None = None, alpha: float = 0.01
) -> torch.Tensor:
    """Deep supervised hashing (Liu et al., CVPR 2016), mean over all pairs i < j of the batch:

    ½ d² for a pair of one class, ½ max(margin − d², 0) for two classes, d the Euclidean distance, plus
    alpha · (‖|b_i| − 1‖₁ + ‖|b_j| − 1‖₁), which draws the logits to ±1.

    Args:
        code: (N, bits) hash logits, N ≥ 2.
        margin: of the squared distance; None: the paper's 2 · bits, half of the largest between codes.
        alpha: weight of the quantization term; the paper's 0.01.
    """
    limit = 2.0 * code.shape[1] if margin is None else margin
    at = torch.triu_indices(len(code), len(code), 1, device=code.device)
    squares = (code * code).sum(1)
    distance = (squares[:, None] + squares[None] - 2 * code @ code.T).clamp(min=0)[at[0], at[1]]
    same = (labels[:, None] == labels[None])[at[0], at[1]]
    pairs = 0.5 * torch.where(same, distance, (limit - distance).clamp(min=0)).mean()
    # Each image is in N − 1 of the N (N − 1) / 2 pairs: the mean over pairs counts it twice over N.
    return pairs + alpha * 2 * (code.abs() - 1).abs().sum(1).mean()


def distillation(student: torch.Tensor, teacher: torch.Tensor, temperature: float = 2.0) -> torch.Tensor:
    """KL from the teacher's softened classes to the student's (Hinton et al., 2015), times temperature².

    Args:
        student, teacher: (N, classes) logits.
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher / temperature, dim=1)
    return F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True) * temperature**2
