"""`ia3`: one factor an output of some products, the same for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ipse.job import Job, Scales, Schedule
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import (
    adapted,
    examples,
    modules,
    others,
    pointing,
    records_of,
    taught,
)
from ipse.plan import Adapter, Need, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Ia3"]


@dataclass(frozen=True)
class Ia3(Method):
    """Scale keys, values and inner activations by vectors learned from everyone (IA)^3: 2205.05638.

    In every layer `k`, `v` and the inner activations are multiplied, output by output, by vectors
    that are 1 at first (section 3.3): some tens of thousands of numbers in all.

    Attributes:
        people: How many people it is trained on: the first who share what they wrote.
        records: How many answers of each: the latest.
        given: The most words of what an answer is to; both its ends are kept.
        modules: What is scaled in every layer: some of q, k, v, o, gate, up and down.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order.
    """

    name: ClassVar[str] = "ia3"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2205.05638"
    shared: ClassVar[bool] = True

    people: int = 25
    records: int = 20
    given: int = 60
    modules: str = "k v up"
    rate: float = 3e-2
    epochs: int = 2
    batch: int = 4
    clip: float = 1.0
    seed: int = 0

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train the factors."""
        found = others(people, self.people, self.records, self.given)
        if not found:
            return None
        job = Job(
            Scales(modules(self.modules)),
            tuple(example for user, own in found.items() for example in examples(own, user)),
            schedule=Schedule(self.rate, self.epochs, self.batch, weight_decay=0.0, clip=self.clip),
            seed=self.seed,
        )
        return (yield from taught(job, records_of(*found.values())))

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Remember which factors everyone has now."""
        del user
        return pointing(shared)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the factors."""
        del user
        return plan if state is None else adapted(plan, Adapter(state.facts["adapter"]))
