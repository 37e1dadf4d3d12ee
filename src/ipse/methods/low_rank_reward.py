"""`low-rank-reward`: what a person likes as a mixture of what people like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ipse.lm import Kept
from ipse.methods.base import Steps
from ipse.methods.features import described, scaled
from ipse.methods.learned_reward import LearnedReward, compared, judged, learner_of
from ipse.preferences import Pair, pairs
from ipse.records import Record, User
from ipse.rewards import Arrays, Belief, LowRank, Online
from ipse.state import State

__all__ = ["LowRankReward"]


@dataclass(frozen=True)
class LowRankReward(LearnedReward):
    """Reward answers by `mean + V w`, a few weights of the person's (2504.14439, 2503.06358).

    It changes no plan: it has a say where several answers are drawn, such as with
    `best-of-n:reward=none+low-rank-reward`. Another choice is learned online.

    Attributes:
        features: What texts are described by: `attributes`, `embedding` or both.
        rank: How many bases: the ways in which people differ most.
        width: In how many directions rewards may lie: those in which compared texts differ most.
        prior: How many times surer than people are spread that a new one is like the rest.
        noise: How often an answer is a slip.
        ridge: How hard everyone's reward is held to none.
        people: How many people the bases are learned from: the first who told a preference.
        most: How many pairs of each: the latest.
    """

    name: ClassVar[str] = "low-rank-reward"
    paper: ClassVar[str] = "2504.14439"
    stores: ClassVar[str] = "a linear reward, and `rank` numbers a pair"

    rank: int = 32
    width: int = 64
    prior: float = 4.0
    noise: float = field(default=0.05, metadata={"most": 0.5})
    ridge: float = 3.0

    def said(self, own: Arrays) -> Mapping[str, Any]:
        """Say how unsure the weights are: the mean standard deviation of the bases."""
        return {"unsure": round(float(np.sqrt(np.diag(own["covariance"]).mean())), 6)}

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Learn of new choices from where the old ones led; the time does not grow with people."""
        seen = set(state.lineage)
        new = [record for record in judged(user) if record.id not in seen]
        if not new:  # a state of its own, so that it is kept as one of these records
            return State(state.facts, state.arrays, state.lineage)
        told = pairs(User(user.id, tuple(new)), ties=True)
        if shared is None or len(told) < len(new) or _touched(user, seen, told):
            return self.enroll(user, shared)
        return self._more(state, shared, new, told)

    def belief(
        self, question: str, texts: Sequence[str], state: State | None, shared: str
    ) -> Steps[Belief]:
        """Say what is believed of a person's rewards of answers, and how surely.

        Args:
            question: What they answer.
            texts: The answers.
            state: What `enroll` learned; None of whom nothing is known.
            shared: The name of what `fit` learned.

        Returns:
            The belief.
        """
        arrays: Arrays = yield Kept(shared)
        found = yield from described(self.features, [question] * len(texts), texts)
        near = scaled(arrays, found)
        bases, mean = (np.asarray(arrays[name], np.float64) for name in ("bases", "mean"))
        known = Online.read(state.arrays, self.prior) if state else Online.begun(arrays, self.prior)
        return Belief(near @ bases, near @ mean, known.own, known.covariance)

    @property
    def learner(self) -> LowRank:
        """What learns."""
        return learner_of(LowRank, self)

    def _more(
        self, state: State, shared: State, new: Sequence[Record], told: Sequence[Pair]
    ) -> Steps[State | None]:
        own = yield from compared(self.features, told, shared.arrays)
        arrays = self.learner.update(shared.arrays, state.arrays, own)
        pairs_known = state.facts["pairs"] + len(told)
        facts = {**state.facts, "pairs": pairs_known, **self.said(arrays)}
        return State(facts, arrays, (*state.lineage, *(record.id for record in new)))


def _touched(user: User, seen: set[str], told: Sequence[Pair]) -> bool:
    """Whether what is new says something of what was judged before, or is of before it."""
    first = min((pair.time, pair.records[0]) for pair in told)
    latest = next((record for record in reversed(user.records) if record.id in seen), None)
    if latest is None:
        return False
    if (latest.time, latest.id) > first:
        return True
    prompts = {pair.prompt for pair in told}
    return any(
        record.input in prompts
        and record.id in seen
        and (record.kind != "preference" or _same(record, told))
        for record in user.records
    )


def _same(record: Record, told: Sequence[Pair]) -> bool:
    between = (record.input, frozenset((record.output, record.rejected)))
    return any(pair.between == between for pair in told)
