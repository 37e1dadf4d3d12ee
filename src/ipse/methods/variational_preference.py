"""`variational-preference`: what a person likes, guessed as a hidden vector from their pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Base, Level, Method, Rewards, Steps
from ipse.methods.learned_reward import enrolled, fitted, rewarded
from ipse.plan import Plan
from ipse.records import User
from ipse.rewards import Variational
from ipse.state import State

__all__ = ["VariationalPreference"]


@dataclass(frozen=True)
class VariationalPreference(Method):
    """Reward answers by a text and the person's hidden vector: VPL (2408.10075).

    It changes no plan: it has a say where several answers are drawn, such as with
    `best-of-n:reward=none+variational-preference`.

    Attributes:
        features: What texts are described by: `attributes`, `embedding` or both.
        latent: The length of the hidden vector.
        hidden: The units of each network.
        width: In how many directions texts are looked at: those in which compared ones differ most.
        divergence: The weight of the hidden vectors' divergence from a standard normal one.
        steps: Updates.
        batch: People in each.
        rate: The first learning rate.
        people: How many people it is learned from: the first who told a preference.
        most: How many pairs of each: the latest.
        seed: Of where learning begins and of what is drawn.
    """

    name: ClassVar[str] = "variational-preference"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "embedder"
    paper: ClassVar[str] = "2408.10075"
    stores: ClassVar[str] = "a hidden vector"
    shared: ClassVar[bool] = True

    features: str = "attributes embedding"
    latent: int = 8
    hidden: int = 32
    width: int = 32
    divergence: float = 1e-3
    steps: int = 1500
    batch: int = 16
    rate: float = 1e-2
    people: int = 1000
    most: int = 200
    seed: int = 0

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn both networks."""
        return fitted(self._learner, people, self.people, self.most, self.features)

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Guess the person's hidden vector."""
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
    def _learner(self) -> Variational:
        return Variational(
            latent=self.latent,
            hidden=self.hidden,
            width=self.width,
            divergence=self.divergence,
            steps=self.steps,
            batch=self.batch,
            rate=self.rate,
            seed=self.seed,
        )
