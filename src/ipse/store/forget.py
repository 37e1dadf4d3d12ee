"""Forgetting: records, every state made from them however indirectly, and their artefacts.

Deleting works inside the caller's transaction; files and the log are emptied after it, by `finish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, Select, delete, func, insert, select, union

from ipse.errors import StoreFailure, UnknownUser
from ipse.store.artifacts import Artifacts
from ipse.store.database import Database
from ipse.store.records import find_record, revision_of, touch
from ipse.store.schema import chunks, forgotten, lineage, owned, parents, records, states, users
from ipse.store.scratch import Scratch
from ipse.store.states import parents_of, prune, remove, summaries
from ipse.store.values import ArtifactSummary, Receipt, StateSummary

__all__ = ["finish", "forget_record", "forget_states", "forget_user"]

_LOG_PATIENCE = 2.0  # seconds that a deletion waits for readers, who hold the log


def forget_user(connection: Connection, user_id: str) -> Receipt:
    """Forget a person whole; `Store.forget_user` says more."""
    if not revision_of(connection, user_id):
        raise UnknownUser(f"there is nobody {user_id!r} in this store. List people: ipse users")
    theirs = select(records.c.id).where(owned(records, user_id))
    ids = tuple(connection.scalars(theirs.order_by(records.c.time, records.c.id)))
    made = select(lineage.c.state).where(lineage.c.record.in_(theirs))
    own = select(states.c.id).where(owned(states, user_id))
    erased, artifacts = _erase(connection, [made, own])
    connection.execute(delete(records).where(owned(records, user_id)))
    _drop(connection, user_id)
    return Receipt(user_id, ids, erased, artifacts)


def forget_record(
    connection: Connection, record_id: str, user_id: str | None, *, leave: bool = True
) -> Receipt:
    """Forget one record; `Store.forget_record` says more.

    Args:
        connection: A writer's.
        record_id: The record's id.
        user_id: Whose it must be; None is anyone's.
        leave: Whether a person whose last record this is leaves the store with it.

    Returns:
        What was removed.
    """
    record = find_record(connection, record_id, user_id)
    if leave and _is_last(connection, record.user):
        return forget_user(connection, record.user)
    made = select(lineage.c.state).where(lineage.c.record == record_id)
    erased, artifacts = _erase(connection, [made])
    mine = owned(records, record.user), records.c.id == record_id
    connection.execute(delete(records).where(*mine))
    touch(connection, {record.user: -1})
    return Receipt(record.user, (record_id,), erased, artifacts)


def forget_states(connection: Connection, ids: Sequence[str]) -> Receipt:
    """Forget states, and those made from them; the records stay."""
    if not ids:
        return Receipt("", ())
    owners = {state.key.user for state in summaries(connection, ids)}
    seeds = [select(states.c.id).where(states.c.id.in_(chunk)) for chunk in chunks(ids)]
    erased, artifacts = _erase(connection, seeds)
    (owner,) = owners if len(owners) == 1 else (None,)
    return Receipt(owner or "", (), erased, artifacts)


def finish(database: Database, artifacts: Artifacts, scratch: Scratch, receipt: Receipt) -> Receipt:
    """Delete the files and empty the log once a deletion is committed; nothing is raised any more.

    Args:
        database: Where the rows were.
        artifacts: Where the files are.
        scratch: Where half-learned things are.
        receipt: What was deleted.

    Returns:
        The receipt, which says whether old bytes may remain.
    """
    tidied = all([scratch.cleared(), artifacts.tidied(database)])
    try:
        emptied = database.empty_log(_LOG_PATIENCE)
    except StoreFailure:
        emptied = False
    return replace(receipt, pending=not (tidied and emptied))


def _erase(
    connection: Connection, seeds: list[Select[tuple[str]]]
) -> tuple[tuple[StateSummary, ...], tuple[ArtifactSummary, ...]]:
    """Remove the states that the queries find, and every state made from one of them."""
    seed = union(*seeds).subquery()
    tainted = select(seed.c[0]).cte("tainted", recursive=True)
    tainted = tainted.union(select(parents.c.state).join(tainted, parents.c.parent == tainted.c[0]))
    ids = list(connection.scalars(select(tainted.c[0])))
    erased = summaries(connection, ids)
    above = parents_of(connection, ids)
    lost = remove(connection, ids)
    lost |= prune(connection, above)
    return tuple(erased), tuple(ArtifactSummary(*item) for item in sorted(lost.items()))


def _is_last(connection: Connection, user_id: str) -> bool:
    return connection.execute(select(users.c.records).where(owned(users, user_id))).scalar() == 1


def _drop(connection: Connection, user_id: str) -> None:
    """Take a person off the list, and keep their revision from ever being given again."""
    revision = revision_of(connection, user_id)
    connection.execute(delete(users).where(owned(users, user_id)))
    floor = connection.execute(select(func.max(forgotten.c.revision))).scalar() or 0
    connection.execute(delete(forgotten))
    connection.execute(insert(forgotten).values(revision=max(floor, revision)))
