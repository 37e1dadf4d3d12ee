"""States as rows, with what they were made from; all inside the caller's transaction.

A state that is replaced is no longer current, but stays as long as a state made from it does: its
lineage is that state's too, and its arrays may be named by it. It stays, too, while it is a version
to go back to (`versions.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Table,
    bindparam,
    delete,
    exists,
    insert,
    select,
)
from sqlalchemy.sql import ColumnElement

from ipse.errors import Unknown, UsageError
from ipse.state import SavedState, State, StateKey
from ipse.store import lineages
from ipse.store.artifacts import referenced
from ipse.store.people import revision_of
from ipse.store.schema import (
    as_json,
    chunks,
    doomed,
    micros,
    moment,
    owned,
    parents,
    versions,
)
from ipse.store.schema import records as record_table
from ipse.store.schema import states as state_table
from ipse.store.values import StateSummary

__all__ = [
    "current",
    "find",
    "insert_state",
    "list_states",
    "missing",
    "parents_of",
    "prune",
    "remove",
    "saved_state",
    "slot_of",
    "state_row",
    "summaries",
]


_CURRENT = select(state_table).where(state_table.c.slot == bindparam("slot"))
_PARENTS = (
    select(parents.c.parent)
    .where(parents.c.state == bindparam("state"))
    .order_by(parents.c.position)
)


def slot_of(key: StateKey) -> str:
    """Give the one short text that two states of the same key share."""
    parts = as_json([key.method, key.settings, key.user, key.base])
    return hashlib.sha256(parts.encode()).hexdigest()


def state_row(saved: SavedState) -> dict[str, Any]:
    """Give a state as a row, without the slot that makes it current.

    Args:
        saved: The state; its id and the name of its artefact are set.

    Returns:
        The row.

    Raises:
        UsageError: If its facts are not JSON.
    """
    try:
        facts = as_json(dict(saved.state.facts))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"the facts of a {saved.key.method!r} state are not JSON: {error}"
        ) from None
    return {
        "id": saved.id,
        "method": saved.key.method,
        "settings": saved.key.settings,
        "user": saved.key.user,
        "base": saved.key.base,
        "facts": facts,
        "seen": saved.state.seen,
        "artifact": saved.state.artifact,
        "nbytes": saved.state.nbytes,
        "made": micros(saved.made),
    }


def missing(connection: Connection, saved: SavedState, known: int = 0) -> str | None:
    """Say what a state was made from, or for, that is not here; None if it is all here.

    Args:
        connection: A writer's.
        saved: The state.
        known: How many records of its lineage, the first, are known to be here.

    Returns:
        What is not here, in words.
    """
    user_id = saved.key.user
    if user_id is not None and not revision_of(connection, user_id):
        return f"user {user_id!r} has no records here"
    for table, names, what in (
        (record_table, saved.state.lineage[known:], "record"),
        (state_table, saved.parents, "state"),
    ):
        if gone := _absent(connection, table, names):
            return f"{len(gone)} {what}(s) it was made from are gone, such as {gone[0]!r}"
    return None


def insert_state(
    connection: Connection, saved: SavedState, slot: str | None, old: SavedState | None = None
) -> None:
    """Enter a state and what it was made from; without a slot it is not current.

    Args:
        connection: A writer's.
        saved: The state.
        slot: That of its key, or None.
        old: The state that it only grew from (`lineages.grows`), which has to go.
    """
    connection.execute(insert(state_table), {**state_row(saved), "slot": slot})
    lineages.enter(connection, saved, old)
    made_from = enumerate(saved.parents)
    for chunk in chunks({"state": saved.id, "position": n, "parent": p} for n, p in made_from):
        connection.execute(insert(parents), chunk)


def current(connection: Connection, slot: str) -> Row[Any] | None:
    """Give the row of the current state of a key."""
    return connection.execute(_CURRENT, {"slot": slot}).one_or_none()


def find(connection: Connection, state_id: str) -> Row[Any]:
    """Give the row of a state, current or not, or raise `Unknown`."""
    row = connection.execute(select(state_table).where(state_table.c.id == state_id)).one_or_none()
    if row is None:
        raise Unknown(f"there is no state {state_id!r}. List them: ipse adapters list")
    return row


def saved_state(
    connection: Connection, row: Row[Any], arrays: Mapping[str, Any] | None = None
) -> SavedState:
    """Give a row as the state it holds; its arrays are the caller's to load."""
    state = State(
        facts=json.loads(row.facts),
        arrays=arrays or {},
        lineage=lineages.of(connection, row.id),
        seen=row.seen,
        artifact=row.artifact,
    )
    made_from = connection.scalars(_PARENTS, {"state": row.id})
    return SavedState(_key(row), state, tuple(made_from), moment(row.made), row.id)


