"""`lamp`: the LaMP benchmark's own prompts: records worked into the question, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ipse.lm import Cut, Piece
from ipse.methods.base import Method, Steps
from ipse.plan import Plan
from ipse.records import Record, User
from ipse.retrieval import BM25, top
from ipse.state import State

__all__ = ["Lamp"]

LampTask = Literal["1", "2", "2m", "2n", "3", "4", "5", "6", "7"]


@dataclass(frozen=True)
class _Task:
    """One row of the benchmark's table: how its records and questions read.

    Attributes:
        item: A record in the prompt; {text} is cut to the budget, {label} never is.
        text: The side of a record that is cut.
        label: The side that is kept whole, or "".
        corpus: What of a record is searched.
        query: What of the question is searched with: all after this marker.
        ending: Stands between the records and the question.
    """

    item: str
    text: str = "input"
    label: str = "output"
    corpus: tuple[str, ...] = ("input",)
    query: str = ":"
    ending: str = ". "


_GIVEN = "Following the given patterns "
_MOVIE = _Task('the tag for the movie: "{text}" is "{label}" ', query="description:")
_TITLED = ("input", "output")
_TASKS: dict[str, _Task] = {
    "1": _Task('"{text}"', label="", corpus=_TITLED, query='"'),
    "2": _MOVIE,
    "2m": _MOVIE,
    "2n": _Task(
        'the category for the article: "{text}" is "{label}" ',
        corpus=("title", "input"),
        query="article:",
    ),
    "3": _Task('{label} is the score for "{text}" ', query="review:"),
    "4": _Task('"{label}" is the title for "{text}" ', corpus=_TITLED, query="article:"),
    "5": _Task(
        '"{label}" is a title for "{text}" ',
        corpus=_TITLED,
        query="paper:",
        ending=f". {_GIVEN}",
    ),
    "6": _Task('"{label}" is the title for "{text}" '),
    "7": _Task(
        '"{text}" ',
        text="output",
        label="",
        corpus=("output",),
        ending=f"are written by a person. {_GIVEN}",
    ),
}


@dataclass(frozen=True)
class Lamp(Method):
    """In-prompt augmentation as LaMP defines it (2304.11406, table 5 and its code's budget rule).

    Attributes:
        task: Which task's templates: 1, 2 (2m: movies), 2n (news), 3, 4, 5, 6 or 7.
        k: How many records.
        ranker: What chooses them.
        budget: The longest prompt, in tokens; 0 cuts nothing and needs no tokenizer.
    """

    name: ClassVar[str] = "lamp"
    paper: ClassVar[str] = "2304.11406"
    stores: ClassVar[str] = "a word index of the records"

    task: LampTask = "4"
    k: int = 4
    ranker: Literal["bm25", "recent"] = "bm25"
    budget: int = 512

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Index what the benchmark searches of each record."""
        if self.ranker == "recent":
            return None
        del shared
        corpus = _TASKS[self.task].corpus
        texts = [" ".join(_side(record, side) for side in corpus) for record in user.records]
        return State(
            arrays=BM25.build(texts).to_arrays(), lineage=tuple(r.id for r in user.records)
        )

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Work the records into the question."""
        records = self._choose(plan.main.question, user, state)
        return self._write(plan, records) if records else plan

    def _choose(self, question: str, user: User, state: State | None) -> list[Record]:
        if self.ranker == "recent" or state is None:
            return list(user.latest(self.k)[::-1])
        scores = BM25.from_arrays(state.arrays, len(state.lineage)).scores(self._query(question))
        return [user.record(state.lineage[place]) for place in top(scores, self.k)]

    def _query(self, question: str) -> str:
        if self.task == "1":  # the two papers to choose between, each in quotation marks
            return " ".join(re.findall(r'"(.*?)"', question)[1:3]) or question
        _, marker, rest = question.partition(_TASKS[self.task].query)
        return rest if marker else question

    def _write(self, plan: Plan, records: list[Record]) -> Steps[Plan]:
        """Lower the question's share of the budget until the records fit, or leave them out."""
        question = plan.main.question
        evidence = tuple(record.id for record in records)
        if not self.budget:
            items = [self._item(record, _side(record, self._task.text)) for record in records]
            return self._joined(plan, items, evidence)
        asked: Piece = yield Cut(question)
        for share in (0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0):
            room = self.budget - min(asked.tokens, int(share * self.budget))
            items = yield from self._fit(records, room)
            if items:
                return self._joined(plan, items, evidence)
        return plan

    def _fit(self, records: list[Record], room: int) -> Steps[list[str]]:
        """Cut each record to its share of the room; what one leaves over, the next may use."""
        each = (room - 1 - 2 * (len(records) - 1)) // len(records)
        saved = 0
        items = []
        for record in records:
            frame: Piece = yield Cut(self._item(record, " "))
            limit = each + saved - frame.tokens
            if limit < 1:
                return []
            piece: Piece = yield Cut(_side(record, self._task.text), limit)
            saved += each - piece.tokens - frame.tokens
            items.append(self._item(record, piece.text))
        return items

    @property
    def _task(self) -> _Task:
        return _TASKS[self.task]

    def _item(self, record: Record, text: str) -> str:
        label = _side(record, self._task.label) if self._task.label else ""
        return self._task.item.format(label=label, text=text)

    def _joined(self, plan: Plan, items: list[str], evidence: tuple[str, ...]) -> Plan:
        question = plan.main.question
        joined = ", and ".join(items)
        if self.task == "1":
            head, title, tail = question.partition("title")
            if not title:  # nothing to hang the records on
                return plan
            text = f"{head}title, and {joined}{tail}"
        else:
            text = f"{joined}{self._task.ending}{question}"
        return plan.with_question(text, evidence)


def _side(record: Record, side: str) -> str:
    sides: dict[str, Callable[[], Any]] = {
        "input": lambda: record.input,
        "output": lambda: record.output,
        "title": lambda: record.meta.get("title", ""),
    }
    return str(sides[side]())
