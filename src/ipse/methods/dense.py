"""`dense`: the person's records that mean something like the question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Embed
from ipse.methods.base import Base, Method, Steps
from ipse.methods.passage import with_best
from ipse.plan import Plan
from ipse.records import User
from ipse.state import State
from ipse.text import Form, Match, document

__all__ = ["Dense", "embed_records"]


@dataclass(frozen=True)
class Dense(Method):
    """Show the `k` records whose embeddings are nearest to the question's (LaMP, 2304.11406).

    LaMP uses Contriever; here it is whichever embedder the backend has.

    Attributes:
        k: How many records.
        match: Which side of a record is compared with the question.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
        diversity: How much likeness to a chosen record counts against the next, in [0, 1] (MMR).
        half_life: Scores halve every so many records towards the past; 0 is never.
    """

    name: ClassVar[str] = "dense"
    base: ClassVar[Base] = "embedder"
    paper: ClassVar[str] = "2304.11406"
    stores: ClassVar[str] = "one vector a record"

    k: int = 6
    match: Match = "both"
    form: Form = "turns"
    given: int = 16
    limit: int = 80
    diversity: float = field(default=0.0, metadata={"most": 1.0})
    half_life: float = 0.0

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Embed the person's records."""
        del shared
        return self._learn(user, None)

    def update(self, user: User, state: State, shared: State | None) -> Steps[State | None]:
        """Embed the new records only."""
        del shared
        return self._learn(user, state)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Put the records found in front of the question."""
        return plan if state is None else self._search(plan, user, state)

    def _learn(self, user: User, known: State | None) -> Steps[State | None]:
        vectors = yield from embed_records(user, self.match, known)
        return State(arrays={"vectors": vectors}, lineage=tuple(r.id for r in user.records))

    def _search(self, plan: Plan, user: User, state: State) -> Steps[Plan]:
        (question,) = yield Embed((plan.main.question,))
        scores = np.maximum(0.0, state.arrays["vectors"] @ question)  # (records,)
        return with_best(plan, user, state, scores, self)


def embed_records(
    user: User, match: Match, known: State | None, limit: int = 32
) -> Steps[NDArray[np.float32]]:
    """Embed a person's records, taking over the vectors that are known already.

    Args:
        user: The person.
        match: Which side of a record to embed.
        known: A state with `vectors` of its lineage.
        limit: The most words of a record's input; embedders read little and slowly.

    Returns:
        Unit vectors of (records, width).
    """
    old = dict(zip(known.lineage, known.arrays["vectors"], strict=True)) if known else {}
    new = [record for record in user.records if record.id not in old]
    texts = [document(record, match, limit) for record in new]
    vectors = (yield Embed(tuple(texts))) if texts else ()
    fresh = dict(zip((r.id for r in new), vectors, strict=True))
    return np.stack([(fresh if r.id in fresh else old)[r.id] for r in user.records])
