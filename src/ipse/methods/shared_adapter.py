"""`shared-adapter`: one adapter for everybody, which knows the task and nobody in particular."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from ipse.job import Job, Lora, Schedule
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import (
    adapted,
    examples,
    modules,
    others,
    pointing,
    records_of,
    retrieved,
    taught,
)
from ipse.plan import Adapter, Need, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["SharedAdapter"]


@dataclass(frozen=True)
class SharedAdapter(Method):
    """Train one LoRA (2106.09685) on what other people wrote: OPPU's first stage (2402.04401).

    What every adapter of one's own has to beat.

    Attributes:
        people: How many people it is trained on: the first who share what they wrote.
        records: How many answers of each: the latest.
        given: The most words of what an answer is to; both its ends are kept.
        retrieve: How many of the same person's earlier records are shown before each answer, while
            training and when it is served.
        rank: The adapter's rank.
        alpha: Its scale, before it is divided by the rank.
        modules: What it changes in every layer: some of q, k, v, o, gate, up and down.
        dropout: The share of its inputs that is left out while it is trained.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order and of what training begins with.
    """

    name: ClassVar[str] = "shared-adapter"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2106.09685"
    shared: ClassVar[bool] = True

    people: int = 25
    records: int = 20
    given: int = 60
    retrieve: int = 0
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q k v o"
    dropout: float = field(default=0.0, metadata={"most": 0.9})
    rate: float = 2e-3
    epochs: int = 2
    batch: int = 4
    clip: float = 1.0
    seed: int = 0

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train the adapter."""
        found = others(people, self.people, self.records, self.given, self.retrieve)
        if not found:
            return None
        job = Job(
            Lora(self.rank, self.alpha, modules(self.modules), self.dropout),
            tuple(example for user, own in found.items() for example in examples(own, user)),
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
        )
        return (yield from taught(job, records_of(*found.values())))

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Remember which adapter everyone has now."""
        del user
        return pointing(shared)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the adapter."""
        if state is None:
            return plan
        plan = retrieved(plan, user, self.retrieve)
        return adapted(plan, Adapter(state.facts["adapter"]))
