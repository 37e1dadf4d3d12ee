"""The life of a reward that is learned from pairs; what is learned, and how, is a learner's.

Everyone's part is learned of people who share. A person's state holds their own part, and names
everyone's, which is read when answers are rewarded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar, TypeVar

import numpy as np

from ipse.lm import Kept
from ipse.methods.base import Base, Level, Method, Rewards, Steps
from ipse.methods.features import described, scale, scaled
from ipse.plan import Plan
from ipse.preferences import Pair, pairs, rated
from ipse.records import Record, User
from ipse.rewards import Arrays, Compared, Learner
from ipse.state import State

__all__ = ["LearnedReward", "compared", "judged", "learner_of"]

L = TypeVar("L")


@dataclass(frozen=True)
class LearnedReward(Method):
    """Reward answers by what a learner found; each such method says which learner.

    It changes no plan: it has a say where several answers are drawn.

    Attributes:
        features: What texts are described by: `attributes`, `embedding` or both.
        people: How many people it is learned from: the first who told a preference.
        most: How many pairs of each: the latest.
    """

    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "embedder"
    shared: ClassVar[bool] = True

    features: str = "attributes embedding"
    people: int = 1000
    most: int = 200

    @property
    @abstractmethod
    def learner(self) -> Learner:
        """What learns, by this method's settings."""

    def said(self, own: Arrays) -> Mapping[str, Any]:
        """Say more of what was learned of a person, as facts of their state; by default nothing.

        Args:
            own: What was learned.

        Returns:
            The facts.
        """
        del own
        return {}

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn everyone's part of those who share; nothing where nobody told anything."""
        told: list[list[Pair]] = []
        lineage: list[str] = []
        for user in people:
            if len(told) == self.people:
                break
            if own := pairs(user, ties=True)[-self.most :]:
                told.append(own)
                lineage += [record.id for record in judged(user)]
        if not told:
            return None
        every = [pair for own in told for pair in own]
        found = yield from _measured(self.features, every)
        given = scale(self.features, np.concatenate([found.chosen, found.rejected]))
        ends = np.cumsum([0, *map(len, told)]).tolist()
        near = _scaled(given, found)
        each = [near.some(slice(*both)) for both in pairwise(ends)]
        facts = {"people": len(told), "pairs": len(every)}
        return State(facts, {**given, **self.learner.fit(each)}, tuple(lineage))

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Learn a person's part; who told nothing has the population's."""
        if shared is None:
            return None
        name, told = shared.kept_name, pairs(user, ties=True)
        own = yield from compared(self.features, told, shared.arrays)
        learned = self.learner.infer(shared.arrays, own)
        facts = {"shared": name, "pairs": len(told), **self.said(learned)}
        return State(facts, learned, tuple(record.id for record in judged(user)))

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Leave the plan as it is."""
        del user, state
        return plan

    def rewards(self, plan: Plan, texts: Sequence[str], user: User, state: State | None) -> Rewards:
        """Say how much the person likes each answer, in logits; None of whom nothing is known."""
        del user
        return None if state is None else self._rewards(plan.main.question, texts, state)

    def _rewards(self, question: str, texts: Sequence[str], state: State) -> Steps[Sequence[float]]:
        arrays: Arrays = yield Kept(state.facts["shared"])
        found = yield from described(self.features, [question] * len(texts), texts)
        liked = self.learner.reward(arrays, state.arrays, scaled(arrays, found))
        return [float(value) for value in liked]


def learner_of(kind: type[L], method: Method) -> L:
    """Give a learner whose settings are those of a method that have the same names."""
    settings: Any = kind
    known = {each.name for each in fields(method)}
    names = [each.name for each in fields(settings) if each.name in known]
    return kind(**{name: getattr(method, name) for name in names})


def judged(user: User) -> list[Record]:
    """Give the records that may say what a person prefers, oldest first."""
    return [r for r in user.records if r.kind == "preference" or rated(r) is not None]


def compared(features: str, told: Sequence[Pair], arrays: Arrays) -> Steps[Compared]:
    """Give pairs in numbers, made comparable; with none of them, of the width the arrays have."""
    if not told:
        nothing = np.zeros((0, len(arrays["centre"])))
        return Compared.of(nothing, nothing)
    found = yield from _measured(features, told)
    return _scaled(arrays, found)


def _measured(features: str, told: Sequence[Pair]) -> Steps[Compared]:
    prompts = [pair.prompt for pair in told]
    texts = [*(pair.chosen for pair in told), *(pair.rejected for pair in told)]
    found = yield from described(features, [*prompts, *prompts], texts)
    return Compared.of(found[: len(told)], found[len(told) :], [pair.tie for pair in told])


def _scaled(arrays: Arrays, found: Compared) -> Compared:
    return Compared(scaled(arrays, found.chosen), scaled(arrays, found.rejected), found.tie)
