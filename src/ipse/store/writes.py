"""Writes that happen once: what is asked for under a key, and what came of it, in one transaction.

Who asks the same again is told what came of it the first time, and nothing is done twice: either
the write and the memory of its key are both there, or neither is. What is remembered are ids, times
and counts, never a text; and of who is forgotten only that there was something, so that a late
repeat does not bring back what is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from ipse.errors import Conflict, IpseError
from ipse.store.database import Database
from ipse.store.schema import as_json, micros, owned
from ipse.store.served import writes

__all__ = ["KEPT", "Outcome", "Write", "Writes", "erase", "note"]

KEPT = timedelta(days=7)
"""How long it is known that something was asked for."""

_PRUNED = 100  # old keys that are let go of with each new one


@dataclass(frozen=True)
class Write:
    """Something that is to be done once.

    Attributes:
        key: What stands for who asks and for their key.
        user: Of whom it is; "" is nobody.
        body: What stands for all that is asked for.
    """

    key: str
    user: str
    body: str


@dataclass(frozen=True)
class Outcome:
    """What came of a write.

    Attributes:
        data: Ids, times and counts.
        repeated: Whether it was done before, and not now.
    """

    data: Mapping[str, Any]
    repeated: bool = False


@dataclass
class _UnderWay:
    """A write that is being done: filled in by the transaction that does it."""

    write: Write | None
    told: Mapping[str, Any]
    data: dict[str, Any] | None = field(default=None, init=False)


# The engine's verbs stand between who knows the key and the transaction, and need not know of it.
_under_way: ContextVar[_UnderWay | None] = ContextVar("ipse_write", default=None)


class Writes:
    """Does what is asked for once, and remembers it.

    Args:
        database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def once(
        self,
        write: Write | None,
        act: Callable[[], Mapping[str, Any] | None],
        told: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Do something, unless it was done; the first transaction of it that notes is remembered.

        Args:
            write: What is asked for; None is without a key, and is done each time.
            act: Does it; gives what it knows better than its transaction did, if anything.
            told: What is to be remembered beside what the transaction notes; it must hold no text
                of anybody's.

        Returns:
            What came of it.

        Raises:
            Conflict: If the key was used for something else, or what it was used for was forgotten.
        """
        if write is not None and (found := self._find(write)) is not None:
            return found
        under_way = _UnderWay(write, told or {})
        token = _under_way.set(under_way)
        try:
            later = act() or {}
        except IpseError:
            # It may be done nevertheless: by another request with the same key, or by this one
            # before what came after it failed.
            if write is None or (found := self._find(write)) is None:
                raise
            return found
        finally:
            _under_way.reset(token)
        data = under_way.data or dict(under_way.told)
        if {**data, **later} != data:
            data |= later
            self._amend(write, data)
        return Outcome(data)

    def _amend(self, write: Write | None, data: Mapping[str, Any]) -> None:
        if write is None:
            return
        mine = writes.c.key == write.key, writes.c.outcome.is_not(None)
        with self._database.writing() as connection:
            connection.execute(update(writes).where(*mine).values(outcome=as_json(data)))

    def _find(self, write: Write) -> Outcome | None:
        with self._database.reading() as connection:
            row = connection.execute(select(writes).where(writes.c.key == write.key)).one_or_none()
        if row is None:
            return None
        if row.body != write.body:
            raise Conflict(
                "this Idempotency-Key was used for another request. Use a new key for each write, "
                "and the same one only to repeat it"
            )
        if row.outcome is None:
            raise Conflict("this was done before, and what it was done for is forgotten since")
        return Outcome(json.loads(row.outcome), repeated=True)


def note(connection: Connection, data: Mapping[str, Any], *, of_nobody: bool = False) -> None:
    """Remember what came of the write that is under way, if one is, in its own transaction.

    Args:
        connection: The writer's that does it.
        data: Ids, times and counts; only the first that are noted for a write are kept.
        of_nobody: Whether whose it is must not be remembered, for they are not there any more.
    """
    under_way = _under_way.get()
    if under_way is None or under_way.data is not None:
        return
    under_way.data = {**under_way.told, **data}
    if under_way.write is None:
        return
    now = datetime.now(UTC)
    row = {**vars(under_way.write), "outcome": as_json(under_way.data), "time": micros(now)}
    row |= {"user": ""} if of_nobody else {}
    connection.execute(insert(writes).values(row))
    old = select(writes.c.key).where(writes.c.time < micros(now - KEPT)).limit(_PRUNED)
    connection.execute(delete(writes).where(writes.c.key.in_(old)))


def erase(connection: Connection, user_id: str) -> None:
    """Forget of a person what came of their writes, and who they are; not that there were some."""
    connection.execute(update(writes).where(owned(writes, user_id)).values(user="", outcome=None))
