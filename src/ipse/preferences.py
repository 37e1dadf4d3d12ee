"""What a person preferred to what: pairs, whichever way they were told.

A choice says it outright; so does an edit, which is preferred to the draft it was made of. Of
ratings and thumbs, two under the same prompt that differ say it. This file knows records, and no
reward and no method.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Literal, get_args

from ipse.records import Kind, Record, User

__all__ = ["HOWS", "JUDGING", "THUMBS", "How", "Pair", "disputed", "pairs", "rated"]

How = Literal["choice", "edit", "regeneration", "rating", "thumb"]
"""How a person said what they prefer; a record's `meta["how"]`, and a choice where it is silent."""

HOWS: tuple[How, ...] = get_args(How)

JUDGING: tuple[Kind, ...] = ("interaction", "preference")
"""The kinds of record that say what a person prefers."""

_COMPARED = 40  # answers to one prompt, the last that were rated

THUMBS = {"down": 0.0, "up": 1.0}
"""What a thumb counts as a rating."""


@dataclass(frozen=True)
class Pair:
    """Two texts, of which a person prefers one.

    Attributes:
        prompt: What both answer.
        chosen: What was preferred; of a tie, the one that was named first.
        rejected: What it was preferred to.
        records: The ids of the records that say so.
        time: When it was said.
        how: How it was said.
        tie: Neither was preferred to the other.
    """

    prompt: str
    chosen: str
    rejected: str
    records: tuple[str, ...]
    time: datetime
    how: How = "choice"
    tie: bool = False

    @property
    def between(self) -> tuple[str, frozenset[str]]:
        """What was compared, whichever way it went."""
        return self.prompt, frozenset((self.chosen, self.rejected))


def pairs(user: User, *, ties: bool = False) -> list[Pair]:
    """Give what a person prefers; of the same two texts, what they said last.

    Args:
        user: The person.
        ties: Whether those of which they prefer neither are given, too.

    Returns:
        The pairs, oldest first.
    """
    last: dict[tuple[str, frozenset[str]], Pair] = {}
    for pair in _told(user.records):
        last.pop(pair.between, None)  # so that the order is that of the latest
        last[pair.between] = pair
    return [pair for pair in last.values() if ties or not pair.tie]


def disputed(user: User) -> list[tuple[Pair, Pair]]:
    """Give where a person said one thing and later another: what was said before, and after."""
    last: dict[tuple[str, frozenset[str]], Pair] = {}
    found = []
    for pair in _told(user.records):
        before = last.get(pair.between)
        if before and (before.chosen, before.tie) != (pair.chosen, pair.tie):
            found.append((before, pair))
        last[pair.between] = pair
    return found


def rated(record: Record) -> tuple[str, float] | None:
    """Read a rating of an answer: `meta["reply"]` is what was rated, the output is how.

    Args:
        record: Any record.

    Returns:
        The answer and a number, higher is better; None where it rates no answer.
    """
    reply = record.meta.get("reply")
    if record.kind != "interaction" or not isinstance(reply, str) or not reply.strip():
        return None
    if record.output in THUMBS:
        return reply, THUMBS[record.output]
    try:
        value = float(record.output)
    except ValueError:
        return None
    return (reply, value) if math.isfinite(value) else None


def _told(records: Sequence[Record]) -> list[Pair]:
    """Give all pairs that records tell, oldest first."""
    outright = [_outright(r) for r in records if r.kind == "preference" and r.rejected]
    return sorted([*outright, *_of_ratings(records)], key=lambda pair: (pair.time, pair.records))


def _outright(record: Record) -> Pair:
    how = record.meta.get("how")
    return Pair(
        record.input,
        record.output,
        record.rejected or "",
        (record.id,),
        record.time,
        how if how in HOWS else "choice",
        record.meta.get("tie") is True,
    )


def _of_ratings(records: Iterable[Record]) -> list[Pair]:
    """Pair answers to the same prompt that were rated on the same scale, by their last ratings.

    Of one prompt, the answers that were rated last: every one more is a pair with all the others.
    """
    rates: dict[tuple[str, bool], dict[str, tuple[float, Record]]] = defaultdict(dict)
    for record in records:
        if found := rated(record):
            of_prompt = rates[record.input, record.output in THUMBS]
            of_prompt.pop(found[0], None)  # so that the order is that of the last rating
            of_prompt[found[0]] = found[1], record
    made = []
    for (prompt, thumbs), answers in rates.items():
        latest = list(answers.items())[-_COMPARED:]
        for (one, (a, first)), (other, (b, second)) in combinations(latest, 2):
            chosen, rejected = (one, other) if a >= b else (other, one)
            ids = (first.id, second.id)
            how: How = "thumb" if thumbs else "rating"
            time = max(first.time, second.time)
            made.append(Pair(prompt, chosen, rejected, ids, time, how, a == b))
    return made
