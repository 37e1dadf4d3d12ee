"""Run a grid: every task's people, under every composition, with their own records and another's.

People are taken a few at a time, so that a file of any size is read once and never held whole. What
is measured together is a unit, and a unit is kept whole or not at all: a run that was killed goes
on with the first unit that is missing, and ends with the very same results.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ipse.evaluation.cell import Cell, Whose
from ipse.evaluation.cost import Counted, leaves, timed
from ipse.evaluation.grid import GENERIC, Grid
from ipse.evaluation.judging.run import judged_path
from ipse.evaluation.ledger import COSTS, RESULTS, Ledger, Line
from ipse.evaluation.task import Person, Task
from ipse.evaluation.tasks import task_spec
from ipse.lifecycle import Lifecycle
from ipse.lm import LM
from ipse.meter import Meter
from ipse.methods import Learned, Method
from ipse.plan import Need, Plan, Sampling
from ipse.records import User
from ipse.route import methods_of
from ipse.store import Store

__all__ = ["STORE", "Progress", "remove", "run"]

STORE = "store.db"
"""Where, in a run's folder, methods keep what they learn."""

Progress = Callable[[str, float], None]
"""Told what is being done, and which share of everything is done, in [0, 1]."""

_VERBS: dict[str, tuple[Need, ...]] = {
    "find": ("embed",),
    "nats": ("embed", "score"),
    "choose": ("embed", "score"),
    "write": ("embed", "generate"),
}


def run(
    grid: Grid,
    folder: Path,
    lms: Sequence[LM],
    *,
    root: Path | None = None,
    progress: Progress = lambda *_: None,
) -> None:
    """Run a grid, or go on with it where it was killed.

    Args:
        grid: What to run.
        folder: Where results, costs and what methods learn are kept.
        lms: The model of each name in the grid.
        root: The data folder.
        progress: Told how far it is.

    Raises:
        Conflict: If the folder holds another run, or another process writes it.
    """
    header = grid.header([f"{lm.base} {lm.embedder}".strip() for lm in lms])
    parts = [
        (task, model, lm)
        for task in grid.opened(root)
        for model, lm in zip(grid.models, lms, strict=True)
    ]
    with Ledger.open(folder, header) as ledger, Store.open(folder / STORE) as store:
        for lm in lms:
            lm.attach(store.arrays)
        for place, (task, model, lm) in enumerate(parts):

            def told(what: str, share: float, place: int = place) -> None:
                progress(what, (place + share) / len(parts))

            _Part(grid, task, model, lm, ledger, store, header["run"], told).run()
    progress("done", 1.0)


def remove(folder: Path) -> None:
    """Remove an earlier run from a folder, and nothing else that is in it."""
    for name in (RESULTS, COSTS, STORE, f"{STORE}-wal", f"{STORE}-shm"):
        (folder / name).unlink(missing_ok=True)
    judged_path(folder).unlink(missing_ok=True)
    for beside in ("artifacts", "scratch"):
        shutil.rmtree(folder / f"{STORE}.{beside}", ignore_errors=True)


@dataclass(frozen=True)
class _Enrolled:
    """What a method learned of a person, and what that took; however many compositions use it."""

    learned: Learned
    seconds: float
    sent: float


