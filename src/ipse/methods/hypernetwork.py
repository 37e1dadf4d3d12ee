"""`hypernetwork`: one network, learned from everyone, makes each person's weights in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Job, Schedule
from ipse.job import Hypernetwork as Network
from ipse.lm import Hold
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.embedded import Parted, embedded, parted, silu, unit
from ipse.methods.examples import adapted, examples, half, modules, records_of, taught
from ipse.plan import Adapter, Need, Plan
from ipse.records import User
from ipse.state import State
from ipse.text import Match

__all__ = ["Hypernetwork", "weights"]

_VIEWS = (slice(None), slice(0, None, 2), slice(1, None, 2))
"""What of a person's earlier records makes a line of the table: all of them, and two halves."""


@dataclass(frozen=True)
class Hypernetwork(Method):
    """Make a person's LoRA from the mean of their embeddings: Profile-to-PEFT (2510.16282).

    The network is learned from what people wrote later, given the embeddings of what they wrote
    earlier; each person's later answers are spread over three views of the earlier ones. A new
    person's weights take one pass through it, and no training.

    Attributes:
        people: How many people it is learned from: the first who share what they wrote.
        records: How many answers of each: the latest, at most half of all.
        history: How many records a person's embedding is the mean of: the latest.
        match: Which side of a record is embedded.
        given: The most words of what an answer is to; both its ends are kept.
        rank: The rank of the weights it makes.
        alpha: Their scale, before it is divided by the rank.
        modules: What they change in every layer: some of q, k, v, o, gate, up and down.
        hidden: The units of each of the network's two layers.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order and of what training begins with.
        refresh: A person's weights are made anew after so many records came or went.
    """

    name: ClassVar[str] = "hypernetwork"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "both"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2510.16282"
    stores: ClassVar[str] = "an adapter"
    shared: ClassVar[bool] = True

    people: int = 30
    records: int = 15
    history: int = 30
    match: Match = "output"
    given: int = 60
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q v"
    hidden: int = 128
    rate: float = 1e-3
    epochs: int = 1
    batch: int = 4
    clip: float = 1.0
    seed: int = 0
    refresh: int = 10

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn the network."""
        found: list[Parted] = []
        for user in people:
            if len(found) == self.people:
                break
            if both := parted(user, self.records, self.history, self.given):
                found.append(both)
        if not found:
            return None
        vectors = yield from embedded([each.earlier for each in found], self.match)
        centre = np.mean([each.mean(0) for each in vectors], axis=0)  # (width,)
        views = [[some for view in _VIEWS if len(some := each[view])] for each in vectors]
        lines = [line(some, centre) for each in views for some in each]
        table: str = yield Hold({"table": np.stack(lines)})
        job = Job(
            Network(self.rank, self.alpha, modules(self.modules), self.hidden),
            _spread(found, [len(each) for each in views]),
            table=table,
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
        )
        read = [record.id for each in found for record in each.earlier]
        lineage = dict.fromkeys([*read, *records_of(*(each.later for each in found))])
        state = yield from taught(job, lineage)
        return replace(state, arrays={**state.arrays, "centre": centre})

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Make the person's weights."""
        latest = user.latest(self.history)
        if shared is None or not latest:
            return None
        (vectors,) = yield from embedded([latest], self.match)
        arrays = shared.arrays
        made = weights(arrays, line(vectors, arrays["centre"]), self.rank)
        scale = np.asarray(arrays["scale"], np.float32)
        lineage = tuple(record.id for record in latest)
        return State({"records": len(user)}, {**half(made), "scale": scale}, lineage)

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the weights until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the weights."""
        del user
        return plan if state is None else adapted(plan, Adapter(state.kept_name))


def line(vectors: NDArray[Any], centre: NDArray[Any]) -> NDArray[np.float32]:
    """Give what a person is told apart by: the direction in which they differ from the mean.

    Args:
        vectors: Embeddings of what they wrote, (records, width).
        centre: The mean of everyone's mean, (width,).

    Returns:
        A vector (width,) whose entries have a mean square of 1.
    """
    apart = unit(vectors.mean(0) - centre)
    return np.asarray(np.sqrt(len(centre)) * apart, np.float32)


def weights(
    arrays: Mapping[str, NDArray[Any]], own: NDArray[Any], rank: int
) -> dict[str, NDArray[Any]]:
    """Run a network: `job.Hypernetwork`, without gradients.

    Args:
        arrays: The network; what it makes is named by paths with `*` for the number of a layer.
        own: A person's line, (width,).
        rank: The rank of what it makes.

    Returns:
        `<module path>.lora_A` (rank, in) and `.lora_B` (out, rank).
    """
    end = ".A.bias"
    kinds = sorted(name.removesuffix(end) for name in arrays if name.endswith(end))
    found = {}
    for kind, code in zip(kinds, arrays["codes.module"], strict=True):
        layers = arrays["codes.layer"]  # (layers, code)
        same = np.broadcast_to(np.concatenate([own, code]), (len(layers), len(own) + len(code)))
        x = np.concatenate([same, layers], axis=1)
        for name in ("first", "second"):
            x = silu(x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"])
        a, b = (x @ arrays[f"{kind}.{p}.weight"].T + arrays[f"{kind}.{p}.bias"] for p in "AB")
        for number in range(len(layers)):
            path = kind.replace("*", str(number))
            found[f"{path}.lora_A"] = a[number].reshape(rank, -1)
            found[f"{path}.lora_B"] = b[number].reshape(-1, rank)
    return found


def _spread(found: Sequence[Parted], lines: Sequence[int]) -> tuple[Example, ...]:
    """Give everyone's later answers, each under one of the person's lines by turns."""
    every, first = list[Example](), 0
    for both, count in zip(found, lines, strict=True):
        own = examples(both.later, both.user.id)
        every += [replace(e, lines=(first + i % count,)) for i, e in enumerate(own)]
        first += count
    return tuple(every)
