"""Replies that were given, with what they were made of; all inside the caller's transaction.

A reply names its origins: each state it leaned on, each state those were made from, and what was
read for it word for word. An origin says which records it stands for, by their digests and person
by person, and stays when a state is replaced. So forgetting finds the replies made of a record, and
a thousand records a state are 8 kB, written once however many replies lean on it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, true

from ipse.errors import Conflict, UnknownReply
from ipse.store import statements
from ipse.store.lineages import LISTED
from ipse.store.schema import (
    as_json,
    chunks,
    is_text,
    lineage,
    micros,
    moment,
    origins,
    owned,
    records,
    sources,
)
from ipse.store.schema import replies as reply_table
from ipse.store.schema import states as state_table
from ipse.store.values import StoredReply

__all__ = [
    "begin",
    "digest",
    "enter",
    "entered",
    "find",
    "finish",
    "latest",
    "made_of",
    "own_digests",
    "reach",
    "remove",
    "taken_apart",
    "trim",
]

_WIDTH = 8
"""Bytes of a record's digest."""


def digest(record_id: str) -> bytes:
    """Give what stands for a record in an origin."""
    return hashlib.sha256(record_id.encode()).digest()[:_WIDTH]


def taken_apart(blob: bytes) -> list[bytes]:
    """Give the digests that stand end to end."""
    return [blob[place : place + _WIDTH] for place in range(0, len(blob), _WIDTH)]


def begin(connection: Connection, reply: StoredReply, after: Sequence[str], most: int) -> None:
    """Enter a reply that is about to be written; `Store.begin_reply` says more."""
    whose = {"whose": reply.user}
    paused = connection.execute(statements.PAUSED, whose).scalar() if is_text(reply.user) else None
    if paused is None:
        raise Conflict(f"there is nobody {reply.user!r} in this store, so no reply is kept")
    if paused:
        raise Conflict(f"{reply.user!r} is paused, so no reply is kept")
    before = [find(connection, name, reply.user) for name in after]
    read = tuple(dict.fromkeys(name for each in before for name in each.read))
    reply = StoredReply(**{**vars(reply), "earlier": read})
    found = set(reach(connection, reply.states))
    if missing := _absent(connection, reply, found):
        raise Conflict(f"what this reply is made of is gone: {missing}. Ask again")
    for each in before:
        query = select(sources.c.origin).where(sources.c.reply == each.id)
        found.update(connection.scalars(query))
    enter(connection, reply, found, None)
    trim(connection, reply.user, most)


def enter(
    connection: Connection, reply: StoredReply, made_of: Iterable[str], text: str | None
) -> None:
    """Enter a reply with its origins, whose rows are there, and with what was read for it."""
    found = set(made_of)
    connection.execute(statements.ENTER, _row(reply, text))
    if reply.read:
        blob = b"".join(sorted(map(digest, reply.read)))
        own = {"id": reply.id, "user": reply.user, "records": blob}
        connection.execute(statements.ENTER_ORIGIN, own)
        found.add(reply.id)
    for batch in chunks(sorted(found)):
        links = [{"reply": reply.id, "origin": name} for name in batch]
        connection.execute(statements.ENTER_SOURCES, links)


def reach(connection: Connection, state_ids: Sequence[str]) -> list[str]:
    """Give states and all they were made from as origins, entered where they are not yet.

    Args:
        connection: A writer's.
        state_ids: The states; ids of nothing are passed over.

    Returns:
        The origins' ids.
    """
    if not state_ids:
        return []
    ids = list(connection.scalars(statements.ABOVE, {"ids": state_ids}))
    for name in set(ids) - entered(connection, ids):
        query = select(records.c.user, records.c.id)
        query = query.join(lineage, lineage.c.record == records.c.id)
        query = query.join(state_table, LISTED)
        digests: dict[str, list[bytes]] = defaultdict(list)
        for user, record_id in connection.execute(query.where(state_table.c.id == name)):
            digests[user].append(digest(record_id))
        rows = [
            {"id": name, "user": user, "records": b"".join(sorted(each))}
            for user, each in digests.items()
        ]
        for batch in chunks(rows):
            connection.execute(statements.ENTER_ORIGIN, batch)
    return ids


