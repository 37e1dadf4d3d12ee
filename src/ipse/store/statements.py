"""Statements that keeping an answer runs, made once: to make one takes longer than to run it.

Each is told the person as `whose` and names as `ids`; whose rows they are, says `owned`.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from ipse.store.schema import (
    IDS,
    WHOSE,
    origins,
    owned,
    parents,
    records,
    replies,
    sources,
    states,
    users,
)
from ipse.store.served import paused

__all__ = [
    "ABOVE",
    "COUNT",
    "ENTER",
    "ENTERED",
    "ENTER_ORIGIN",
    "ENTER_SOURCES",
    "FINISH",
    "OLDER",
    "PAUSED",
    "READ",
    "REMOVE",
    "REMOVE_SOURCES",
    "REMOVE_UNNAMED",
]

ENTER, ENTER_ORIGIN, ENTER_SOURCES = insert(replies), insert(origins), insert(sources)
ENTERED = select(origins.c.id).where(origins.c.id.in_(IDS))
READ = select(records.c.id).where(records.c.id.in_(IDS), owned(records, WHOSE))
_TREE = select(states.c.id).where(states.c.id.in_(IDS)).cte("above", recursive=True)
ABOVE = select(
    _TREE.union(select(parents.c.parent).join(_TREE, parents.c.state == _TREE.c[0])).c[0]
)
PAUSED = select(exists().where(owned(paused, WHOSE))).where(owned(users, WHOSE))
FINISH = (
    update(replies)
    .where(replies.c.id == bindparam("reply"), replies.c.text.is_(None))
    .values(text=bindparam("said"))
)
COUNT = select(func.count()).where(owned(replies, WHOSE))  # by the index alone
OLDER = (
    select(replies.c.id)
    .where(owned(replies, WHOSE))
    .order_by(replies.c.time.desc(), replies.c.id.desc())
    .offset(bindparam("most"))
)
REMOVE = delete(replies).where(replies.c.id.in_(IDS))
REMOVE_SOURCES = delete(sources).where(sources.c.reply.in_(IDS)).returning(sources.c.origin)
REMOVE_UNNAMED = delete(origins).where(
    origins.c.id.in_(IDS),
    origins.c.id.not_in(select(sources.c.origin).where(sources.c.origin.in_(IDS))),
)
