"""`user-dpo`: a person's own weights, trained from what they preferred to what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Job, Lora, Loss, Schedule
from ipse.lm import Hold, Reply, Write
from ipse.methods.base import Base, Learning, Level, Method, Steps, due
from ipse.methods.examples import adapted, modules, pointing, records_of, taught, with_earlier
from ipse.methods.gate import examined_pairs, untested
from ipse.methods.gated import everyones, parted, served, unlearned
from ipse.methods.pairs import Answer, answers
from ipse.plan import Adapter, Need, Plan
from ipse.preferences import pairs
from ipse.records import User
from ipse.state import State
from ipse.text import ends

__all__ = ["UserDpo"]

_PART = "adapter"
"""Where everyone's adapter lies among everyone's arrays, beside what others wrote."""


@dataclass(frozen=True)
class _Compared:
    """A pair: what was preferred as an answer, what it was preferred to, the records behind it."""

    answer: Answer
    rejected: str
    records: tuple[str, ...]
    belief: float = 1.0


@dataclass(frozen=True)
class UserDpo(Method):
    """Train a LoRA of the person's own by direct preference optimization (2305.18290, eq. 7).

    It stands on everyone's adapter, which is `shared-adapter`'s, and which is the reference. Pairs
    are the person's preferences. Where there are fewer than `pairs`, what the person wrote stands
    as preferred to what somebody who shares it wrote to the same prompt, or else to what the model
    writes under everyone's adapter. The adapter is served only if, on the latest pairs, held out,
    it tells the two apart better than everyone's alone and than retrieval.

    Attributes:
        pairs: How many pairs are learned from: the latest.
        own: Whether what the person wrote fills up where there are fewer preferences.
        others: How many answers of others are kept to compare with: the latest of each who shares.
        given: The most words of a prompt; both its ends are kept.
        tokens: The longest answer of the model's own, in tokens.
        task: How everyone's adapter is trained: settings of `shared-adapter`, parted by semicolons.
        beta: How dear it is to leave everyone's adapter.
        sft: What the likelihood of the preferred text itself counts besides (2404.19733, eq. 1).
        rank: The adapter's rank.
        alpha: Its scale, before it is divided by the rank.
        modules: What it changes in every layer: some of q, k, v, o, gate, up and down.
        rate: The highest learning rate.
        epochs: How often each pair is learned from.
        batch: Pairs an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order and of what training begins with.
        gate: Whether it has to pass the test; without it, it is served in any case.
        held_out: The share of the pairs that the test is made on: the latest, at least 8.
        risk: The p-value up to which the adapter is held to be better.
        rival: How many records retrieval shows, in the test and where it is what serves.
        least: The fewest pairs an adapter is trained from, where there is a test.
        refresh: The adapter is trained anew after so many records came or went.
    """

    name: ClassVar[str] = "user-dpo"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2305.18290"
    stores: ClassVar[str] = "an adapter, or why there is none"
    shared: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    pairs: int = 60
    own: bool = True
    others: int = 1000
    given: int = 60
    tokens: int = 40
    task: str = ""
    beta: float = 0.1
    sft: float = 0.5
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q k v o"
    rate: float = 5e-4
    epochs: int = 2
    batch: int = 4
    clip: float = 1.0
    seed: int = 0
    gate: bool = True
    held_out: float = field(default=0.2, metadata={"most": 1.0})
    risk: float = field(default=0.05, metadata={"most": 1.0})
    rival: int = 4
    least: int = 20
    refresh: int = 20

    @property
    def fewest(self) -> int:
        """How many records there are, at least, where it trains."""
        return max(1, self.least) if self.gate else 1

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train everyone's adapter, as `shared-adapter` does, and keep what to compare with."""
        everyone = list(people)
        state = yield from everyones(self.task).fit(everyone)
        if state is None:
            return None
        kept: dict[str, dict[str, str]] = {}
        each = self.others // max(1, len(everyone)) if self.own else 0
        found = {user.id: answers(user, each, self.given) for user in everyone}
        for owner, own in found.items():
            for answer in own:
                kept.setdefault(answer.plan.main.question, {})[owner] = answer.text
        arrays: dict[str, NDArray[Any]] = {f"{_PART}/{k}": a for k, a in state.arrays.items()}
        arrays["others"] = np.frombuffer(json.dumps(kept).encode(), np.uint8)
        lineage = dict.fromkeys((*state.lineage, *records_of(*found.values())))
        return replace(state, arrays=arrays, lineage=tuple(lineage))

    def enroll(self, user: User, shared: State | None) -> Learning:
        """Train the person's own adapter, and test it."""
        base = f"{below.facts['adapter']}/{_PART}" if (below := pointing(shared)) else ""
        if self._told(user) or (self.own and answers(user, 1, self.given)):
            others = json.loads(shared.arrays["others"].tobytes()) if shared else {}
            return self._learned(user, base, others)
        if not base:
            return None
        why = untested("shared", "there is no pair to learn from")
        return State({"adapter": base, "records": len(user), "gate": why})

    def newcomer(self, shared: State) -> State | None:
        """Give everyone's adapter, until there is one of the person's own."""
        return unlearned(f"{shared.artifact}/{_PART}")

    def update(self, user: User, state: State, shared: State | None) -> Learning:
        """Keep the adapter until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach what serves the person: everyone's adapter and their own, or retrieval."""
        return plan if state is None else served(plan, user, state, 0, self.rival)

    def _told(self, user: User) -> list[_Compared]:
        """Give the person's preferences, the latest."""
        told = pairs(user, ties=True)
        return [
            _Compared(
                Answer(Plan.ask(ends(pair.prompt, self.given)), pair.chosen, pair.records[-1]),
                pair.rejected,
                pair.records,
                0.5 if pair.tie else 1.0,
            )
            for pair in told[max(0, len(told) - self.pairs) :]
            if pair.chosen.strip() and pair.rejected.strip()
        ]

    def _found(
        self, user: User, below: Sequence[Adapter], others: Mapping[str, Mapping[str, str]]
    ) -> Steps[list[_Compared]]:
        """Give the pairs, oldest first: preferences, filled up with what the person wrote."""
        told = self._told(user)
        own = answers(user, self.pairs - len(told), self.given) if self.own else []
        rejected = {
            a.record: _unlike(
                a,
                [
                    text
                    for owner, text in others.get(a.plan.main.question, {}).items()
                    if owner != user.id
                ],
            )
            for a in own
        }
        if left := [a for a in own if not rejected[a.record]]:
            asked = [adapted(a.plan_of(self.tokens), *below) for a in left]
            replies: list[Reply] = yield Write(tuple(asked))
            written = zip(left, replies, strict=True)
            rejected |= {a.record: _unlike(a, (reply.text,)) for a, reply in written}
        filled = [_Compared(a, rejected[a.record], (a.record,)) for a in own if rejected[a.record]]
        order = {record.id: place for place, record in enumerate(user.records)}
        return sorted([*told, *filled], key=lambda pair: order[pair.answer.record])

    def _learned(
        self, user: User, base: str, others: Mapping[str, Mapping[str, str]]
    ) -> Steps[State | None]:
        """Train on the earlier pairs, and let the latest say what serves."""
        below = [Adapter(base)] if base else []
        found = yield from self._found(user, below, others)
        known, held = parted(found, self.held_out if self.gate else None, len(found))
        held = [pair for pair in held if pair.belief != 0.5]
        if len(found) < self.least and self.gate:
            known = []
        rivals = [with_earlier(pair.answer, user, self.rival) for pair in held]
        names = (name for pair in (*known, *held) for name in pair.records)
        lineage = tuple(dict.fromkeys((*names, *records_of(rivals))))
        own, verdict = None, untested("adapter", "it is served untested: gate=false")
        if known:
            own = yield from taught(self._job(user, below, known), lineage)
        if held:
            choices = {
                "shared" if base else "none": [adapted(p.answer.plan, *below) for p in held],
                "retrieval": [adapted(a.plan, *below) for a in rivals],
            }
            if own:
                name: str = yield Hold(own.arrays)
                choices["adapter"] = [adapted(p.answer.plan, *below, Adapter(name)) for p in held]
            texts = [p.answer.text for p in held], [p.rejected for p in held]
            verdict = yield from examined_pairs(choices, *texts, self.risk, self.least)
        elif not own:
            verdict = untested("shared" if base else "none", "there is no pair to test on")
        facts = {"adapter": base, "records": len(user), "gate": verdict}
        facts |= {"training": own.facts} if own else {}
        kept = own.arrays if own and verdict["serves"] == "adapter" else {}
        return State(facts, kept, lineage)

    def _job(self, user: User, below: Sequence[Adapter], known: Sequence[_Compared]) -> Job:
        return Job(
            Lora(self.rank, self.alpha, modules(self.modules)),
            tuple(
                Example(
                    adapted(pair.answer.plan, *below).main,
                    pair.answer.text,
                    user.id,
                    rejected=pair.rejected,
                    belief=pair.belief,
                )
                for pair in known
            ),
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
            loss=Loss("dpo", self.beta, sft=self.sft),
        )


def _unlike(answer: Answer, texts: Sequence[str]) -> str:
    """Give the first of some texts that is not what the person wrote; "" where there is none."""
    return next((text for text in texts if text.strip() not in ("", answer.text.strip())), "")