def entered(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Give those of some origins that are there."""
    found: set[str] = set()
    for chunk in chunks(ids):
        found.update(connection.scalars(statements.ENTERED, {"ids": chunk}))
    return found


def finish(connection: Connection, reply_id: str, text: str) -> bool:
    """Keep the text of a reply; say whether it is still wanted."""
    if not is_text(text):
        return False
    return connection.execute(statements.FINISH, {"reply": reply_id, "said": text}).rowcount == 1


def find(connection: Connection, reply_id: str, user_id: str) -> StoredReply:
    """Read one whole reply to a person, or raise `UnknownReply`."""
    query = _whole(user_id).where(reply_table.c.id == reply_id)
    row = connection.execute(query).one_or_none() if is_text(reply_id) else None
    if row is None:
        raise UnknownReply(
            f"no reply {reply_id!r} to {user_id!r} is kept. List replies: ipse replies {user_id}"
        )
    return _reply(row)


def latest(connection: Connection, user_id: str, limit: int | None) -> list[StoredReply]:
    """Read the latest whole replies to a person, newest first."""
    query = _whole(user_id).order_by(reply_table.c.time.desc(), reply_table.c.id.desc())
    return [_reply(row) for row in connection.execute(query.limit(limit))]


def made_of(connection: Connection, user_id: str, record_ids: Sequence[str] | None) -> list[str]:
    """Give the ids of the replies, to anyone, that were made of some records of a person.

    Args:
        connection: Any.
        user_id: Whose records.
        record_ids: Which; None is all, and then all replies to the person are given as well.

    Returns:
        The replies.
    """
    found: set[str] = set()
    if record_ids is None:
        mine = select(reply_table.c.id).where(owned(reply_table, user_id))
        found.update(connection.scalars(mine))
    wanted: list[ColumnElement[bool]] = [true()]
    if record_ids is not None:
        wanted = [func.instr(origins.c.records, digest(name)) > 0 for name in record_ids]
    for one in wanted:
        query = select(sources.c.reply).join(origins, origins.c.id == sources.c.origin)
        found.update(connection.scalars(query.where(owned(origins, user_id), one)))
    return sorted(found)


def remove(connection: Connection, ids: Sequence[str]) -> int:
    """Remove replies, and the origins that no other reply names; say how many there were."""
    touched: set[str] = set()
    for chunk in chunks(ids):
        touched.update(connection.scalars(statements.REMOVE_SOURCES, {"ids": chunk}))
        connection.execute(statements.REMOVE, {"ids": chunk})
    for chunk in chunks(sorted(touched)):
        connection.execute(statements.REMOVE_UNNAMED, {"ids": chunk})
    return len(ids)


def trim(connection: Connection, user_id: str, most: int) -> None:
    """Remove a person's replies but for the latest so many, once there are a tenth more.

    To remove one costs what removing twenty does: with each answer, a fifth of an answer's time.
    """
    count = connection.execute(statements.COUNT, {"whose": user_id}).scalar_one()
    if count > most + most // 10:
        older = connection.scalars(statements.OLDER, {"whose": user_id, "most": most})
        remove(connection, list(older))


def own_digests(connection: Connection, reply: StoredReply) -> dict[str, tuple[bytes, bool]]:
    """Give a reply's origins: of each the digests of its owner's records, end to end.

    Args:
        connection: Any.
        reply: The reply.

    Returns:
        By origin: the digests, and whether it stands for other people's records as well.
    """
    query = select(sources.c.origin, origins.c.user, origins.c.records)
    query = query.join(origins, origins.c.id == sources.c.origin)
    found: dict[str, tuple[bytes, bool]] = {}
    for name, user, blob in connection.execute(query.where(sources.c.reply == reply.id)):
        own, others = found.get(name, (b"", False))
        found[name] = (own + blob, others) if user == reply.user else (own, True)
    return found


def _absent(connection: Connection, reply: StoredReply, states: Collection[str]) -> str:
    """Name a record or state that a reply needs and that is not there; "" where all is."""
    there: set[str] = set()
    for chunk in chunks(reply.read):
        there.update(connection.scalars(statements.READ, {"whose": reply.user, "ids": chunk}))
    for what, names, found in (("record", reply.read, there), ("state", reply.states, states)):
        if missing := [name for name in names if name not in found]:
            return f"{what} {missing[0]!r}"
    return ""


def _whole(user_id: str) -> Any:
    query = select(reply_table).where(owned(reply_table, user_id))
    return query.where(reply_table.c.text.is_not(None))


def _row(reply: StoredReply, text: str | None) -> dict[str, Any]:
    names = ("evidence", "earlier", "states", "strength")
    return {
        "id": reply.id,
        "user": reply.user,
        "time": micros(reply.time),
        "question": reply.question,
        "text": text,
        "methods": reply.methods,
        "plan": as_json({name: getattr(reply, name) for name in names}),
    }


def _reply(row: Row[Any]) -> StoredReply:
    plan = json.loads(row.plan)
    lists = {name: tuple(plan[name]) for name in ("evidence", "earlier", "states")}
    return StoredReply(
        row.id,
        row.user,
        moment(row.time),
        row.question,
        row.text,
        row.methods,
        strength=plan["strength"],
        **lists,
    )
