"""`pieces`: a person's weights are put together from other people's, and kept as a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Gates, Job, Lora, Schedule, Trained
from ipse.lm import Hold, Inputs, Train
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.embedded import central, embedded
from ipse.methods.examples import (
    adapted,
    examples,
    half,
    learnable,
    modules,
    others,
    pointing,
    records_of,
)
from ipse.methods.gated import everyones
from ipse.methods.pairs import Answer
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Pieces"]

_Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Pieces(Method):
    """Put a person's LoRA together from pieces of other people's: Per-Pcs (2406.10471).

    Some people, who share what they wrote, train adapters of their own on top of everyone's, then a
    gate ahead of each module. A new person reads their own records once: of each module, the pieces
    whose gates are nearest to what it reads are averaged. Of them a recipe is kept.

    Attributes:
        task: How everyone's adapter is trained: settings of `shared-adapter`, parted by semicolons.
        people: How many people sharers are chosen among: the first who share what they wrote.
        sharers: How many sharers; each is nearest to one of as many centres (k-means).
        records: How many answers each sharer trains on, and a person reads: the latest.
        k: How many pieces of each module are averaged.
        given: The most words of what an answer is to; both its ends are kept.
        rank: The rank of the sharers' adapters.
        alpha: Their scale, before it is divided by the rank.
        modules: What they change in every layer: some of q, k, v, o, gate, up and down.
        rate: The highest learning rate of the sharers' adapters.
        epochs: How often each of their answers is learned from; once for the gates.
        gate_rate: The highest learning rate of the gates.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order, of who shares and of what training begins with.
        refresh: A recipe is made anew after so many records came or went.
    """

    name: ClassVar[str] = "pieces"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2406.10471"
    stores: ClassVar[str] = "which pieces, and how much of each"
    shared: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    task: str = "records=6;epochs=1"
    people: int = 25
    sharers: int = field(default=10, metadata={"most": 256})
    records: int = 10
    k: int = 3
    given: int = 60
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q k v o"
    rate: float = 1e-3
    epochs: int = 2
    gate_rate: float = 1e-3
    batch: int = 4
    clip: float = 1.0
    seed: int = 0
    refresh: int = 20

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train everyone's adapter, the sharers' adapters, then their gates."""
        known = list(people)
        shared = yield from everyones(self.task).fit(known)
        found = others(known, self.people, self.records, self.given)
        if shared is None or not found:
            return None
        views = {user.id: user for user in known}
        told = [[views[u].record(a.record) for a in own] for u, own in found.items()]
        vectors = yield from embedded(told, "both")
        means = np.stack([each.mean(0) for each in vectors])  # (people, width)
        names = [[*found][i] for i in central(means, max(1, self.sharers), self.seed)]
        below: str = yield Hold(shared.arrays)
        own = [examples(found[user], user, [Adapter(below)]) for user in names]
        lora = Lora(self.rank, self.alpha, modules(self.modules))
        jobs = tuple(self._job(lora, each, self.rate, self.epochs) for each in own)
        adapters: list[Trained] = yield Train(jobs)
        gates = yield from self._gated(own, [each.arrays for each in adapters])
        lineage = dict.fromkeys([*shared.lineage, *records_of(*found.values())])
        facts = {"sharers": len(names)}
        pool = _pool(shared.arrays, [each.arrays for each in adapters], gates)
        return State(facts, pool, tuple(lineage))

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Read the person's own records once, and choose pieces."""
        state, own = pointing(shared), learnable(user, self.records, self.given)
        if shared is None or state is None:
            return None
        facts = {**state.facts, "records": len(user)}
        if not own:
            return State(facts)
        plans = self._under(own, f"{facts['adapter']}/shared")
        read: _Arrays = yield Inputs(plans, tuple(answer.text for answer in own))
        return State(facts, recipe(shared.arrays, read, max(1, self.k)), records_of(own))

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the recipe until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach everyone's adapter, and the one that is put together."""
        del user
        if state is None:
            return plan
        name = state.facts["adapter"]
        own = [Adapter(f"{name}/pool", own=state.artifact)] if state.artifact else []
        return adapted(plan, Adapter(f"{name}/shared"), *own)

    def _under(self, own: Sequence[Answer], adapter: str) -> tuple[Plan, ...]:
        return tuple(adapted(answer.plan, Adapter(adapter)) for answer in own)

    def _gated(
        self, own: Sequence[tuple[Example, ...]], adapters: Sequence[_Arrays]
    ) -> Steps[list[_Arrays]]:
        """Train gates ahead of adapters that stay as they are."""
        jobs = []
        learn = Gates(self.rank, modules(self.modules))
        for each, arrays in zip(own, adapters, strict=True):
            start: str = yield Hold(half(arrays))
            jobs.append(self._job(learn, each, self.gate_rate, 1, start))
        trained: list[Trained] = yield Train(tuple(jobs))
        return [each.arrays for each in trained]

    def _job(
        self, learn: Gates | Lora, own: tuple[Example, ...], rate: float, epochs: int,
        start: str = "",
    ) -> Job:  # fmt: skip
        schedule = Schedule(rate, epochs, self.batch, clip=self.clip)
        return Job(learn, own, start=start, schedule=schedule, seed=self.seed)


def recipe(pool: _Arrays, read: _Arrays, k: int) -> dict[str, NDArray[Any]]:
    """Choose the pieces of each module: those whose gates are nearest to what it reads.

    `score_j = mean LN(x) . LN(g_j) / sqrt(width)`, and the weights are a softmax of the best.

    Args:
        pool: The gates, `gates/<module path>` (sharers, inputs), among others.
        read: What each module reads on average, layer-normalized, (inputs,).
        k: How many pieces of each.

    Returns:
        `pieces.index` and `pieces.weight`, (modules, k), the modules in the order of their paths.
    """
    head = "gates/"
    index, weight = [], []
    for name in sorted(name for name in pool if name.startswith(head)):
        gates = pool[name] - pool[name].mean(axis=1, keepdims=True)
        sizes = np.maximum(gates.std(axis=1, keepdims=True), 1e-12)
        x = read[name.removeprefix(head)]
        scores = (gates / sizes) @ x / np.sqrt(len(x))  # (sharers,)
        best = np.argsort(-scores, kind="stable")[:k]
        shares = np.exp(scores[best] - scores[best[0]])
        index.append(best)
        weight.append(shares / shares.sum())
    return {
        "pieces.index": np.array(index, np.uint8),
        "pieces.weight": np.array(weight, np.float16),
    }


def _pool(
    shared: _Arrays, adapters: Sequence[_Arrays], gates: Sequence[_Arrays]
) -> dict[str, NDArray[Any]]:
    """Give all that everyone shares: their adapter, the sharers' stacked, and their gates."""
    halves = [half(each) for each in adapters]
    stacked = {
        f"pool/{name}": array if name == "scale" else np.stack([half[name] for half in halves])
        for name, array in halves[0].items()
    }
    ahead = {
        f"gates/{name.removesuffix('.gate')}": np.stack([each[name] for each in gates])
        for name in gates[0]
        if name.endswith(".gate")
    }
    return {**{f"shared/{name}": a for name, a in shared.items()}, **stacked, **ahead}