@dataclass(frozen=True)
class _Part:
    """One task under one model."""

    grid: Grid
    task: Task
    model: str
    lm: LM
    ledger: Ledger
    store: Store
    run_id: str
    progress: Progress
    _warm: set[Need] = field(default_factory=set)
    _enrolled: dict[Method, dict[str, _Enrolled]] = field(default_factory=dict)

    def run(self) -> None:
        """Measure everyone, a few people at a time."""
        for place, (text, method) in enumerate(self._fits):
            self._fit_one(text, method, self._within(place))
        done = 0
        everyone = self.task.people(self.grid.people)
        for number, people in enumerate(_chunks(everyone, self.grid.batch)):
            self._know(number, people)
            self._enrolled.clear()
            missing = [
                (unit, cell)
                for cell in self._every
                if (unit := _unit(number, *cell.key.values())) not in self.ledger.done
            ]
            learned: dict[tuple[Method, ...], dict[str, list[Learned]]] = {}
            for place, (unit, cell) in enumerate(missing):
                share = (done + len(people) * place / len(missing)) / self.grid.people
                tell = self._within(len(self._fits) + len(self._every) * min(1.0, share))
                tell(f"{self.task.name}: {cell.method}", 0.0)
                self._warm_up(cell)
                known = learned.setdefault(cell.methods, {})
                self._enroll(cell, people, known, tell)
                lines, cost = cell.measure(people, known, self.lm, self.run_id, self.grid.seed)
                self.ledger.write(unit, lines, [{**cost, "chunk": number}])
            done += len(people)

    def _within(self, begun: float) -> Progress:
        """Give what tells how far one piece of this part is, when so many pieces are done."""
        pieces = len(self._fits) + len(self._every)

        def tell(what: str, share: float) -> None:
            self.progress(what, min(1.0, (begun + share) / pieces))

        return tell

    @cached_property
    def _fits(self) -> list[tuple[str, Method]]:
        """Methods that learn from everyone, each with the composition it stands in."""
        return [(text, m) for text in self.grid.methods for m in methods_of(text) if m.shared]

    @cached_property
    def _every(self) -> list[Cell]:
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        """Give what is measured of everyone; another's records hold no evidence to be found."""
        for kind in self.grid.measures_of(self.task):
            controls: tuple[Whose, ...] = ("own", "other") if self.grid.control else ("own",)
            if kind == "find":
                controls = ("own",)
            else:
                yield Cell(self.task, self.model, GENERIC, "own", kind)
            for method in self.grid.methods:
                for whose in controls:
                    yield Cell(self.task, self.model, method, whose, kind)

    def _fit_one(self, text: str, method: Method, told: Progress) -> None:
        """Let a method learn from those who are not reported on."""
        unit = _unit("fit", task_spec(self.task), self.model, text, method.name)
        if unit in self.ledger.done:
            return
        meter = Meter.whole(f"{self.task.name}: {method.name} learns from others", told)
        views = list(self.task.population())
        self.store.add(record for view in views for record in view.records)
        with timed() as clock:
            Lifecycle(self.store, self.lm).fit(method, views, meter)
        saw = {"people": len(views), "records": sum(map(len, views))}
        line = {"type": "fit", **self._whereabouts, "method": text, **saw}
        self.ledger.write(unit, [line], [{**line, "seconds": clock.seconds}])

    def _know(self, number: int, people: Sequence[Person]) -> None:
        """Keep everyone's records, and say who is there."""
        views = [view for p in people for view in (p.history, p.other) if view is not None]
        self.store.add(record for view in views for record in view.records)
        unit = _unit("people", task_spec(self.task), number)
        if unit not in self.ledger.done:
            self.ledger.write(unit, [self._who(person) for person in people])

    def _who(self, person: Person) -> Line:
        other = person.other
        return {
            "type": "person",
            "task": task_spec(self.task),
            "person": person.history.id,
            "items": len(person.items),
            "records": len(person.history),
            "other": other.id if other else None,
            "other_records": len(other) if other else 0,
        }

    def _enroll(
        self,
        cell: Cell,
        people: Sequence[Person],
        known: dict[str, list[Learned]],
        told: Progress,
    ) -> None:
        """Let a cell's composition learn of those of whom it has not learned yet."""
        views = {user: v for user, v in cell.views(people).items() if user not in known}
        if not views or not cell.methods:
            return
        meter = Meter.whole(f"{self.task.name}: {cell.method}", told)
        found = [self._learn(method, views, meter) for method in cell.methods]
        for user in views:
            known[user] = [each[user].learned for each in found]
        if cell.whose == "own":
            line = {"type": "enroll", **self._whereabouts, "method": cell.method}
            self.ledger.note(
                [
                    {
                        **line,
                        "seconds": sum(each[user].seconds for each in found),
                        "left_bytes": sum(each[user].sent for each in found),
                        "person": user,
                        "bytes": _stored(known[user]),
                    }
                    for user in views
                ]
            )

    def _learn(
        self, method: Method, views: Mapping[str, User], meter: Meter
    ) -> Mapping[str, _Enrolled]:
        """Let a method learn of those of whom it has not learned in another composition."""
        enrolled = self._enrolled.setdefault(method, {})
        new = [view for user, view in views.items() if user not in enrolled]
        if new:
            counted = Counted(self.lm)
            with timed() as clock:
                kept = Lifecycle(self.store, counted).learned(method, new, meter)
            sent = counted.nbytes / len(new) if leaves(self.lm) else 0.0
            for view, saved in zip(new, kept, strict=True):
                learned = Learned.of(method, saved)
                enrolled[view.id] = _Enrolled(learned, clock.seconds / len(new), sent)
        return enrolled

    def _warm_up(self, cell: Cell) -> None:
        """Load what a cell needs before a clock runs."""
        calls: dict[Need, Callable[[], object]] = {
            "embed": lambda: self.lm.embed(["Hello"]),
            "score": lambda: self.lm.score([Plan.ask("Hello")], ["Hi"]),
            "generate": lambda: self.lm.generate([Plan.ask("Hello", sampling=Sampling(1))]),
        }
        for verb in _VERBS[cell.kind]:
            if verb not in self._warm and (verb != "embed" or verb in self.lm.carries):
                calls[verb]()
            self._warm.add(verb)

    @property
    def _whereabouts(self) -> Mapping[str, str]:
        return {"task": task_spec(self.task), "model": self.model}


def _unit(*parts: object) -> str:
    return json.dumps(parts)


def _chunks(people: Iterable[Person], items: int) -> Iterator[list[Person]]:
    """Take people together until they have enough items, and nobody twice."""
    chunk: list[Person] = []
    for person in people:
        known = {view.id: view for p in chunk for view in _views(p)}
        if any(known.get(view.id, view) != view for view in _views(person)):
            yield chunk
            chunk = []
        chunk.append(person)
        if sum(len(p.items) for p in chunk) >= items:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _views(person: Person) -> list[User]:
    return [person.history, person.other] if person.other else [person.history]


def _stored(learned: Sequence[Learned]) -> int:
    """Give what is kept of a person beside the records, in bytes."""
    states = [one.state for one in learned if one.state]
    return sum(state.nbytes + len(json.dumps(dict(state.facts))) for state in states)
