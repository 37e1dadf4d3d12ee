"""Records that stand next to each other: an answer is found by its question, and the other way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.records import Record

__all__ = ["GAP", "sittings", "with_neighbors"]

GAP = 3600.0
"""Seconds of silence after which a conversation is another one."""


def sittings(records: Sequence[Record], gap: float = GAP) -> NDArray[np.int32]:
    """Number the conversations that records are of.

    Args:
        records: Oldest first.
        gap: Seconds of silence after which a conversation is another one.

    Returns:
        Numbers of (records,), ascending. Dialogue of one thread without a long silence shares one;
        any other record is by itself.
    """
    new = [
        one.kind != "dialogue"
        or other.kind != "dialogue"
        or one.meta.get("thread") != other.meta.get("thread")
        or (other.time - one.time).total_seconds() > gap
        for one, other in pairwise(records)
    ]
    return np.cumsum([0, *new], dtype=np.int32)[: len(records)]


def with_neighbors(
    scores: NDArray[np.floating],
    sittings: NDArray[Any],
    reach: int,
    near: float,
    ahead: float = 0.0,
) -> NDArray[np.float64]:
    """Add to each score a share of its neighbors' scores.

    `s'(i) = s(i) + near sum_{0 < |d| <= reach} s(i + d) + ahead s(i + 1)`, over the neighbors of
    the same sitting.

    Args:
        scores: Scores of (records,), oldest first.
        sittings: Which conversation each record is of, (records,).
        reach: How many neighbors on either side.
        near: The share of each.
        ahead: The share of the next one, besides: what is said next answers this.

    Returns:
        Scores of (records,).
    """
    total = scores.astype(np.float64)
    for step in range(1, min(reach, len(scores) - 1) + 1):
        same = sittings[step:] == sittings[:-step]
        total[:-step] += (near + (ahead if step == 1 else 0.0)) * scores[step:] * same
        total[step:] += near * scores[:-step] * same
    return total
