"""Records as rows. Every function works inside the caller's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    false,
    func,
    insert,
    select,
    tuple_,
)

from ipse.errors import Conflict, UnknownRecord, UnknownUser
from ipse.records import Kind, Record, Use, User
from ipse.store import pages
from ipse.store.people import revision_of, touch
from ipse.store.schema import (
    as_json,
    chunks,
    is_text,
    micros,
    moment,
    owned,
    records,
    users,
)
from ipse.store.values import Added, Page

__all__ = [
    "add_records",
    "count_records",
    "find_record",
    "page_of_records",
    "record_rows",
    "view",
    "view_since",
]


def record_rows(items: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """Give records as rows by id; the same record twice is one row.

    Args:
        items: The records.

    Returns:
        The rows.

    Raises:
        Conflict: If two records of one id differ.
    """
    rows: dict[str, dict[str, Any]] = {}
    for record in items:
        row = _row(record)
        if rows.setdefault(record.id, row) != row:
            raise _taken(record.id)
    return rows


def add_records(connection: Connection, rows: Mapping[str, Mapping[str, Any]]) -> Added:
    """Add records.

    Args:
        connection: A writer's.
        rows: What `record_rows` gave.

    Returns:
        How many are new, and how many were there.

    Raises:
        Conflict: If an id is taken by a record with other content.
    """
    known: set[str] = set()
    for ids in chunks(rows):
        known.update(_known(connection, ids, rows))
    fresh = [row for record_id, row in rows.items() if record_id not in known]
    touch(connection, Counter(row["user"] for row in fresh))
    for batch in chunks(fresh):
        connection.execute(insert(records), batch)
    return Added(new=len(fresh), known=len(known), there=frozenset(known))


def view(
    connection: Connection,
    user_id: str,
    before: datetime | None = None,
    kinds: Sequence[Kind] | None = None,
    latest: int | None = None,
) -> User:
    """Read one person's records, oldest first; `Store.user` says what the arguments are."""
    if not revision_of(connection, user_id):
        raise UnknownUser(f"there is nobody {user_id!r} in this store. List people: ipse users")
    query = _newest_first(user_id, kinds)
    if before is not None:
        query = query.where(records.c.time < micros(before))
    if latest is not None:
        query = query.limit(pages.counted("latest", latest, least=0))
    rows = connection.execute(query).all()
    return User(user_id, tuple(_record(row) for row in reversed(rows)))


def view_since(
    connection: Connection, user_id: str, known: tuple[int, User | None] | None
) -> tuple[int, User | None]:
    """Read a person's revision and all their records; `Store.view` says more."""
    revision = revision_of(connection, user_id)
    if known is not None and known[0] == revision:
        return known
    if not revision:
        return 0, None
    before = known[1] if known else None
    grown = _grown(connection, known[0], before) if known and before else None
    return revision, grown or view(connection, user_id)


def find_record(connection: Connection, record_id: str, user_id: str | None = None) -> Record:
    """Read one record, of one person if one is named; `Store.record` says more."""
    query = select(records).where(records.c.id == record_id)
    if user_id is not None:
        query = query.where(owned(records, user_id))
    row = connection.execute(query).one_or_none() if is_text(record_id) else None
    if row is None:
        whose = "this store has" if user_id is None else f"user {user_id!r} has"
        raise UnknownRecord(f"{whose} no record {record_id!r}. List records: ipse records")
    return _record(row)


def page_of_records(
    connection: Connection,
    user_id: str,
    limit: int,
    cursor: str | None,
    kinds: Sequence[Kind] | None,
    source: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> Page[Record]:
    """Read one person's records newest first, from a cursor on; `Store.records` says more."""
    query = _newest_first(user_id, kinds).limit(pages.counted("limit", limit) + 1)
    if source is not None:
        query = query.where(records.c.source == source if is_text(source) else false())
    if since is not None:
        query = query.where(records.c.time >= micros(since))
    if before is not None:
        query = query.where(records.c.time < micros(before))
    if cursor is not None:
        after = tuple_(records.c.time, records.c.id) < tuple_(*pages.decode(cursor, (int, str)))
        query = query.where(after)
    rows = connection.execute(query).all()
    more = pages.encode(rows[limit - 1].time, rows[limit - 1].id) if len(rows) > limit else None
    return Page(tuple(_record(row) for row in rows[:limit]), more)


def count_records(connection: Connection) -> int:
    """Give how many records there are, of everyone."""
    return connection.execute(select(func.count(records.c.id))).scalar_one()


def _grown(connection: Connection, revision: int, known: User) -> User | None:
    """Add to all records of an earlier revision those that came since.

    None where records went since, or came that are older than the latest known: these are not found
    by looking at the latest.
    """
    query = select(users.c.records, users.c.shrunk).where(owned(users, known.id))
    count, shrank = connection.execute(query).one()
    if shrank > revision:
        return None
    latest = _newest_first(known.id, None).limit(count - len(known))
    new = [_record(row) for row in reversed(connection.execute(latest).all())]
    if any(known.holds([record.id]) for record in new):
        return None
    return User(known.id, (*known.records, *new))


def _known(
    connection: Connection, ids: Sequence[str], rows: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Give the ids that are there already, with equal content."""
    for found in connection.execute(select(records).where(records.c.id.in_(ids))):
        if dict(found._mapping) != rows[found.id]:
            raise _taken(found.id)
        yield found.id


def _taken(record_id: str) -> Conflict:
    return Conflict(
        f"record id {record_id!r} is taken by a record with other content. "
        "Leave the id out to have one made from the content, or call replace to change a record"
    )


def _newest_first(user_id: str, kinds: Sequence[Kind] | None) -> Select[Any]:
    query = select(records).where(owned(records, user_id))
    if kinds is not None:
        query = query.where(records.c.kind.in_(list(kinds)))
    return query.order_by(records.c.time.desc(), records.c.id.desc())


def _row(record: Record) -> dict[str, Any]:
    return {
        "user": record.user,
        "time": micros(record.time),
        "id": record.id,
        "kind": record.kind,
        "input": record.input,
        "output": record.output,
        "rejected": record.rejected,
        "source": record.source,
        "meta": as_json(dict(record.meta)) if record.meta else "{}",
        "uses": _uses_text(record.uses),
    }


def _record(row: Row[Any]) -> Record:
    fields = dict(row._mapping)
    fields["time"] = moment(row.time)
    fields["meta"] = json.loads(row.meta)
    fields["uses"] = _uses(row.uses)
    return Record(**fields)


@lru_cache(maxsize=16)
def _uses_text(uses: frozenset[Use]) -> str:
    return json.dumps(sorted(uses))


@lru_cache(maxsize=16)
def _uses(text: str) -> frozenset[Use]:
    return frozenset(json.loads(text))
