"""Forgetting: records, every state and reply made from them however indirectly, and artefacts.

Deleting works inside the caller's transaction; files and the log are emptied after it, by `finish`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, Select, delete, func, insert, select, union

from ipse.errors import StoreFailure, UnknownUser
from ipse.store import jobs, replies, writes
from ipse.store.artifacts import Artifacts
from ipse.store.database import Database
from ipse.store.lineages import made_of
from ipse.store.people import revision_of, touch
from ipse.store.records import find_record
from ipse.store.schema import chunks, forgotten, owned, parents, records, states, users
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
    own = select(states.c.id).where(owned(states, user_id))
    answered = replies.remove(connection, replies.made_of(connection, user_id, None))
    erased, artifacts = _erase(connection, [made_of(theirs), own])
    connection.execute(delete(records).where(owned(records, user_id)))
    jobs.erase(connection, user_id)
    writes.erase(connection, user_id)
    _drop(connection, user_id)
    return Receipt(user_id, ids, erased, artifacts, replies=answered)


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
    user = find_record(connection, record_id, user_id).user
    ids = _with_quotes(connection, user, record_id)
    if leave and _count(connection, user) == len(ids):
        return forget_user(connection, user)
    answered = replies.remove(connection, replies.made_of(connection, user, ids))
    erased, artifacts = _erase(connection, [made_of(chunk) for chunk in chunks(ids)])
    for chunk in chunks(ids):
        connection.execute(delete(records).where(owned(records, user), records.c.id.in_(chunk)))
    touch(connection, {user: -len(ids)})
    return Receipt(user, tuple(ids), erased, artifacts, replies=answered)


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


def _with_quotes(connection: Connection, user_id: str, record_id: str) -> list[str]:
    """Give a record, and those of the person whose text was written with it being read.

    Such a record names what was read in `meta["evidence"]`; feedback on a reply does.
    """
    found = [record_id]
    for name in found:  # grows while it is gone through
        mentions = func.instr(records.c.meta, json.dumps(name)) > 0
        query = select(records.c.id, records.c.meta).where(owned(records, user_id), mentions)
        for other, meta in connection.execute(query):
            read = json.loads(meta).get("evidence")
            if other not in found and isinstance(read, list) and name in read:
                found.append(other)
    return found


def _count(connection: Connection, user_id: str) -> int:
    query = select(users.c.records).where(owned(users, user_id))
    return connection.execute(query).scalar() or 0


def _drop(connection: Connection, user_id: str) -> None:
    """Take a person off the list, and keep their revision from ever being given again."""
    revision = revision_of(connection, user_id)
    connection.execute(delete(users).where(owned(users, user_id)))
    floor = connection.execute(select(func.max(forgotten.c.revision))).scalar() or 0
    connection.execute(delete(forgotten))
    connection.execute(insert(forgotten).values(revision=max(floor, revision)))
