"""`bm25`: the person's records that share the question's rare words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ipse.methods.base import Method
from ipse.methods.passage import with_best
from ipse.plan import Plan
from ipse.records import User
from ipse.retrieval import BM25
from ipse.state import State
from ipse.text import Form, Match, document

__all__ = ["Bm25"]


@dataclass(frozen=True)
class Bm25(Method):
    """Show the `k` records BM25 finds (LaMP, 2304.11406, section 4).

    Attributes:
        k: How many records.
        match: Which side of a record is compared with the question.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
        diversity: How much likeness to a chosen record counts against the next, in [0, 1] (MMR).
        half_life: Scores halve every so many records towards the past; 0 is never.
    """

    name: ClassVar[str] = "bm25"
    paper: ClassVar[str] = "2304.11406"
    stores: ClassVar[str] = "a word index of the records"

    k: int = 6
    match: Match = "both"
    form: Form = "turns"
    given: int = 16
    limit: int = 80
    diversity: float = field(default=0.0, metadata={"most": 1.0})
    half_life: float = 0.0

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Index the person's records."""
        del shared
        index = BM25.build([document(record, self.match) for record in user.records])
        return State(arrays=index.to_arrays(), lineage=tuple(r.id for r in user.records))

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Put the records found in front of the question."""
        if state is None:
            return plan
        scores = BM25.from_arrays(state.arrays, len(state.lineage)).scores(plan.main.question)
        return with_best(plan, user, state, scores, self)
