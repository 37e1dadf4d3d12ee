"""One cell of a grid: some people's items, under one composition, measured in one way.

A cell is handed what was learned of everyone and gives back lines; it keeps nothing and knows no
file and no store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

from ipse.evaluation.cost import exposure, leaves, timed
from ipse.evaluation.ledger import Line
from ipse.evaluation.measure import DEPTH, Outcome, measurable, measure
from ipse.evaluation.task import Item, Measure, Person, Task
from ipse.evaluation.tasks import task_spec
from ipse.lm import LM
from ipse.methods import Chooser, Learned, Method, parse, personalize
from ipse.plan import Plan, Sampling
from ipse.records import User
from ipse.route import Router, gate_serves, methods_of, read_route

__all__ = ["Cell", "Known", "Whose"]

Whose = Literal["own", "other"]
"""Whose records a method was given: the person's own, or another's."""

Known = Mapping[str, Sequence[Learned]]
"""By user, a composition with what it learned of them."""


@dataclass(frozen=True)
class _Asked:
    """An item, who it is of, and the view that stands for them."""

    person: str
    view: User
    item: Item


@dataclass(frozen=True)
class Cell:
    """What is measured together.

    Attributes:
        task: The task.
        model: The model's name in the grid.
        method: The composition, as the grid writes it.
        whose: Whose records it is given.
        kind: What is done with each item.
    """

    task: Task
    model: str
    method: str
    whose: Whose
    kind: Measure

    @property
    def key(self) -> dict[str, str]:
        """What tells this cell from others, as every line of it says."""
        return {
            "task": task_spec(self.task),
            "model": self.model,
            "method": self.method,
            "whose": self.whose,
            "measure": self.kind,
        }

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """The composition, or all that a route may choose."""
        return self._enough(methods_of(self.method))

    def views(self, people: Sequence[Person]) -> dict[str, User]:
        """Give the views that the composition has to learn of, by user."""
        views = [p.history if self.whose == "own" else p.other for p in people]
        return {view.id: view for view in views if view is not None}

    def measure(
        self, people: Sequence[Person], known: Known, lm: LM, run: str, seed: int
    ) -> tuple[list[Line], Line]:
        """Measure these people's items.

        Args:
            people: The people.
            known: What the composition learned of them.
            lm: The model.
            run: The run's id.
            seed: The seed of sampling.

        Returns:
            A line for each item, and one of what they cost together.
        """
        asked = self._asked(people)
        sampling = Sampling(seed=seed)
        generic = [
            Plan.ask(one.item.question, system=self.task.system, sampling=sampling) for one in asked
        ]
        router = Router(lm)
        with timed() as planning:
            choosers = [self._chooser(one, known.get(one.view.id, ()), router) for one in asked]
            plans = [
                personalize(plan, chooser.user, chooser.learned, lm)
                for plan, chooser in zip(generic, choosers, strict=True)
            ]
        with timed() as running:
            items = [one.item for one in asked]
            outcomes = measure(self.kind, self.task, items, plans, lm, choosers=choosers)
        each = zip(asked, generic, plans, outcomes, strict=True)
        fixed = {"type": "item", "run": run, "settings": self._settings, "seed": seed}
        lines: list[Line] = [{**fixed, **self._line(*one)} for one in each]
        remote = leaves(lm)
        cost = {
            "type": "cost",
            **self.key,
            "items": len(asked),
            "plan_seconds": planning.seconds,
            "run_seconds": running.seconds,
            "peak_bytes": max(planning.peak, running.peak),
            "left_bytes": sum(line["personal_bytes"] for line in lines) if remote else 0,
        }
        return lines, cost

    def _asked(self, people: Sequence[Person]) -> list[_Asked]:
        return [
            _Asked(person.history.id, view, item)
            for person in people
            if (view := person.history if self.whose == "own" else person.other) is not None
            for item in person.items
            if measurable(self.kind, item)
        ]

    def _chooser(self, one: _Asked, known: Sequence[Learned], router: Router) -> Chooser:
        """Give what answers an item: the composition, or that which a route chooses for it."""
        route = read_route(self.method)
        if route is None:
            return Chooser(one.view, known)
        there = {item.method: item for item in known}

        def serves(method: Method) -> bool:
            return method in there and gate_serves(there[method].state)

        choice = router.choose(route, one.view, one.item.question, serves)
        chosen = self._enough(parse(choice.methods))
        return Chooser(one.view, [there[method] for method in chosen if method in there])

    def _enough(self, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        """Give methods; where their ranking is measured, a search is asked for enough of it."""
        return tuple(map(_deep, methods)) if self.kind == "find" else methods

    @property
    def _settings(self) -> str:
        settings = [[method.name, method.settings] for method in self.methods]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    def _line(self, one: _Asked, generic: Plan, plan: Plan, outcome: Outcome) -> Line:
        told = exposure(plan, generic, one.view)
        item = one.item
        shown = [asdict(message) for message in plan.main.messages]
        return {
            **self.key,
            "person": one.person,
            "item": item.id,
            "group": item.group,
            "document": item.document,
            "prompt": [] if self.kind == "find" else shown,
            "question": item.question,
            "target": item.target,
            "choices": list(item.choices),
            "right": item.right,
            "wanted": list(item.evidence),
            "meta": dict(item.meta),
            "judge": self.task.judge,
            "output": outcome.output,
            "scores": outcome.scores,
            "evidence": list(plan.evidence),
            "prompt_tokens": outcome.prompt_tokens,
            "tokens": outcome.tokens,
            "personal_bytes": told.nbytes,
            "personal_kinds": list(told.kinds),
            **outcome.more,
        }


def _deep(method: Method) -> Method:
    known = {field.name for field in fields(method)}
    if "k" not in known:
        return method
    deep: Any = {"k": max(DEPTH, method.settings["k"])}
    return replace(method, **deep)
