"""`context-steering`: what the person's context changes in the next token, amplified."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ipse.lm import Likelihood, Score
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.contrast import against_generic
from ipse.plan import Plan
from ipse.records import Record, Use, User
from ipse.state import State
from ipse.text import Form, ends

__all__ = ["ContextSteering"]

_WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""The weights of the reading with context among which a person's own is sought."""


@dataclass(frozen=True)
class ContextSteering(Method):
    """Amplify the context's influence: CoS, Context Steering (2405.01768).

    `log p = log p(x|c) + influence (log p(x|c) - log p(x))`, renormalized: the paper's form for one
    context. Strength goes along that line, from -1, the generic model, to `influence`.

    Attributes:
        influence: How much the context counts beyond being read: the paper's lambda; 0 reads it.
        learn: On how many of the person's latest answers their own influence is estimated, as in
            the paper's Bayesian inference of lambda; 0 takes `influence` for everyone.
        spread: How far one's own influence is from `influence`, as a standard deviation: the prior.
        refresh: It is estimated anew after so many records came or went.
        k: How many of the latest records are the context, where no method before has given one.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "context-steering"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2405.01768"
    stores: ClassVar[str] = "nothing; one number with `learn`"

    influence: float = 0.1
    learn: int = 0
    spread: float = 0.5
    refresh: int = 20
    k: int = 6
    form: Form = "turns"
    given: int = 16
    limit: int = 80

    @property
    def use(self) -> Use:
        """Records are read, and nothing is trained."""
        return "prompt"

    def enroll(self, user: User, shared: State | None) -> Steps[State | None] | None:
        """Estimate the person's own influence, where that is asked for."""
        del shared
        cases = list(self._cases(user)) if self.learn else []
        return self._estimate(user, cases) if cases else None

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the estimate until enough has changed."""
        return (self.enroll(user, shared) or state) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Fuse the reading with context and the generic one."""
        weight = state.facts["weight"] if state else 1 + self.influence
        return against_generic(plan, user, self, weight)

    def _cases(self, user: User) -> Iterator[tuple[Plan, Record, User]]:
        """Give answers of the person's with their questions, and what was known before each."""
        answers = [r for r in user.records if r.input and r.kind in ("content", "dialogue")]
        for record in answers[-self.learn :]:
            before = user.before(record.time)
            if before.records:
                yield Plan.ask(ends(record.input, 60)), record, before

    def _estimate(
        self, user: User, cases: Sequence[tuple[Plan, Record, User]]
    ) -> Steps[State | None]:
        plans = tuple(
            against_generic(plan, before, self, weight)
            for weight in _WEIGHTS
            for plan, _, before in cases
        )
        targets = tuple(record.output for _, record, _ in cases) * len(_WEIGHTS)
        scores: list[Score] = yield Likelihood(plans, targets)
        nats = [
            sum(score.nats for score in scores[first : first + len(cases)])
            for first in range(0, len(scores), len(cases))
        ]
        posterior = self._posterior(nats)
        weight = sum(w * p for w, p in zip(_WEIGHTS, posterior, strict=True))
        read = {name for plan in plans for name in plan.evidence} | {r.id for _, r, _ in cases}
        facts = {"weight": weight, "posterior": posterior, "nats": nats, "records": len(user)}
        return State(facts=facts, lineage=tuple(r.id for r in user.records if r.id in read))

    def _posterior(self, nats: Sequence[float]) -> list[float]:
        """Give how probable each weight is: a normal prior times the likelihood of the answers."""
        spread = max(self.spread, 1e-6)
        logs = [
            -each - ((weight - 1 - self.influence) / spread) ** 2 / 2
            for each, weight in zip(nats, _WEIGHTS, strict=True)
        ]
        odds = [math.exp(log - max(logs)) for log in logs]
        return [each / sum(odds) for each in odds]
