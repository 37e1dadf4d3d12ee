"""`hybrid`: what BM25 and the embedder both rank high."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ipse.lm import Embed
from ipse.methods.base import Base, Method, Steps
from ipse.methods.dense import embed_records
from ipse.methods.passage import with_best
from ipse.plan import Plan
from ipse.records import User
from ipse.retrieval import BM25, fuse, top
from ipse.state import State
from ipse.text import Form, Match, document

__all__ = ["Hybrid"]


@dataclass(frozen=True)
class Hybrid(Method):
    """Show the `k` records that reciprocal rank fusion of BM25 and embeddings puts first.

    Cormack, Clarke and Buettcher (SIGIR 2009), with the constant they give.

    Attributes:
        k: How many records.
        match: Which side of a record is compared with the question.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
        diversity: How much likeness to a chosen record counts against the next, in [0, 1] (MMR).
        half_life: Scores halve every so many records towards the past; 0 is never.
        depth: How many of each ranking are fused.
        rrf: The constant of the fusion.
    """

    name: ClassVar[str] = "hybrid"
    base: ClassVar[Base] = "embedder"
    stores: ClassVar[str] = "a word index and one vector a record"

    k: int = 6
    match: Match = "both"
    form: Form = "turns"
    given: int = 16
    limit: int = 80
    diversity: float = field(default=0.0, metadata={"most": 1.0})
    half_life: float = 0.0
    depth: int = 100
    rrf: int = 60

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Index and embed the person's records."""
        del shared
        return self._learn(user, None)

    def update(self, user: User, state: State, shared: State | None) -> Steps[State | None]:
        """Index again, embed the new records only."""
        del shared
        return self._learn(user, state)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Put the records found in front of the question."""
        return plan if state is None else self._search(plan, user, state)

    def _learn(self, user: User, known: State | None) -> Steps[State | None]:
        index = BM25.build([document(record, self.match) for record in user.records])
        vectors = yield from embed_records(user, self.match, known)
        arrays = {**index.to_arrays(), "vectors": vectors}
        return State(arrays=arrays, lineage=tuple(r.id for r in user.records))

    def _search(self, plan: Plan, user: User, state: State) -> Steps[Plan]:
        size = len(state.lineage)
        (question,) = yield Embed((plan.main.question,))
        by_words = BM25.from_arrays(state.arrays, size).scores(plan.main.question)
        by_meaning = state.arrays["vectors"] @ question  # (records,)
        worded = top(by_words, min(self.depth, int(np.count_nonzero(by_words))))
        scores = fuse([worded, top(by_meaning, self.depth)], size, self.rrf)
        return with_best(plan, user, state, scores, self)
