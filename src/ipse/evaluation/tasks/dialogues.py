"""Conversations as records.

Not a task: what tasks made of conversations share. It knows no data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ipse.records import Record

__all__ = ["SECOND", "Session", "Turn", "session_records", "turn_records"]

SECOND = timedelta(seconds=1)
"""How far apart turns are put, where only their session has a time."""


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
