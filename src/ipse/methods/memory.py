"""`memory`: what was said in long conversations, found by words, meaning, company, who and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Embed
from ipse.methods.base import Base, Method, Steps
from ipse.methods.dense import embed_records
from ipse.methods.passage import above_zero, with_best
from ipse.plan import Plan
from ipse.records import Record, User
from ipse.retrieval import (
    BM25,
    blend,
    named,
    since,
    sittings,
    spans,
    stemmed,
    with_neighbors,
)
from ipse.state import State
from ipse.text import Form, Match, document

__all__ = ["Memory"]

_K1, _B = 0.9, 0.4
"""For short texts: repeating a word and saying more count for little."""


@dataclass(frozen=True)
class Memory(Method):
    """Show the `k` records that answer a question on what was said long ago.

    BM25 over stems and embeddings, mixed; each record also by its neighbors in the conversation, by
    who said it where the question names a speaker (`meta["speaker"]`), and by when where it names a
    date. Where records or questions do not say, these do nothing.

    Attributes:
        k: How many records.
        match: Which side of a record is compared with the question.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
        diversity: How much likeness to a chosen record counts against the next, in [0, 1] (MMR).
        half_life: Scores halve every so many records towards the past; 0 is never.
        words: The share of BM25; the rest is the embedder's.
        stem: Whether words are compared without endings, and small words not at all.
        reach: How many neighbors on either side count; 0 is none.
        near: The share of each neighbor's score.
        ahead: The share of the next neighbor's score, besides.
        speaker: What being said by the one speaker named adds, in standard deviations; with 0,
            names are left in the question.
        date: What being said on a date named, or soon after, adds, in standard deviations.
    """

    name: ClassVar[str] = "memory"
    base: ClassVar[Base] = "embedder"
    stores: ClassVar[str] = "a word index, one vector a record, who spoke and when"

    k: int = 10
    match: Match = "both"
    form: Form = "turns"
    given: int = 16
    limit: int = 80
    diversity: float = field(default=0.0, metadata={"most": 1.0})
    half_life: float = 0.0
    words: float = field(default=0.5, metadata={"most": 1.0})
    stem: bool = True
    reach: int = 3
    near: float = 0.2
    ahead: float = 0.2
    speaker: float = 2.0
    date: float = 4.0

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Index and embed the person's records, and note who spoke and when."""
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
        texts = [self._terms(document(record, self.match)) for record in user.records]
        vectors = yield from embed_records(user, self.match, known)
        speakers, spoke = _who(user.records)
        arrays = {
            **BM25.build(texts, _K1, _B).to_arrays(),
            "vectors": vectors,
            "spoke": spoke,
            "days": np.array([record.time.toordinal() for record in user.records], np.int32),
            "sittings": sittings(user.records),
        }
        lineage = tuple(record.id for record in user.records)
        return State({"speakers": speakers}, arrays, lineage)

    def _search(self, plan: Plan, user: User, state: State) -> Steps[Plan]:
        question, arrays = plan.main.question, state.arrays
        asked, who = named(question, state.facts["speakers"]) if self.speaker else (question, ())
        (vector,) = yield Embed((asked,))
        by_words = BM25.from_arrays(arrays, len(state.lineage)).scores(self._terms(asked))
        scores = blend(by_words, arrays["vectors"] @ vector, self.words)
        scores = with_neighbors(scores, arrays["sittings"], self.reach, self.near, self.ahead)
        scores = scores + self._cues(question, who, arrays)
        return with_best(plan, user, state, above_zero(scores), self)

    def _cues(
        self, question: str, who: Sequence[int], arrays: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.float64]:
        """Score every record by who said it and when, (records,)."""
        days = arrays["days"]
        cues = self.date * since(days, spans(question, int(days[0]), int(days[-1])))
        if len(who) == 1:  # of two, either may have said it
            cues += self.speaker * (arrays["spoke"] == who[0])
        return cues

    def _terms(self, text: str) -> str:
        return stemmed(text) if self.stem else text


def _who(records: Sequence[Record]) -> tuple[list[str], NDArray[np.int32]]:
    """Give the speakers there are, and each record's place among them; -1 where none is named."""
    said = [str(record.meta.get("speaker") or "") for record in records]
    speakers = sorted(set(said) - {""})
    place = {name: n for n, name in enumerate(speakers)}
    return speakers, np.array([place.get(name, -1) for name in said], np.int32)
