"""What a person says of a reply, as records: the forms that `ipse.preferences` reads.

    thumb, rating    an interaction: input the question, output how, meta["reply"] what was rated
    edit, choice     a preference: input the question, output what was preferred, rejected the other

Nothing is made of what a person did not say: that a reply was written anew tells nothing, until one
of the two is kept. What a person says again is the same record; what they change their mind about
is a new one, and the latest counts. Every record names in `meta["evidence"]` what the replies in it
had read, so it goes with any of that.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ipse.errors import InvalidFeedback
from ipse.preferences import THUMBS, How
from ipse.records import Record, User
from ipse.state import SavedState
from ipse.store import StoredReply

__all__ = ["RATINGS", "SOURCE", "Feedback", "Taken", "feedback_records", "said"]

SOURCE = "feedback"
"""The source of every record of feedback."""

RATINGS = (1.0, 5.0)
"""The lowest and the highest rating."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Feedback:
    """What a person says of one reply; at least one thing.

    Attributes:
        thumb: `up` or `down`.
        rating: From 1 to 5.
        edit: The reply as they would have it.
        better_than: Another reply to the same question, or a text, that they like less.
        regenerated: The reply that was there before this one was written anew, where they keep
            this one.
    """

    thumb: str | None = None
    rating: float | None = None
    edit: str | None = None
    better_than: StoredReply | str | None = None
    regenerated: StoredReply | None = None


@dataclass(frozen=True)
class Taken:
    """What became of feedback.

    Attributes:
        records: The records that say it.
        new: How many of them were not there yet.
        states: What methods learned of it, without arrays.
    """

    records: tuple[Record, ...]
    new: int
    states: tuple[SavedState, ...] = ()


def feedback_records(reply: StoredReply, told: Feedback, user: User) -> list[Record]:
    """Give what a person said of a reply as records, those they said before as they are.

    Args:
        reply: The reply.
        told: What they said.
        user: All that is known of them.

    Returns:
        At least one record.

    Raises:
        InvalidFeedback: If nothing was said, or what was said tells nothing.
        InvalidRecord: If a text is none that a record may hold.
    """
    found = [_record(reply, fields, user) for fields in _fields(reply, told)]
    if not found:
        raise InvalidFeedback("nothing was said of the reply. Give a thumb, rating, edit or choice")
    return found


def said(user: User) -> list[Record]:
    """Give what a person said of replies, oldest first."""
    return [record for record in user.records if record.source == SOURCE]


def _fields(reply: StoredReply, told: Feedback) -> Iterator[dict[str, Any]]:
    """Give what sets the records apart, one after the other."""
    if told.thumb is not None:
        if told.thumb not in THUMBS:
            raise InvalidFeedback(f"a thumb is 'up' or 'down'; got {told.thumb!r}")
        yield _rating(reply, "thumb", told.thumb)
    if told.rating is not None:
        yield _rating(reply, "rating", _number(told.rating))
    if told.edit is not None:
        if told.edit.strip() == reply.text.strip():
            raise InvalidFeedback("the edit is the draft. For 'good as it is', give a thumb")
        yield _preference("edit", told.edit, reply.text)
    if isinstance(told.better_than, StoredReply):
        yield _choice(reply, "choice", told.better_than)
    elif told.better_than is not None:
        _check_differs(reply.text, told.better_than)
        yield _preference("choice", reply.text, told.better_than)
    if told.regenerated is not None:
        yield _choice(reply, "regeneration", told.regenerated)


def _number(rating: object) -> str:
    low, high = RATINGS
    number = isinstance(rating, int | float) and not isinstance(rating, bool)
    if not (number and math.isfinite(rating) and low <= rating <= high):  # type: ignore[arg-type,operator]
        raise InvalidFeedback(f"a rating is a number from {low:g} to {high:g}; got {rating!r}")
    return f"{rating:g}"


def _rating(reply: StoredReply, how: How, output: str) -> dict[str, Any]:
    meta = {"how": how, "reply": reply.text}
    return {"kind": "interaction", "output": output, "meta": meta}


def _preference(how: How, chosen: str, rejected: str) -> dict[str, Any]:
    meta = {"how": how}
    return {"kind": "preference", "output": chosen, "rejected": rejected, "meta": meta}


def _choice(reply: StoredReply, how: How, other: StoredReply) -> dict[str, Any]:
    if other.question != reply.question:
        raise InvalidFeedback(
            f"{reply.id} and {other.id} answer different questions, so neither is better: "
            f"{reply.question[:80]!r} and {other.question[:80]!r}"
        )
    _check_differs(reply.text, other.text)
    fields = _preference(how, reply.text, other.text)
    meta = {**fields["meta"], "other_reply_id": other.id, "evidence": list(other.read)}
    return {**fields, "meta": meta}


def _check_differs(text: str, other: str) -> None:
    if text.strip() == other.strip():
        raise InvalidFeedback(f"both texts are the same, so neither is better: {text[:80]!r}")


def _record(reply: StoredReply, fields: dict[str, Any], user: User) -> Record:
    """Make a record of what was said; where it was the last word on the same, give that one."""
    last = next((r for r in reversed(said(user)) if _is_on_the_same(r, reply, fields)), None)
    if last is not None and last.output == fields["output"]:
        return last
    read = dict.fromkeys((*reply.read, *fields["meta"].get("evidence", ())))
    meta = {**fields["meta"], "reply_id": reply.id, "evidence": list(read)}
    now = datetime.now(UTC)
    return Record(
        user=reply.user,
        input=reply.question,
        time=now if last is None else max(now, last.time + _TICK),
        source=SOURCE,
        # Not of the time: who says the same twice at once says it once.
        id=_digest(reply, fields, last.id if last else ""),
        **{**fields, "meta": meta},
    )


def _is_on_the_same(record: Record, reply: StoredReply, fields: dict[str, Any]) -> bool:
    """Whether a record says something of the same reply, or of the same two texts."""
    if record.kind != fields["kind"]:
        return False
    if record.kind == "preference":
        texts = {record.output, record.rejected}
        return record.input == reply.question and texts == {fields["output"], fields["rejected"]}
    meta = record.meta
    return (meta.get("reply_id"), meta.get("how")) == (reply.id, fields["meta"]["how"])


def _digest(reply: StoredReply, fields: dict[str, Any], last: str) -> str:
    what = [reply.user, reply.id, fields["meta"]["how"], fields["output"]]
    blob = json.dumps([*what, fields.get("rejected"), last]).encode()
    return hashlib.sha256(blob).hexdigest()[:32]
