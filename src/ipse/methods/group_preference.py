"""`group-preference`: what a person likes is what is like what they chose, as people go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Base, Level, Method, Rewards, Steps
from ipse.methods.learned_reward import enrolled, fitted, rewarded
from ipse.plan import Plan
from ipse.records import User
from ipse.rewards import Group
from ipse.state import State

__all__ = ["GroupPreference"]


@dataclass(frozen=True)
class GroupPreference(Method):
    """Reward answers by attention over the person's pairs: GPO (2310.11523).

    It changes no plan: it has a say where several answers are drawn, such as with
    `best-of-n:reward=none+group-preference`.

    Attributes:
        features: What texts are described by: `attributes`, `embedding` or both.
        heads: Ways in which texts may be alike.
        size: The numbers each compares.
        width: In how many directions texts are looked at: those in which compared ones differ most.
        context: How many of a person's pairs are attended to: the latest.
        steps: Updates.
        batch: People in each.
        rate: The first learning rate.
        people: How many people it is learned from: the first who told a preference.
        most: How many pairs of each: the latest.
        seed: Of where learning begins and of what is drawn.
    """

    name: ClassVar[str] = "group-preference"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "embedder"
    paper: ClassVar[str] = "2310.11523"
    stores: ClassVar[str] = "`width` numbers a text of the latest pairs"
    shared: ClassVar[bool] = True

    features: str = "attributes embedding"
    heads: int = 4
    size: int = 16
    width: int = 32
    context: int = 128
    steps: int = 1000
    batch: int = 8
    rate: float = 3e-3
    people: int = 1000
    most: int = 200
    seed: int = 0

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn what is alike."""
        return fitted(self._learner, people, self.people, self.most, self.features)

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Keep the person's latest pairs, in numbers."""
        return enrolled(self._learner, user, shared, self.features)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Leave the plan as it is."""
        del user, state
        return plan

    def rewards(self, plan: Plan, texts: Sequence[str], user: User, state: State | None) -> Rewards:
        """Say how much the person likes each answer, in logits."""
        del user
        return rewarded(self._learner, plan.main.question, texts, state, self.features)

    @property
    def _learner(self) -> Group:
        return Group(
            heads=self.heads,
            size=self.size,
            width=self.width,
            context=self.context,
            steps=self.steps,
            batch=self.batch,
            rate=self.rate,
            seed=self.seed,
        )
