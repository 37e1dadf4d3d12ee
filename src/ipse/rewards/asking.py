"""Which two answers to ask a person about next, and when there is nothing left to ask.

uncertainty   the pair whose difference is least sure: PReF (2503.06358, section 4.2)
elimination   the best against the one that could beat it most: UserAlign (2511.02966)
random        any pair, for comparison
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ipse.errors import UsageError, unknown
from ipse.rewards.learning import Floats

__all__ = ["ASKING", "Asking", "Belief", "Question", "ask"]

Asking = Literal["uncertainty", "elimination", "random"]
"""How the next pair is chosen."""

ASKING: tuple[Asking, ...] = get_args(Asking)

_DRAWS = 1000
"""Rewards that are drawn from what is believed."""

_LEFT = 50
"""Of them, at least so many stay, however much was said: those that contradict it least."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of a person's rewards of some texts: `offset + points w`, `w` a Gaussian.

    Attributes:
        points: The texts, (texts, rank).
        offset: Their rewards where nothing is known of the person, (texts,).
        own: The mean of the person's weights, (rank,).
        covariance: How unsure they are, (rank, rank).
    """

    points: Floats
    offset: Floats
    own: Floats
    covariance: Floats

    @property
    def rewards(self) -> Floats:
        """The rewards that are likeliest, (texts,)."""
        return np.asarray(self.offset + self.points @ self.own)

    def unsure(self, first: int, second: int) -> float:
        """Give the standard deviation of the difference of two rewards, in logits."""
        apart = self.points[first] - self.points[second]
        return float(np.sqrt(max(0.0, apart @ self.covariance @ apart)))


@dataclass(frozen=True)
class Question:
    """Two texts to ask about, by their places.

    Attributes:
        first: The one that is likelier to be liked.
        second: The other.
        unsure: The standard deviation of the difference of their rewards, in logits.
        regret: By how much the best text could turn out worse than another, in logits: the most
            over draws from what is believed, less those that what was said rules out.
        best: The text that is likeliest the best.
    """

    first: int
    second: int
    unsure: float
    regret: float
    best: int


def ask(
    belief: Belief,
    told: Collection[tuple[int, int]] = (),
    by: Asking = "uncertainty",
    seed: int = 0,
) -> Question:
    """Choose the pair to ask about next.

    Args:
        belief: What is believed of the person.
        told: What they said of these texts: chosen and rejected, by place.
        by: How it is chosen.
        seed: Of what is drawn.

    Returns:
        The question; of pairs that were told, none is asked again while there is another.

    Raises:
        UsageError: If there are fewer than two texts.
        Unknown: If there is no such way to choose.
    """
    count = len(belief.offset)
    if by not in ASKING:
        raise unknown("way to ask", by, ASKING)
    if count < 2:
        raise UsageError(f"a question is about two of several texts; got {count}")
    chance = np.random.default_rng(seed)
    pairs = np.column_stack(np.triu_indices(count, 1))
    known = {frozenset(pair) for pair in told}
    new = [n for n, pair in enumerate(pairs.tolist()) if frozenset(pair) not in known]
    pairs = pairs[new] if new else pairs
    rewards = belief.rewards
    best = int(rewards.argmax())
    over = _over(belief, [*told], chance, best)  # (texts,)
    if by == "random":
        pair = pairs[chance.integers(len(pairs))]
    elif by == "uncertainty":
        apart = belief.points[pairs[:, 0]] - belief.points[pairs[:, 1]]
        pair = pairs[np.einsum("nk,kl,nl->n", apart, belief.covariance, apart).argmax()]
    else:
        with_best = pairs[(pairs == best).any(1)]
        some = with_best if len(with_best) else pairs
        pair = some[np.maximum(over[some[:, 0]], over[some[:, 1]]).argmax()]
    first, second = sorted(map(int, pair), key=lambda place: -rewards[place])
    regret = float(over.max())
    return Question(first, second, belief.unsure(first, second), regret, best)


def _over(
    belief: Belief, told: Sequence[tuple[int, int]], chance: np.random.Generator, best: int
) -> Floats:
    """Give by how much each text could be better than the best, over draws that are left."""
    root = np.linalg.cholesky(belief.covariance + 1e-12 * np.eye(len(belief.own)))
    drawn = belief.own + chance.standard_normal((_DRAWS, len(belief.own))) @ root.T
    values = belief.offset[:, None] + belief.points @ drawn.T  # (texts, draws)
    if told:
        chosen, rejected = np.array(told).T
        wrong = (values[chosen] < values[rejected]).sum(0)  # (draws,)
        values = values[:, np.argsort(wrong, kind="stable")[: max(_LEFT, int((wrong == 0).sum()))]]
    return np.asarray((values - values[best]).max(1))
