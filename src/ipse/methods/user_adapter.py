"""`user-adapter`: a person's own weights, served only where they beat everyone's and retrieval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ipse.job import Job, Lora, Schedule
from ipse.lm import Hold
from ipse.methods.base import Base, Learning, Level, Method, Steps
from ipse.methods.examples import (
    adapted,
    before_last,
    examples,
    modules,
    pointing,
    records_of,
    taught,
    with_earlier,
)
from ipse.methods.gate import examined, untested
from ipse.methods.gated import everyones, parted, served, unlearned
from ipse.methods.pairs import Answer, answers
from ipse.plan import Adapter, Need, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["UserAdapter"]


@dataclass(frozen=True)
class UserAdapter(Method):
    """Train a LoRA of the person's own on top of everyone's: OPPU (2402.04401, sections 3.2-3.3).

    Everyone's adapter is `shared-adapter`'s, and stays as it is. The person's is served only if, on
    their latest answers, held out, it beats both everyone's alone and everyone's with retrieval.

    Attributes:
        records: How many of the person's answers are learned from: the latest.
        given: The most words of what an answer is to; both its ends are kept.
        retrieve: How many earlier records are shown before each answer, while training and when the
            adapter is served.
        profile: Whether training and the test show before each answer what `facets` says of earlier
            records; `facets+user-adapter:profile=true` shows it when the adapter is served, too.
        task: How everyone's adapter is trained: settings of `shared-adapter`, parted by semicolons,
            such as `rank=16;people=50`.
        rank: The adapter's rank.
        alpha: Its scale, before it is divided by the rank.
        modules: What it changes in every layer: some of q, k, v, o, gate, up and down.
        dropout: The share of its inputs that is left out while it is trained.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order, of what is replayed and of what training begins with.
        gate: Whether it has to pass the test; without it, it is served in any case.
        held_out: The share of the answers that the test is made on: the latest, at least 8.
        risk: The p-value up to which the adapter is held to be better.
        rival: How many records retrieval shows, in the test and where it is what serves.
        least: The fewest answers an adapter is trained from, where there is a test.
        whole: Once it has passed, it goes on with the held-out answers, too.
        refresh: It goes on learning after so many new answers, beside as many old ones.
    """

    name: ClassVar[str] = "user-adapter"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2402.04401"
    stores: ClassVar[str] = "an adapter, or why there is none"
    shared: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    records: int = 60
    given: int = 60
    retrieve: int = 0
    profile: bool = False
    task: str = ""
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q k v o"
    dropout: float = field(default=0.0, metadata={"most": 0.9})
    rate: float = 2e-3
    epochs: int = 2
    batch: int = 4
    clip: float = 1.0
    seed: int = 0
    gate: bool = True
    held_out: float = field(default=0.2, metadata={"most": 1.0})
    risk: float = field(default=0.05, metadata={"most": 1.0})
    rival: int = 4
    least: int = 20
    whole: bool = True
    refresh: int = 20

    @property
    def fewest(self) -> int:
        """How many records there are, at least, where it trains."""
        return max(1, self.least) if self.gate else 1

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train everyone's adapter, as `shared-adapter` of the same settings does."""
        return everyones(self.task).fit(people)

    def enroll(self, user: User, shared: State | None) -> Learning:
        """Train the person's own adapter, and test it."""
        below = pointing(shared)
        base = below.facts["adapter"] if below else ""
        own = answers(user, self.records, self.given)
        if own:
            known, held = self._split(own, len(own))
            trained = known if len(own) >= self.least or not self.gate else []
            return self._learned(user, base, trained, held, len(own))
        if below is None:
            return None
        why = "there is no answer to learn from"
        return State({**below.facts, "records": 0, "gate": untested("shared", why)})

    def newcomer(self, shared: State) -> State | None:
        """Give everyone's adapter, until there is one of the person's own."""
        return unlearned(shared.artifact or "")

    def update(self, user: User, state: State, shared: State | None) -> Learning:
        """Go on from the adapter there is, once there are enough new answers."""
        own = answers(user, self.records, self.given)
        seen = set(state.lineage)
        new = [answer for answer in own if answer.record not in seen]
        at_last = state.facts["records"] < self.least <= len(own)
        if len(new) < max(2, self.refresh) and not at_last:
            return state
        if not state.arrays or len(new) < 2:
            return self.enroll(user, shared)
        known, held = self._split(new, len(new) // 2)
        old = [a for a in answers(user, len(user), self.given) if a.record in seen]
        known = [*self._some(old, len(known)), *known]
        return self._learned(user, state.facts["adapter"], known, held, len(own), state)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach what serves the person: everyone's adapter and their own, or retrieval."""
        if state is None:
            return plan
        return served(plan, user, state, self.retrieve, self.rival)

    def _split(self, own: Sequence[Answer], most: int) -> tuple[list[Answer], list[Answer]]:
        """Part answers into those to train on and the latest, at most so many, to test on."""
        return parted(own, self.held_out if self.gate else None, most)

    def _some(self, old: Sequence[Answer], beside: int) -> list[Answer]:
        """Choose old answers to be learned again, in their order."""
        count = min(len(old), beside)
        chosen = np.random.default_rng(self.seed).permutation(len(old))[:count]
        return [old[place] for place in sorted(chosen)]

    def _learned(
        self, user: User, base: str, known: Sequence[Answer], held: Sequence[Answer],
        count: int, before: State | None = None,
    ) -> Steps[State]:  # fmt: skip
        """Train on some answers, and let others say what serves."""
        below = [Adapter(base)] if base else []
        known, tested = (
            [with_earlier(a, user, self.retrieve, profile=self.profile) for a in some]
            for some in (known, held)
        )
        rivals = [with_earlier(answer, user, self.rival) for answer in held]
        lineage = (*(before.lineage if before else ()), *records_of(known, tested, rivals))
        lineage += before_last([*known, *tested], user) if self.profile else ()
        own, verdict = None, untested("adapter", "it is served untested: gate=false")
        if known:
            start = before.artifact or "" if before else ""
            own = yield from self._taught(user, below, known, start)
        if held:
            choices = {
                "shared" if base else "none": [adapted(a.plan, *below) for a in held],
                "retrieval": [adapted(a.plan, *below) for a in rivals],
            }
            if own:
                name: str = yield Hold(own.arrays)
                choices["adapter"] = [adapted(a.plan, *below, Adapter(name)) for a in tested]
            texts = [answer.text for answer in held]
            verdict = yield from examined(choices, texts, self.risk, self.least)
            if own and self.whole and verdict["serves"] == "adapter":
                again = [*self._some(known, len(tested)), *tested]
                own = yield from self._taught(user, below, again, name)
        facts = {"adapter": base, "records": count, "gate": verdict}
        facts |= {"training": own.facts} if own else {}
        kept = own.arrays if own and verdict["serves"] == "adapter" else {}
        return State(facts, kept, tuple(dict.fromkeys(lineage)))

    def _taught(
        self, user: User, below: Sequence[Adapter], found: Sequence[Answer], start: str
    ) -> Steps[State]:
        job = Job(
            Lora(self.rank, self.alpha, modules(self.modules), self.dropout),
            examples(found, user.id, below),
            start=start,
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
        )
        return (yield from taught(job, records_of(found)))
