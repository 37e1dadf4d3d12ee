"""Conversations as records, and the fields of the files they come in.

Not a task: what tasks made of conversations share. It knows no data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ipse.errors import InvalidFile
from ipse.records import Record

__all__ = ["SECOND", "Session", "Turn", "need", "need_text", "session_records", "turn_records"]

SECOND = timedelta(seconds=1)
"""How far apart turns are put, where only their session has a time."""

T = TypeVar("T")


@dataclass(frozen=True)
class Turn:
    """What was said at once.

    Attributes:
        id: Of the record it becomes.
        speaker: Who said it.
        text: What they said.
        meta: Anything else, as JSON.
    """

    id: str
    speaker: str
    text: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """Turns of one sitting.

    Attributes:
        id: Of the record it becomes, if it becomes one.
        name: What the data calls it.
        start: When it began.
        turns: Its turns, in order.
    """

    id: str
    name: str
    start: datetime
    turns: Sequence[Turn]


def turn_records(user: str, sessions: Sequence[Session], source: str) -> Iterator[Record]:
    """Make a record of every turn that says something, a second apart and strictly ascending.

    Args:
        user: Whose records they are.
        sessions: The sessions, in order of time; turns of one may reach into the next.
        source: The data set.

    Yields:
        The records.
    """
    time = None
    for session in sessions:
        heard: dict[str, str] = {}
        for turn in session.turns:
            if not turn.text.strip():
                continue
            time = session.start if time is None else max(session.start, time + SECOND)
            others = [text for speaker, text in heard.items() if speaker != turn.speaker]
            yield Record(
                user=user,
                kind="dialogue",
                output=turn.text,
                input=others[-1] if others else "",
                time=time,
                source=source,
                meta={"speaker": turn.speaker, "session": session.name, **turn.meta},
                id=turn.id,
            )
            # The latest of a speaker goes last.
            heard.pop(turn.speaker, None)
            heard[turn.speaker] = turn.text


def session_records(user: str, sessions: Sequence[Session], source: str) -> Iterator[Record]:
    """Make one record of every session, a line a turn, strictly ascending.

    Args:
        user: Whose records they are.
        sessions: The sessions, in order of time.
        source: The data set.

    Yields:
        The records.
    """
    time = None
    for session in sessions:
        said = [f"{turn.speaker}: {turn.text}" for turn in session.turns if turn.text.strip()]
        if said:
            time = session.start if time is None else max(session.start, time + SECOND)
            yield Record(
                user=user,
                kind="dialogue",
                output="\n".join(said),
                time=time,
                source=source,
                meta={"session": session.name},
                id=session.id,
            )


def need(where: str, data: Any, name: str, kind: type[T]) -> T:
    """Give a field of a JSON object, of the type it must have.

    Args:
        where: The file and place, for the message.
        data: The object.
        name: The field.
        kind: The type it must have.

    Returns:
        Its value.

    Raises:
        InvalidFile: If the object is none, or has no such field of that type.
    """
    if not isinstance(data, Mapping):
        raise InvalidFile(f"{where} must be an object with the field {name!r}; got {_short(data)}")
    if name not in data:
        known = ", ".join(map(str, data)) or "none"
        raise InvalidFile(f"{where} has no field {name!r}; its fields: {known[:200]}")
    value = data[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise InvalidFile(f"{where}: {name!r} must be a {kind.__name__}; got {_short(value)}")
    return value


def need_text(where: str, data: Any, name: str) -> str:
    """Give a field that must be text and say something, or raise `InvalidFile`."""
    text = need(where, data, name, str)
    if not text.strip():
        raise InvalidFile(f"{where}: {name!r} is empty")
    return text


def _short(value: object) -> str:
    return repr(value)[:80]
