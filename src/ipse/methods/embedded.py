"""People as embeddings of what they wrote, for methods that learn from many people's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Embed
from ipse.methods.base import Steps
from ipse.methods.pairs import Answer, answers
from ipse.records import Record, User
from ipse.text import Match, document

__all__ = ["Parted", "central", "embedded", "parted", "silu", "unit"]

_WORDS = 32
"""The most words of a record's input; embedders read little and slowly."""

_ROUNDS = 20
"""How often centres are moved to the means of what is nearest to them."""


@dataclass(frozen=True)
class Parted:
    """A person's records, parted in time.

    Attributes:
        user: Who it is.
        later: Their latest answers, oldest of them first.
        earlier: Records that are strictly earlier than all of those.
    """

    user: User
    later: list[Answer]
    earlier: tuple[Record, ...]


def parted(user: User, records: int, history: int, given: int) -> Parted | None:
    """Part a person's records: the latest answers, and what was there before them.

    Args:
        user: The person.
        records: How many answers; at most half of all.
        history: How many earlier records: the latest.
        given: The most words of what an answer is to; both its ends are kept.

    Returns:
        Both; None where there is nothing later or nothing earlier.
    """
    own = answers(user, len(user), given)
    count = min(records, (len(own) + 1) // 2)
    if not count:
        return None
    later = own[-count:]
    earlier = user.before(user.record(later[0].record).time).latest(history)
    return Parted(user, later, earlier) if earlier else None


def embedded(people: Sequence[Sequence[Record]], match: Match) -> Steps[list[NDArray[np.float32]]]:
    """Embed people's records, all in one go.

    Args:
        people: The records of each.
        match: Which side of a record.

    Returns:
        Unit vectors of (records, width), person by person.
    """
    texts = tuple(document(record, match, _WORDS) for records in people for record in records)
    vectors: NDArray[np.float32] = yield Embed(texts)
    ends = list(accumulate(len(records) for records in people))
    return np.split(np.asarray(vectors), ends[:-1])


def silu(x: NDArray[Any]) -> NDArray[Any]:
    """Give `x sigmoid(x)`."""
    return np.asarray(x / (1 + np.exp(-x)))


def unit(vector: NDArray[Any]) -> NDArray[Any]:
    """Give a vector of length 1 in the same direction; none in particular stays none."""
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-6 else np.zeros_like(vector)


def central(points: NDArray[Any], count: int, seed: int) -> list[int]:
    """Choose points that stand for all: of each of some centres (k-means), the nearest.

    Args:
        points: The points, (points, width).
        count: How many; all of them where there are no more.
        seed: Of the points that it begins with.

    Returns:
        Different places, ascending.
    """
    if len(points) <= count:
        return list(range(len(points)))
    centres = points[np.random.default_rng(seed).permutation(len(points))[:count]]
    for _ in range(_ROUNDS):
        nearest = _apart(points, centres).argmin(1)  # (points,)
        means = [points[nearest == i].mean(0) for i in range(count) if np.any(nearest == i)]
        lonely = [centres[i] for i in range(count) if not np.any(nearest == i)]
        centres = np.stack([*means, *lonely])
    chosen: list[int] = []
    for distances in _apart(points, centres).T:
        distances[chosen] = np.inf
        chosen.append(int(distances.argmin()))
    return sorted(chosen)


def _apart(points: NDArray[Any], centres: NDArray[Any]) -> NDArray[Any]:
    """Give squared distances, (points, centres)."""
    return np.asarray(((points[:, None] - centres[None]) ** 2).sum(-1))
