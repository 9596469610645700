"""A version in slices by id, each of which a process can read by itself. Ids are hashes: slices are even."""

from dataclasses import dataclass
from uuid import UUID

__all__ = ["WHOLE", "IdSlice", "id_slices", "slices_for"]

_POINTS = 4096  # of a slice: a few seconds of work, and 16 MB of 512 floats and codes
_MOST = 4096  # slices
_IDS = 2**128


@dataclass(frozen=True)
class IdSlice:
    """The ids from `first` on and below `end`; None: no bound on this side."""

    first: str | None = None
    end: str | None = None

    def holds(self, point_id: str) -> bool:
        """Whether an id is in it."""
        return (self.first is None or point_id >= self.first) and (self.end is None or point_id < self.end)


WHOLE = IdSlice()


def id_slices(count: int) -> list[IdSlice]:
    """`count` slices that hold every id once, in order.

    >>> id_slices(2)[0]
    IdSlice(first=None, end='80000000-0000-0000-0000-000000000000')
    """
    ends = [str(UUID(int=_IDS * at // count)) for at in range(1, count)]
    return [IdSlice(first, end) for first, end in zip([None, *ends], [*ends, None], strict=True)]


def slices_for(points: int) -> list[IdSlice]:
    """Slices of some 4,096 points each, at most 4,096."""
    return id_slices(max(1, min(_MOST, round(points / _POINTS))))
