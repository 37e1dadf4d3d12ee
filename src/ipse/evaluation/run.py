"""Run methods over people: held-out answers, with the person's own records and with another's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Literal

from ipse.evaluation.task import Person
from ipse.lifecycle import Lifecycle
from ipse.methods import Learned, Method, personalize, spec
from ipse.plan import Plan
from ipse.records import User

__all__ = ["GENERIC", "Cell", "Enrolled", "Result", "Scored", "Whose", "run"]

Whose = Literal["own", "other"]
"""Whose records a method was given: the person's own, or another's."""

GENERIC = "generic"

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Scored:
    """One held-out answer.

    Attributes:
        user: Whose answer it is.
        item: The held-out record.
        nats: The answer's negative log-likelihood.
        tokens: Its tokens.
        prompt_tokens: Tokens read before it.
        evidence: The records read before it.
    """

    user: str
    item: str
    nats: float
    tokens: int
    prompt_tokens: int
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """All held-out answers under one method.

    Attributes:
        method: The composition.
        whose: Whose records it was given.
        scored: One entry an answer.
        plan_ms: Milliseconds a request takes to be planned.
        read_ms: Milliseconds a request takes to be read, prompts shared as the backend shares them.
    """

    method: str
    whose: Whose
    scored: tuple[Scored, ...]
    plan_ms: float
    read_ms: float

    @property
    def per_person(self) -> dict[str, float]:
        """Each person's nats per token."""
        nats: dict[str, float] = {}
        tokens: dict[str, int] = {}
        for line in self.scored:
            nats[line.user] = nats.get(line.user, 0.0) + line.nats
            tokens[line.user] = tokens.get(line.user, 0) + line.tokens
        return {user: nats[user] / max(1, tokens[user]) for user in nats}

    @property
    def prompt_tokens(self) -> float:
        """The mean tokens read before an answer."""
        return sum(line.prompt_tokens for line in self.scored) / len(self.scored)


@dataclass(frozen=True)
class Enrolled:
    """What it took to enroll one person.

    Attributes:
        method: The composition.
        user: The person.
        seconds: How long it took, everyone learning side by side.
        nbytes: What is stored of the person, in bytes, records apart.
    """

    method: str
    user: str
    seconds: float
    nbytes: int


@dataclass(frozen=True)
class Result:
    """Everything a run measured, methods in the order they ran."""

    cells: tuple[Cell, ...]
    enrolled: tuple[Enrolled, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """The compositions, the generic model apart."""
        return tuple(c.method for c in self.cells if c.whose == "own" and c.method != GENERIC)

    def cell(self, method: str, whose: Whose = "own") -> Cell:
        """Give one cell of the grid."""
        return next(c for c in self.cells if (c.method, c.whose) == (method, whose))


def run(
    people: Sequence[Person],
    population: Sequence[User],
    compositions: Sequence[Sequence[Method]],
    lifecycle: Lifecycle,
    progress: Progress,
) -> Result:
    """Score everyone's held-out answers under the generic model and under every composition.

    Args:
        people: Who is evaluated on.
        population: Who methods that learn from everyone learn from; nobody of `people`.
        compositions: What is compared.
        lifecycle: Where methods learn and their states are kept.
        progress: Told how far it is.

    Returns:
        What was measured.
    """
    lifecycle.lm.score([Plan.ask("Hello")], ["Hi"])  # the model is loaded before a clock runs
    generic = [Plan.ask(item.question) for person in people for item in person.items]
    cells = [_score(GENERIC, "own", people, generic, 0.0, lifecycle, progress)]
    enrolled: list[Enrolled] = []
    for methods in compositions:
        for method in methods:
            lifecycle.fit(method, population)
        learned, took = _enroll(people, methods, lifecycle, progress)
        enrolled.extend(took)
        for whose in ("own", "other"):
            began = perf_counter()
            plans = [
                plan for person in people for plan in _plans(person, whose, learned, lifecycle)
            ]
            planning = perf_counter() - began
            cell = _score(spec(methods), whose, people, plans, planning, lifecycle, progress)
            cells.append(cell)
    return Result(tuple(cells), tuple(enrolled))


def _enroll(
    people: Sequence[Person], methods: Sequence[Method], lifecycle: Lifecycle, progress: Progress
) -> tuple[dict[str, list[Learned]], list[Enrolled]]:
    """Enroll everyone, and everyone who stands in for another, once."""
    views = {view.id: view for person in people for view in (person.history, person.other)}
    label = f"{spec(methods)}: enrolling"
    progress(label, 0, len(views))
    began = perf_counter()
    kept = [
        lifecycle.enroll_all(method, list(views.values()), partial(progress, label))
        for method in methods
    ]
    seconds = (perf_counter() - began) / len(views)
    learned: dict[str, list[Learned]] = {}
    enrolled: list[Enrolled] = []
    for user, saved in zip(views, zip(*kept, strict=True), strict=True):
        learned[user] = [Learned.of(m, one) for m, one in zip(methods, saved, strict=True)]
        states = [one.state for one in saved if one]
        stored = sum(state.nbytes + len(json.dumps(dict(state.facts))) for state in states)
        enrolled.append(Enrolled(spec(methods), user, seconds, stored))
    return learned, enrolled


def _plans(
    person: Person,
    whose: Whose,
    learned: Mapping[str, Sequence[Learned]],
    lifecycle: Lifecycle,
) -> list[Plan]:
    view = person.history if whose == "own" else person.other
    return [
        personalize(Plan.ask(item.question), view, learned[view.id], lifecycle.lm)
        for item in person.items
    ]


def _score(
    method: str,
    whose: Whose,
    people: Sequence[Person],
    plans: Sequence[Plan],
    planning: float,
    lifecycle: Lifecycle,
    progress: Progress,
) -> Cell:
    cases = [(person, item) for person in people for item in person.items]
    label = f"{method}: {whose} records" if method != GENERIC else method
    began = perf_counter()
    scores = lifecycle.lm.score(plans, [item.target for _, item in cases], partial(progress, label))
    reading = perf_counter() - began
    scored = tuple(
        Scored(
            user=person.history.id,
            item=item.id,
            nats=score.nats,
            tokens=score.tokens,
            prompt_tokens=score.prompt_tokens,
            evidence=plan.evidence,
        )
        for (person, item), plan, score in zip(cases, plans, scores, strict=True)
    )
    per = 1000 / max(1, len(plans))
    return Cell(method, whose, scored, planning * per, reading * per)
