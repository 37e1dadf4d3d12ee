"""`plora`: one adapter for everybody, moved by a few numbers of each person's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Job, Lora, Schedule, Trained
from ipse.lm import Train
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.examples import (
    adapted,
    examples,
    learnable,
    modules,
    others,
    pointing,
    records_of,
    taught,
)
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Plora"]


@dataclass(frozen=True)
class Plora(Method):
    """Move one LoRA by a vector of each person's: PLoRA (2403.06208, eq. 4).

    `h = W0 x + (alpha / rank) B (A x + P p)`: `A`, `B` and `P` are everyone's, `p` is the person's
    and zero at first: one who has written nothing yet is served by exactly the plain LoRA. Of a
    person `P p` is kept, `rank` numbers a module, and joins the adapter's arrays.

    Attributes:
        width: The width of a person's vector.
        people: How many people the adapter is trained on: the first who share what they wrote.
        records: How many answers of each: the latest.
        own: How many of a person's own latest answers their vector is trained on.
        given: The most words of what an answer is to; both its ends are kept.
        rank: The adapter's rank.
        alpha: Its scale, before it is divided by the rank.
        modules: What it changes in every layer: some of q, k, v, o, gate, up and down.
        dropout: The share of its inputs that is left out while it is trained.
        nameless: The share of everyone's answers that is learned without a vector, so that the
            adapter also serves those who have none.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        own_rate: The highest learning rate of one person's vector.
        own_epochs: How often each of the person's answers is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order, of what is left out and of what training begins with.
        refresh: The vector is trained anew after so many records came or went.
    """

    name: ClassVar[str] = "plora"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2403.06208"
    stores: ClassVar[str] = "a few numbers a module"
    shared: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    width: int = field(default=32, metadata={"most": 4096})
    people: int = 25
    records: int = 20
    own: int = 60
    given: int = 60
    rank: int = 8
    alpha: float = 16.0
    modules: str = "q k v o"
    dropout: float = field(default=0.0, metadata={"most": 0.9})
    nameless: float = field(default=0.1, metadata={"most": 1.0})
    rate: float = 1e-3
    epochs: int = 2
    own_rate: float = 0.03
    own_epochs: int = 4
    batch: int = 4
    clip: float = 1.0
    seed: int = 0
    refresh: int = 20

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train the adapter, with a vector for each; the vectors are not kept."""
        found = others(people, self.people, self.records, self.given)
        if not found:
            return None
        every = [example for user, own in found.items() for example in examples(own, user)]
        job = Job(
            self._lora,
            self._some_nameless(every),
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
        )
        state = yield from taught(job, records_of(*found.values()))
        kept = {name: a for name, a in state.arrays.items() if not name.startswith("owners/")}
        return replace(state, arrays=kept)

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Train the person's vector, and nothing else."""
        state = pointing(shared)
        own = learnable(user, self.own, self.given)
        if shared is None or state is None:
            return None
        facts = {**state.facts, "records": len(user)}
        if not own:
            return replace(state, facts=facts)
        job = Job(
            replace(self._lora, only_owners=True),
            examples(own, user.id),
            start=state.facts["adapter"],
            schedule=Schedule(
                self.own_rate, self.own_epochs, self.batch,
                weight_decay=0.0, clip=self.clip,
            ),
            seed=self.seed,
        )  # fmt: skip
        trained: list[Trained] = yield Train((job,))
        moved = _moved(shared, trained[0].arrays[f"owners/{user.id}"])
        return State(facts, moved, records_of(own))

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the vector until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def newcomer(self, shared: State) -> State | None:
        """Give everyone's adapter, as of a vector that is 0."""
        return pointing(shared)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the adapter, moved by what is the person's own."""
        del user
        if state is None:
            return plan
        return adapted(plan, Adapter(state.facts["adapter"], own=state.artifact or ""))

    @property
    def _lora(self) -> Lora:
        return Lora(self.rank, self.alpha, modules(self.modules), self.dropout, max(1, self.width))

    def _some_nameless(self, found: list[Example]) -> tuple[Example, ...]:
        """Take the owner off some examples, never off all of them."""
        count = min(int(self.nameless * len(found)), len(found) - 1)
        chosen = set(np.random.default_rng(self.seed).permutation(len(found))[:count].tolist())
        return tuple(replace(e, owner="") if i in chosen else e for i, e in enumerate(found))


def _moved(shared: State, vector: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Give `P p` of each module, (rank,)."""
    end = ".lora_P"
    return {
        f"{name.removesuffix(end)}.lora_C": np.asarray(matrix @ vector, np.float32)
        for name, matrix in shared.arrays.items()
        if name.endswith(end)
    }
