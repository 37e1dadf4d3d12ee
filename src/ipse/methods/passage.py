"""From scores to a passage in the prompt; shared by every method that shows records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipse.plan import Plan
from ipse.records import Record, User
from ipse.retrieval import recency, select
from ipse.state import State
from ipse.text import Form, cut, ends, judged, overlap, show

__all__ = ["HEADING", "Showing", "above_zero", "with_best", "with_records"]

HEADING = "What this person said before, in their own words:"

_ANSWERS = ("content", "interaction")


class Showing(Protocol):
    """The settings that every search shares."""

    @property
    def k(self) -> int:
        """How many records."""

    @property
    def form(self) -> Form:
        """Whether answers are shown as turns of a conversation, or all records as a list."""

    @property
    def given(self) -> int:
        """The most words of what a record answers to."""

    @property
    def limit(self) -> int:
        """The most words of what the person wrote."""

    @property
    def diversity(self) -> float:
        """How much likeness to a chosen record counts against the next, in [0, 1]."""

    @property
    def half_life(self) -> float:
        """Scores halve every so many records towards the past; 0 is never."""


def with_records(
    plan: Plan, records: Iterable[Record], *, form: Form, given: int, limit: int
) -> Plan:
    """Let the model read some records first; those the plan holds already are not shown twice.

    Args:
        plan: The plan so far.
        records: What to show, in the order to be read.
        form: With `turns`, what the person wrote or rated in answer to something is shown as a
            question and its answer, and only the rest as a list, with what they say of replies.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person said.

    Returns:
        The plan with the records and their ids; the very same where nothing is left to show.
    """
    new = [record for record in records if record.id not in plan.evidence]
    turns = [r for r in new if form == "turns" and _is_turn(r)]
    listed = [record for record in new if record not in turns]
    if turns:
        plan = plan.with_turns(
            [(ends(r.input, given), cut(r.output, limit)) for r in turns],
            tuple(record.id for record in turns),
        )
    if listed:
        lines = [f"- {show(record, limit)}" for record in listed]
        plan = plan.with_context(
            "\n".join([HEADING, *lines]), tuple(record.id for record in listed)
        )
    return plan


def _is_turn(record: Record) -> bool:
    """Whether a record is the person's own answer to something."""
    return record.kind in _ANSWERS and bool(record.input) and judged(record) is None


def with_best(
    plan: Plan, user: User, state: State, scores: NDArray[np.floating], how: Showing
) -> Plan:
    """Let the model read the records with the best scores, the best one nearest to the question.

    Args:
        plan: The plan so far.
        user: The person.
        state: Its lineage says which record each score is of.
        scores: At least 0, of (records,); a record with 0 is never shown.
        how: How many records, how different and how new, and how they are shown.

    Returns:
        The plan with the records and their ids; the very same where nothing is left to show.
    """
    weighted = scores * recency(len(scores), how.half_life)

    def likeness(places: NDArray[np.intp]) -> NDArray[np.float64]:
        return overlap([user.record(state.lineage[place]).output for place in places])

    places = select(weighted, how.k, how.diversity, likeness)
    best = [user.record(state.lineage[place]) for place in places[::-1] if weighted[place] > 0]
    return with_records(plan, best, form=how.form, given=how.given, limit=how.limit)


def above_zero(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move scores, all by the same, so that the least is just above 0: any record may be shown."""
    return scores - float(scores.min(initial=0.0)) + 1e-6
