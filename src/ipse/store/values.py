"""What a store answers with: small, frozen, printable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from ipse.state import StateKey

__all__ = [
    "Added",
    "ArtifactSummary",
    "Imported",
    "Manifest",
    "Page",
    "Person",
    "Receipt",
    "StateSummary",
    "StoredReply",
    "owner",
]

T = TypeVar("T")


def owner(user: str | None, person: str) -> str:
    """Say whose a state is, as a person is told it; no one else's id is in that.

    Args:
        user: Of whom it was learned; None is everyone who shares.
        person: Who is told.

    Returns:
        `own`, `shared`, or `another person`.
    """
    return {person: "own", None: "shared"}.get(user, "another person")


@dataclass(frozen=True)
class Added:
    """What became of a batch of records.

    Attributes:
        new: How many are new.
        known: How many were there already.
        there: The ids of those that were there already.
    """

    new: int
    known: int
    there: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: The part.
        cursor: What to ask the next part with; None at the end.
    """

    items: tuple[T, ...]
    cursor: str | None = None


@dataclass(frozen=True)
class Person:
    """One person at a glance.

    Attributes:
        id: Who it is.
        records: How many records there are.
        first: The time of the oldest, in UTC.
        last: The time of the newest, in UTC.
    """

    id: str
    records: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class ArtifactSummary:
    """An artefact file: its content-hashed name and the size of its arrays, in bytes."""

    name: str
    nbytes: int


@dataclass(frozen=True)
class StateSummary:
    """A state at a glance.

    Attributes:
        id: The state's id.
        key: What it is of.
        records: How many records it was made from.
        nbytes: The size of its arrays, in bytes.
        made: When, in UTC.
        current: False once replaced; such a state stays while another made from it does.
        previous: Whether it was replaced and is kept to go back to.
        artifact: The content-hashed name of its arrays; None where it has none.
    """

    id: str
    key: StateKey
    records: int
    nbytes: int
    made: datetime
    current: bool = True
    previous: bool = False
    artifact: str | None = None


@dataclass(frozen=True)
class StoredReply:
    """A reply that was given to a person, and what it was made of.

    Attributes:
        id: The reply's id.
        user: To whom.
        time: When, in UTC.
        question: What was asked.
        text: What was answered; "" while it is being written.
        methods: The composition that made it.
        evidence: The ids of the records that were read for it, word for word.
        earlier: Those that were read for the replies before it in its conversation.
        states: The ids of the states it leaned on.
        strength: 0 is the generic model, 1 the methods as published.
    """

    id: str
    user: str
    time: datetime
    question: str
    text: str = ""
    methods: str = ""
    evidence: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    strength: float = 1.0

    @property
    def read(self) -> tuple[str, ...]:
        """The ids of all records that may stand in the text word for word."""
        return tuple(dict.fromkeys((*self.evidence, *self.earlier)))


@dataclass(frozen=True)
class Receipt:
    """What a deletion removed. It holds ids and sizes, and nothing of what was forgotten.

    Attributes:
        user: Whose data it was.
        records: The ids of the records; after the first, those that quoted from it.
        states: Every state made from them, directly or by way of another state.
        artifacts: The files that went with the states.
        when: When, in UTC.
        pending: Whether old bytes may remain for now: all of it is gone from every answer, but a
            reader or the disk kept the log from being emptied, or a file from being deleted. The
            next deletion, open or close empties the log; the next write of a state, deletion or
            open deletes the files.
        replies: How many replies were made of them, and went; also other people's, where a state
            that everyone shares was.
    """

    user: str
    records: tuple[str, ...]
    states: tuple[StateSummary, ...] = ()
    artifacts: tuple[ArtifactSummary, ...] = ()
    when: datetime = field(default_factory=lambda: datetime.now(UTC))
    pending: bool = False
    replies: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the receipt as JSON-able data fit for the person: no one else's id is in it."""
        return {
            "user": self.user,
            "when": self.when.isoformat(),
            "pending": self.pending,
            "records": list(self.records),
            "replies": self.replies,
            "states": [self._shown(state) for state in self.states],
            "artifacts": [{"name": a.name, "bytes": a.nbytes} for a in self.artifacts],
        }

    def noted(self) -> dict[str, Any]:
        """Give what `to_json` gives, but for whose data it was."""
        return {name: value for name, value in self.to_json().items() if name != "user"}

    def _shown(self, state: StateSummary) -> dict[str, Any]:
        return {
            "id": state.id,
            "method": state.key.method,
            "settings": state.key.settings,
            "base": state.key.base,
            "of": owner(state.key.user, self.user),
            "records": state.records,
            "bytes": state.nbytes,
        }


@dataclass(frozen=True)
class Manifest:
    """What an export holds.

    Attributes:
        user: Whose data it is.
        records: How many records.
        states: How many states.
        members: The sha256 of every other member of the archive, by name.
        replies: How many replies.
    """

    user: str
    records: int
    states: int
    members: Mapping[str, str]
    replies: int = 0


@dataclass(frozen=True)
class Imported:
    """What became of an export that was read in.

    Attributes:
        user: Whose data it is.
        records: What became of the records.
        states: How many states are new.
        left_out: The ids of states that were not taken: something they were made from is not in
            this store, or this store has a current state of the same key.
        replies: How many replies are new.
    """

    user: str
    records: Added
    states: int
    left_out: tuple[str, ...] = ()
    replies: int = 0
