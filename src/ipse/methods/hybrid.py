"""`hybrid`: what BM25 and the embedder both rank high."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Embed
from ipse.methods.base import Base, Method, Steps
from ipse.methods.dense import embed_records
from ipse.methods.passage import above_zero, with_best
from ipse.plan import Plan
from ipse.records import User
from ipse.retrieval import BM25, blend, fuse, top
from ipse.state import State
from ipse.text import Form, Match, document

__all__ = ["Hybrid"]


@dataclass(frozen=True)
class Hybrid(Method):
    """Show the `k` records that BM25 and embeddings together put first.

    Their scores are brought to one scale and mixed; with `fusion=ranks` it is reciprocal rank
    fusion (Cormack, Clarke and Buettcher, SIGIR 2009), with the constant they give.

    Attributes:
        k: How many records.
        match: Which side of a record is compared with the question.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
        diversity: How much likeness to a chosen record counts against the next, in [0, 1] (MMR).
        half_life: Scores halve every so many records towards the past; 0 is never.
        fusion: Whether scores are mixed, or ranks.
        words: The share of BM25 where scores are mixed; the rest is the embedder's.
        depth: How many of each ranking are fused, where it is ranks.
        rrf: The constant of the fusion of ranks.
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
    fusion: Literal["scores", "ranks"] = "scores"
    words: float = field(default=0.5, metadata={"most": 1.0})
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

    def scores(self, question: str, state: State) -> Steps[NDArray[np.float64]]:
        """Say how near each record of a state's lineage is to a question; higher is nearer.

        Args:
            question: The question.
            state: What was learned.

        Returns:
            Scores of (records,), in standard deviations; of ranks, what their fusion gives.
        """
        (vector,) = yield Embed((question,))
        index = BM25.from_arrays(state.arrays, len(state.lineage))
        by_words = index.scores(question)  # (records,)
        by_meaning = state.arrays["vectors"] @ vector  # (records,)
        if self.fusion == "ranks":
            return self._ranks(by_words, by_meaning)
        return blend(by_words, by_meaning, self.words)

    def _search(self, plan: Plan, user: User, state: State) -> Steps[Plan]:
        scores = yield from self.scores(plan.main.question, state)
        shown = scores if self.fusion == "ranks" else above_zero(scores)
        return with_best(plan, user, state, shown, self)

    def _ranks(
        self, by_words: NDArray[np.floating], by_meaning: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        worded = top(by_words, min(self.depth, int(np.count_nonzero(by_words))))
        return fuse([worded, top(by_meaning, self.depth)], len(by_words), self.rrf)
