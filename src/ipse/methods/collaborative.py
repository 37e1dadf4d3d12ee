"""`collaborative`: people train adapters side by side, and take in those of whom they trust."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ipse.job import Job, Lora, Schedule, Trained
from ipse.lm import Hold, Likelihood, Score, Train
from ipse.methods.base import Base, Level, Method, Steps, due
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
from ipse.methods.pairs import Answer
from ipse.methods.trust import Trust, mixed, shares
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Collaborative"]

_Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Collaborative(Method):
    """Mix adapters by trust: personalized collaborative fine-tuning (2404.09753, section 3).

    In each round everyone trains, then takes in others' weights: `theta_k` becomes `sum_j
    softmax_j(T_kj) theta_j`. People who share what they wrote do so together, once; a new person
    begins at their mean, trains, mixes in theirs by trust, and trains again.

    Attributes:
        people: How many people train together: the first who share what they wrote.
        records: How many answers of each: the latest.
        own: How many of a new person's answers: the latest.
        held: How many of them, the latest, trust is told by and nothing is learned from.
        rounds: How often everyone trains and mixes.
        peers: In how many others' adapters trust is told: at random.
        trust: Whether by `perplexity`, `T_kj = -perplexity of j's on k's`, or by `predictions`,
            -10 times the share of all distance that lies between j's and k's.
        given: The most words of what an answer is to; both its ends are kept.
        rank: The adapters' rank.
        alpha: Their scale, before it is divided by the rank.
        modules: What they change in every layer: some of q, k, v, o, gate, up and down.
        rate: The highest learning rate.
        epochs: How often each answer is learned from in a round.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order, of who is whose peer and of what training begins with.
        refresh: A person's adapter is trained anew after so many records came or went.
    """

    name: ClassVar[str] = "collaborative"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2404.09753"
    stores: ClassVar[str] = "an adapter"
    shared: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    people: int = 8
    records: int = 16
    own: int = 40
    held: int = 4
    rounds: int = 2
    peers: int = 4
    trust: Trust = "perplexity"
    given: int = 60
    rank: int = 4
    alpha: float = 4.0
    modules: str = "q k v o"
    rate: float = 1e-3
    epochs: int = 1
    batch: int = 4
    clip: float = 1.0
    seed: int = 0
    refresh: int = 20

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Let some people train together; keep everyone's adapter, and their mean."""
        found = others(people, self.people, self.records, self.given)
        if not found:
            return None
        own = list(found.values())
        starts, weights = [""] * len(own), list[_Arrays]()
        for number in range(max(1, self.rounds)):
            if weights:
                starts = yield from _held(weights)
            weights = yield from self._round(own, starts, number)
        mean = mixed(weights, np.full(len(weights), 1 / len(weights)))
        named = {**{str(j): each for j, each in enumerate(weights)}, "mean": mean}
        kept = {f"{part}/{name}": a for part, each in named.items() for name, a in each.items()}
        return State({"people": len(weights)}, kept, records_of(*own))

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Train from everyone's mean, mix in those who are trusted, and train again."""
        state, own = pointing(shared), learnable(user, self.own, self.given)
        if shared is None or state is None:
            return None
        everyones = state.facts["adapter"]
        facts = {**state.facts, "records": len(user)}
        if not own:
            return State(facts)
        known, held = self._split(own)
        (first,) = yield from self._trained([known], [f"{everyones}/mean"])
        if held:
            peers = self._peers(range(shared.facts["people"]))
            (mine,) = yield from _held([first])
            names = [mine, *(f"{everyones}/{j}" for j in peers)]
            (trusted,) = yield from self._trusted([held], [names])
            first = mixed([first, *(_part(shared.arrays, f"{j}/") for j in peers)], trusted)
            facts["trust"] = [round(float(share), 4) for share in trusted]
        start = yield from _held([first])
        (last,) = yield from self._trained([known], start)
        return State(facts, last, records_of(own))

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the adapter until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the person's adapter, or everyone's mean."""
        del user
        if state is None:
            return plan
        return adapted(plan, Adapter(state.artifact or f"{state.facts['adapter']}/mean"))

    def _round(
        self, own: Sequence[Sequence[Answer]], starts: Sequence[str], number: int
    ) -> Steps[list[_Arrays]]:
        """Let everyone train, then mix; who has nothing to tell trust by keeps to themselves."""
        parts = [self._split(each) for each in own]
        weights = yield from self._trained([known for known, _ in parts], starts)
        names = yield from _held(weights)
        count = range(len(own))
        peers = [
            [k, *(self._peers([j for j in count if j != k], number, k) if parts[k][1] else ())]
            for k in count
        ]
        asked = [[names[j] for j in each] for each in peers]
        trusted = yield from self._trusted([held for _, held in parts], asked)
        return [
            mixed([weights[j] for j in each], share)
            for each, share in zip(peers, trusted, strict=True)
        ]

    def _split(self, own: Sequence[Answer]) -> tuple[Sequence[Answer], Sequence[Answer]]:
        """Part answers into those to train on, and the latest, which trust is told by."""
        cut = len(own) - min(self.held, len(own) // 2)
        return own[:cut], own[cut:]

    def _peers(self, among: Sequence[int], *purpose: int) -> list[int]:
        """Draw peers, ascending."""
        drawn = np.random.default_rng([self.seed, *purpose]).permutation(len(among))
        return sorted(among[i] for i in drawn[: self.peers].tolist())

    def _trained(
        self, own: Sequence[Sequence[Answer]], starts: Sequence[str]
    ) -> Steps[list[_Arrays]]:
        """Train for a round, all from the same draw of `A` where they begin anew."""
        learn = Lora(self.rank, self.alpha, modules(self.modules))
        schedule = Schedule(self.rate, self.epochs, self.batch, clip=self.clip)
        jobs = tuple(
            Job(learn, examples(each), start=start, schedule=schedule, seed=self.seed)
            for each, start in zip(own, starts, strict=True)
        )
        trained: list[Trained] = yield Train(jobs)
        return [half(each.arrays) for each in trained]

    def _trusted(
        self, held: Sequence[Sequence[Answer]], names: Sequence[Sequence[str]]
    ) -> Steps[list[NDArray[np.float64]]]:
        """Say how much each person takes of each adapter, their own first."""
        asked = [
            (adapted(answer.plan, Adapter(name)), answer.text)
            for each, adapters in zip(held, names, strict=True)
            for name in adapters
            for answer in each
        ]
        plans, texts = (tuple(part) for part in zip(*asked, strict=True)) if asked else ((), ())
        scores: list[Score] = yield Likelihood(plans, texts)
        left = iter(scores)
        return [
            shares([[*islice(left, len(each))] for _ in adapters], self.trust)
            for each, adapters in zip(held, names, strict=True)
        ]


def _part(arrays: _Arrays, head: str) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(head): array for n, array in arrays.items() if n.startswith(head)}


def _held(weights: Sequence[_Arrays]) -> Steps[list[str]]:
    names: list[str] = []
    for each in weights:
        names += [(yield Hold(each))]
    return names
