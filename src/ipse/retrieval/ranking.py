"""From scores to a choice: the best few, fused, recent, and not all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["blend", "fuse", "recency", "select", "top"]

Scores = NDArray[np.floating]
Order = NDArray[np.intp]
Likeness = Callable[[Order], NDArray[np.floating]]


def top(scores: Scores, count: int) -> Order:
    """Give the places of the best `count` scores, best first; of equals the later (newer) one.

    Args:
        scores: Scores of (documents,).
        count: How many to take.

    Returns:
        Places of (at most count,).
    """
    count = min(count, len(scores))
    if count <= 0:
        return np.empty(0, np.intp)
    # All that reach the count-th score stay in play, so that ties are broken by place alone.
    floor = np.partition(scores, len(scores) - count)[len(scores) - count]
    places = np.flatnonzero(scores >= floor)
    return places[np.lexsort((-places, -scores[places]))][:count]


def fuse(rankings: Sequence[Order], size: int, k: int = 60) -> NDArray[np.float64]:
    """Fuse rankings by their ranks: `score(d) = sum_r 1 / (k + rank_r(d))`.

    Reciprocal rank fusion, Cormack, Clarke and Buettcher (SIGIR 2009), k = 60.

    Args:
        rankings: Places, best first.
        size: How many documents there are.
        k: How little the first ranks stand out.

    Returns:
        Scores of (size,).
    """
    scores = np.zeros(size)
    for ranking in rankings:
        scores[ranking] += 1.0 / (k + 1 + np.arange(len(ranking)))
    return scores


def blend(first: Scores, second: Scores, weight: float) -> NDArray[np.float64]:
    """Mix two searches by their scores, each first brought to mean 0 and deviation 1.

    `weight z(first) + (1 - weight) z(second)`. Unlike ranks, scores say how sure a search is: one
    rare word may find a record that nothing else comes near. A search that finds all records alike
    has no say.

    Args:
        first: Scores of (documents,).
        second: Scores of (documents,).
        weight: The share of the first, in [0, 1].

    Returns:
        Scores of (documents,), in standard deviations.
    """
    return weight * _standard(first) + (1 - weight) * _standard(second)


def recency(size: int, half_life: float) -> NDArray[np.float64]:
    """Give weights that halve every `half_life` records towards the past; the newest has 1.

    Args:
        size: How many records there are, oldest first.
        half_life: In records; 0 weighs all alike.

    Returns:
        Weights of (size,).
    """
    if half_life <= 0:
        return np.ones(size)
    return np.power(0.5, np.arange(size - 1, -1, -1) / half_life)


def select(scores: Scores, count: int, diversity: float, likeness: Likeness) -> Order:
    """Choose the best few, trading score against likeness to what is chosen already.

    Maximal marginal relevance, Carbonell and Goldstein (SIGIR 1998), over the `4 count` best:
    `argmax_d (1 - diversity) s(d) - diversity max_{c chosen} likeness(c, d)`, s scaled to [0, 1].

    Args:
        scores: Scores of (documents,).
        count: How many to choose.
        diversity: 0 is by score alone, 1 by difference alone.
        likeness: Gives how alike some places are, as (places, places).

    Returns:
        Places of (at most count,), in the order chosen.
    """
    if diversity <= 0:
        return top(scores, count)
    pool = top(scores, 4 * count)
    relevance = scores[pool] / max(1e-9, float(scores[pool].max(initial=0.0)))
    near = likeness(pool)
    closest = np.zeros(len(pool))
    left = np.ones(len(pool), bool)
    chosen: list[int] = []
    while len(chosen) < min(count, len(pool)):
        value = np.where(left, (1 - diversity) * relevance - diversity * closest, -np.inf)
        best = int(value.argmax())
        chosen.append(best)
        left[best] = False
        closest = np.maximum(closest, near[:, best])
    return pool[chosen]


def _standard(scores: Scores) -> NDArray[np.float64]:
    """Bring scores to mean 0 and deviation 1; what differs by rounding alone stays next to 0."""
    if not len(scores):
        return np.zeros(0)
    apart: NDArray[np.float64] = scores - scores.mean(dtype=np.float64)
    return apart / max(1e-3, float(np.sqrt(np.mean(apart**2))))
