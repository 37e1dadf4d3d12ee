"""People's rewards as mixtures of a few that they share: LoRe (2504.14439), PReF (2503.06358).

`r_u(x) = (mean + V w_u)' x`: `mean` fits everyone's pairs best, the columns of `V` are the ways in
which people differ most from it, and `w_u` is a few numbers of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ipse.rewards.learning import Arrays, Compared, Floats, compressed, laplace

__all__ = ["LowRank", "Online"]

_FLOOR = 1e-3
"""The least variance of a weight, of the average one: none is held to be the same in everybody."""

_STEPS = 2
"""Of Newton's method for each person in a round."""

_NAMES = ("points", "offset", "target", "own", "covariance", "weights")
"""The arrays of one person."""


@dataclass(frozen=True)
class LowRank:
    """Shared bases by expectation maximization, and one person's weights with their covariance.

    Attributes:
        rank: How many bases: the ways in which people differ most.
        width: In how many directions rewards may lie: those in which compared texts differ most.
        prior: How many times surer than people are spread that a new one is like the rest: what one
            says at one time is of one mood and one subject, and counts for less than it seems.
        noise: How often an answer is a slip.
        ridge: How hard everyone's reward is held to none.
        rounds: Of expectation maximization.
        most: How many pairs of each person the bases are learned from.
    """

    rank: int = 32
    width: int = 64
    prior: float = 4.0
    noise: float = 0.05
    ridge: float = 3.0
    rounds: int = 5
    most: int = 200

    def fit(self, people: Sequence[Compared]) -> Arrays:
        """Learn `mean` (width,) and `bases` (width, rank) from people with at least a pair each.

        A person's weights are `mean + w`, `w` of a Gaussian that everyone shares. Its covariance is
        the mean of `w w'` and of how unsure each `w` is, found by turns with the weights.
        """
        some = [one.some(slice(-self.most, None)) for one in people]
        onto, near, mean = compressed(some, self.width, self.ridge)
        spread = self._spread(near, mean)
        # The ways that matter most are those in which margins of real pairs differ, not weights.
        wide = np.sqrt(np.mean(np.concatenate([one.apart for one in near]) ** 2, axis=0) + 1e-12)
        values, vectors = np.linalg.eigh(spread * np.outer(wide, wide))
        best = vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0)) / wide[:, None]
        return {"mean": onto @ mean, "bases": onto @ best[:, : self.rank]}

    def infer(self, shared: Arrays, own: Compared) -> Arrays:
        """Learn a person's weights; `Online` says what the arrays are."""
        return Online.begun(shared, self.prior).told(shared, own, self.noise).arrays

    def update(self, shared: Arrays, known: Arrays, new: Compared) -> Arrays:
        """Learn what `infer` would of old and new pairs together, from where the old ones led."""
        return Online.read(known, self.prior).told(shared, new, self.noise).arrays

    def reward(self, shared: Arrays, own: Arrays, texts: Floats) -> Floats:
        """Say how much a person likes texts, (texts,)."""
        del shared
        return texts @ np.asarray(own["weights"], np.float64)

    def _spread(self, people: Sequence[Compared], mean: Floats) -> Floats:
        """Find how weights are spread over people, (width, width)."""
        pairs = [(one.apart, self._target(one), one.apart @ mean) for one in people]
        width = len(mean)
        size = sum(float((apart**2).sum()) for apart, *_ in pairs) / sum(map(len, people))
        spread = np.eye(width) / max(size, 1e-12)
        weights = [np.zeros(width) for _ in people]
        for _ in range(self.rounds):
            floor = _FLOOR * np.trace(spread) / width
            precision = np.linalg.inv(spread + floor * np.eye(width))
            total = np.zeros((width, width))
            for place, (apart, target, offset) in enumerate(pairs):
                # A round begins where the last one ended, so that a few steps are enough.
                found, sure = laplace(
                    apart, target, offset, precision, weights[place], steps=_STEPS
                )
                weights[place] = found
                total += np.outer(found, found) + np.linalg.inv(sure)
            spread = total / len(people)
        return spread

    def _target(self, pairs: Compared) -> Floats:
        return np.where(pairs.tie, 0.5, 1 - self.noise)


@dataclass(frozen=True, eq=False)
class Online:
    """A person's weights and all that another answer needs to change them, in `rank` numbers each.

    Attributes:
        prior: As in `LowRank`.
        points: Each pair's difference in the bases, (pairs, rank).
        offset: Each pair's margin under everyone's reward, (pairs,).
        target: How probably the first was preferred, (pairs,).
        own: The weights of the bases, (rank,); 0 is the population.
        covariance: How unsure they are, (rank, rank).
        weights: The linear reward, in what describes a text: `mean + bases own`.
    """

    prior: float
    points: Floats
    offset: Floats
    target: Floats
    own: Floats
    covariance: Floats
    weights: Floats

    @classmethod
    def begun(cls, shared: Arrays, prior: float) -> Online:
        """Give one of whom nothing is known: the population's reward."""
        rank = shared["bases"].shape[1]
        flat = np.zeros(0)
        mean, unsure = np.asarray(shared["mean"], np.float64), np.eye(rank) / prior
        return cls(prior, np.zeros((0, rank)), flat, flat, np.zeros(rank), unsure, mean)

    @classmethod
    def read(cls, arrays: Arrays, prior: float) -> Online:
        """Read what `arrays` gave."""
        return cls(prior, *(np.asarray(arrays[name], np.float64) for name in _NAMES))

    @property
    def arrays(self) -> Arrays:
        """All of it, as arrays to keep, in so few digits that rounding on the way is not seen."""
        return {name: getattr(self, name).astype(np.float32) for name in _NAMES}

    def told(self, shared: Arrays, new: Compared, noise: float) -> Online:
        """Give it after more pairs: Newton's method, from where it stood."""
        bases, mean = (np.asarray(shared[name], np.float64) for name in ("bases", "mean"))
        apart = new.apart
        # As they are kept: what is learned at once is what is learned bit by bit.
        points = np.concatenate([self.points, _kept(apart @ bases)])
        offset = np.concatenate([self.offset, _kept(apart @ mean)])
        target = np.concatenate([self.target, _kept(np.where(new.tie, 0.5, 1 - noise))])
        prior = self.prior * np.eye(len(self.own))
        near = _inverse(self.covariance) if len(self.points) > len(new) else None
        own, sure = laplace(points, target, offset, prior, self.own, near)
        weights = mean + bases @ own
        return Online(self.prior, points, offset, target, own, _inverse(sure), weights)


def _inverse(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _kept(numbers: Floats) -> Floats:
    return numbers.astype(np.float32).astype(np.float64)
