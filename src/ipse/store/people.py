"""Who there is, and how often what is known of them changed; inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, case, func, insert, select, update

from ipse.store import pages
from ipse.store.schema import (
    WHOSE,
    chunks,
    forgotten,
    is_text,
    moment,
    owned,
    records,
    users,
)
from ipse.store.values import Page, Person

__all__ = ["page_of_people", "revision_of", "touch"]

_REVISION = select(users.c.revision).where(owned(users, WHOSE))


def revision_of(connection: Connection, user_id: str) -> int:
    """Give the revision of a person's records: it grows with every change, 0 is nobody."""
    if not is_text(user_id):
        return 0
    return connection.execute(_REVISION, {"whose": user_id}).scalar() or 0


def touch(connection: Connection, changes: Mapping[str, int]) -> None:
    """Move people's revisions and counts of records; who is not there yet is entered.

    A new person starts above everyone forgotten: whoever comes back under the same name never
    meets an old revision, and so no cache gives out what was forgotten.
    """
    there: set[str] = set()
    for ids in chunks(changes):
        there.update(connection.scalars(select(users.c.id).where(users.c.id.in_(ids))))
    if there:
        moved = update(users).where(users.c.id == bindparam("who"))
        counted = moved.values(
            revision=users.c.revision + 1,
            records=users.c.records + bindparam("change"),
            unlearned=users.c.unlearned + bindparam("new"),
            shrunk=case((bindparam("new") > 0, users.c.shrunk), else_=users.c.revision + 1),
        )
        rows = [{"who": u, "change": n, "new": max(0, n)} for u, n in sorted(changes.items())]
        connection.execute(counted, [row for row in rows if row["who"] in there])
    if new := sorted(changes.keys() - there):
        floor = connection.execute(select(func.max(forgotten.c.revision))).scalar() or 0
        first = {"revision": floor + 1, "shrunk": floor + 1}
        rows = [{"id": u, **first, "records": changes[u], "unlearned": changes[u]} for u in new]
        connection.execute(insert(users), rows)


def page_of_people(connection: Connection, limit: int, cursor: str | None) -> Page[Person]:
    """Read who there is, in the order of ids, from a cursor on; `Store.users` says more."""
    ends = [
        select(end(records.c.time)).where(records.c.user == users.c.id).scalar_subquery()
        for end in (func.min, func.max)
    ]
    query = select(users.c.id, users.c.records, *ends).order_by(users.c.id)
    if cursor is not None:
        query = query.where(users.c.id > pages.decode(cursor, (str,))[0])
    rows = connection.execute(query.limit(pages.counted("limit", limit) + 1)).all()
    people = tuple(Person(i, n, moment(first), moment(last)) for i, n, first, last in rows[:limit])
    return Page(people, pages.encode(people[-1].id) if len(rows) > limit else None)
