"""Which token sequences begin alike, and how to read them so that a beginning is read once.

Pure functions over lists of token ids. This file knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Group", "Row", "batches", "groups"]

_WORTH = 48
"""Saved tokens that pay for the extra forward pass of a shared beginning."""


@dataclass(frozen=True)
class Row:
    """One sequence to read.

    Attributes:
        ids: The tokens; the last one is a target too, so it is never read.
        start: Where the target begins; at least 1.
    """

    ids: tuple[int, ...]
    start: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """What is read: everything but the last target."""
        return self.ids[:-1]

    @property
    def shareable(self) -> tuple[int, ...]:
        """What may be read for several rows at once: all before the first state that is needed."""
        return self.ids[: self.start - 1]


@dataclass(frozen=True)
class Group:
    """Rows, by their index, and how many tokens of their beginning they share."""

    rows: tuple[int, ...]
    shared: int


def groups(rows: Sequence[Row]) -> list[Group]:
    """Split rows into groups so that sharing beginnings within groups saves the most tokens.

    Sorted by their tokens, rows that begin alike are neighbors, so the best split is one into runs
    of neighbors: `best[j] = max_i best[i] + saved(i..j)`.

    Args:
        rows: What is to be read.

    Returns:
        The groups; rows that share nothing worthwhile are one group without a shared beginning.
    """
    order = sorted(range(len(rows)), key=lambda i: rows[i].shareable)
    texts = [rows[i].shareable for i in order]
    best = [0] * (len(order) + 1)
    cut = list(range(len(order) + 1))  # where the run that ends here begins, and what it shares
    shared = [0] * (len(order) + 1)
    common = [0, *(_common(a, b) for a, b in pairwise(texts))]
    for end in range(1, len(order) + 1):
        best[end], cut[end] = best[end - 1], end - 1
        length = len(texts[end - 1])
        for begin in range(end - 2, -1, -1):
            length = min(length, common[begin + 1])
            if length == 0:
                break
            saved = best[begin] + (end - begin - 1) * length - _WORTH
            if saved > best[end]:
                best[end], cut[end], shared[end] = saved, begin, length
    return _collect(order, cut, shared)


def _collect(order: Sequence[int], cut: Sequence[int], shared: Sequence[int]) -> list[Group]:
    found: list[Group] = []
    alone: list[int] = []
    end = len(order)
    while end > 0:
        run = order[cut[end] : end]
        if len(run) > 1:
            found.append(Group(tuple(run), shared[end]))
        else:
            alone.extend(run)
        end = cut[end]
    return [*found, Group(tuple(alone), 0)] if alone else found


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return min(len(a), len(b))


def batches(lengths: Sequence[int], budget: int, most: int) -> Iterator[list[int]]:
    """Split items into batches of similar length.

    Args:
        lengths: Each item's length in tokens.
        budget: The most tokens in a batch, padding included; a longer item goes alone.
        most: The most items in a batch.

    Yields:
        The indices of a batch's items, longest item first.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        full = len(batch) == most
        if batch and (full or (len(batch) + 1) * lengths[batch[0]] > budget):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