def list_states(connection: Connection, user_id: str | None) -> list[StateSummary]:
    """Give one person's states at a glance, or all, oldest first."""
    return _summaries(connection, [] if user_id is None else [owned(state_table, user_id)])


def summaries(connection: Connection, ids: Sequence[str]) -> list[StateSummary]:
    """Give some states at a glance."""
    which = (state_table.c.id.in_(chunk) for chunk in chunks(ids))
    return [summary for one in which for summary in _summaries(connection, [one])]


def parents_of(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Give the states that some states were made from."""
    found: set[str] = set()
    for chunk in chunks(ids):
        query = select(parents.c.parent).where(parents.c.state.in_(chunk))
        found.update(connection.scalars(query))
    return sorted(found)


def prune(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Remove those of the states that are not current, not kept, and that nothing is made from.

    Args:
        connection: A writer's.
        ids: The states to look at; what they were made from is looked at next.

    Returns:
        The bytes of each artefact that is lost with them, by name.
    """
    lost: dict[str, int] = {}
    childless = ~exists().where(parents.c.parent == state_table.c.id)
    unkept = ~exists().where(versions.c.state == state_table.c.id)
    idle = select(state_table.c.id).where(state_table.c.slot.is_(None), unkept, childless)
    while ids:
        gone: list[str] = []
        for chunk in chunks(ids):
            gone.extend(connection.scalars(idle.where(state_table.c.id.in_(chunk))))
        ids = parents_of(connection, gone)
        lost |= remove(connection, gone)
    return lost


def remove(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Remove states, and doom the artefacts that no other state names.

    Args:
        connection: A writer's.
        ids: The states; whatever is made from them is among them.

    Returns:
        The bytes of each artefact that is doomed, by name.
    """
    sizes: dict[str, int] = {}
    for chunk in chunks(ids):
        named = select(state_table.c.artifact, state_table.c.nbytes)
        named = named.where(state_table.c.id.in_(chunk), state_table.c.artifact.is_not(None))
        sizes |= {row.artifact: row.nbytes for row in connection.execute(named)}
        lineages.remove(connection, chunk)
        connection.execute(delete(parents).where(parents.c.state.in_(chunk)))
        connection.execute(delete(versions).where(versions.c.state.in_(chunk)))
    for chunk in chunks(ids):
        connection.execute(delete(state_table).where(state_table.c.id.in_(chunk)))
    kept = referenced(connection, sizes)
    lost = {name: size for name, size in sizes.items() if name not in kept}
    _doom(connection, lost)
    return lost


def _doom(connection: Connection, names: Iterable[str]) -> None:
    waiting = set(connection.scalars(select(doomed.c.artifact)))
    for chunk in chunks(name for name in names if name not in waiting):
        connection.execute(insert(doomed), [{"artifact": name} for name in chunk])


def _absent(connection: Connection, table: Table, names: Sequence[str]) -> list[str]:
    there: set[str] = set()
    for chunk in chunks(dict.fromkeys(names)):
        there.update(connection.scalars(select(table.c.id).where(table.c.id.in_(chunk))))
    return [name for name in names if name not in there]


def _summaries(connection: Connection, which: list[ColumnElement[bool]]) -> list[StateSummary]:
    size = lineages.size_of(state_table.c.lineage)
    previous = exists().where(versions.c.state == state_table.c.id)
    query = select(state_table, size.label("size"), previous.label("previous")).where(*which)
    rows = connection.execute(query.order_by(state_table.c.made, state_table.c.id))
    return [_summary(row) for row in rows]


def _summary(row: Row[Any]) -> StateSummary:
    return StateSummary(
        id=row.id,
        key=_key(row),
        records=row.size,
        nbytes=row.nbytes,
        made=moment(row.made),
        current=row.slot is not None,
        previous=bool(row.previous),
        artifact=row.artifact,
    )


def _key(row: Row[Any]) -> StateKey:
    return StateKey(row.method, row.settings, row.user, row.base)
