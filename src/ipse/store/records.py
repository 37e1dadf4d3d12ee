"""Records and people as rows. Every function works inside the caller's transaction."""

from __future__ import annotations

import base64
import binascii
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
    bindparam,
    false,
    func,
    insert,
    select,
    tuple_,
    update,
)

from ipse.errors import Conflict, UnknownRecord, UnknownUser, UsageError
from ipse.records import Kind, Record, Use, User
from ipse.store.schema import (
    WHOSE,
    as_json,
    chunks,
    forgotten,
    is_text,
    micros,
    moment,
    owned,
    records,
    users,
)
from ipse.store.values import Added, Page, Person

__all__ = [
    "add_records",
    "count_records",
    "find_record",
    "page_of_people",
    "page_of_records",
    "record_rows",
    "revision_of",
    "touch",
    "view",
]

_MOST = 2**31 - 1  # items of a list
_REVISION = select(users.c.revision).where(owned(users, WHOSE))
_NUMBERS = range(-(2**63), 2**63)  # what a column of whole numbers holds


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
        query = query.limit(_count("latest", latest, least=0))
    rows = connection.execute(query).all()
    return User(user_id, tuple(_record(row) for row in reversed(rows)))


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
    query = _newest_first(user_id, kinds).limit(_count("limit", limit) + 1)
    if source is not None:
        query = query.where(records.c.source == source if is_text(source) else false())
    if since is not None:
        query = query.where(records.c.time >= micros(since))
    if before is not None:
        query = query.where(records.c.time < micros(before))
    if cursor is not None:
        after = tuple_(records.c.time, records.c.id) < tuple_(*_decode(cursor, (int, str)))
        query = query.where(after)
    rows = connection.execute(query).all()
    more = _encode(rows[limit - 1].time, rows[limit - 1].id) if len(rows) > limit else None
    return Page(tuple(_record(row) for row in rows[:limit]), more)


def page_of_people(connection: Connection, limit: int, cursor: str | None) -> Page[Person]:
    """Read who there is, in the order of ids, from a cursor on; `Store.users` says more."""
    ends = [
        select(end(records.c.time)).where(records.c.user == users.c.id).scalar_subquery()
        for end in (func.min, func.max)
    ]
    query = select(users.c.id, users.c.records, *ends).order_by(users.c.id)
    if cursor is not None:
        query = query.where(users.c.id > _decode(cursor, (str,))[0])
    rows = connection.execute(query.limit(_count("limit", limit) + 1)).all()
    people = tuple(Person(i, n, moment(first), moment(last)) for i, n, first, last in rows[:limit])
    return Page(people, _encode(people[-1].id) if len(rows) > limit else None)


def count_records(connection: Connection) -> int:
    """Give how many records there are, of everyone."""
    return connection.execute(select(func.count(records.c.id))).scalar_one()


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
        )
        rows = [{"who": u, "change": n, "new": max(0, n)} for u, n in sorted(changes.items())]
        connection.execute(counted, [row for row in rows if row["who"] in there])
    if new := sorted(changes.keys() - there):
        floor = connection.execute(select(func.max(forgotten.c.revision))).scalar() or 0
        rows = [
            {"id": u, "revision": floor + 1, "records": changes[u], "unlearned": changes[u]}
            for u in new
        ]
        connection.execute(insert(users), rows)


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


def _count(name: str, value: int, least: int = 1) -> int:
    if not least <= value <= _MOST:
        raise UsageError(f"{name} must be between {least} and {_MOST}; got {value}")
    return value


def _encode(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _decode(cursor: str, types: tuple[type, ...]) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    known = isinstance(parts, list) and tuple(type(part) for part in parts) == types
    if not known or not all(map(_fits, parts)):
        raise UsageError(f"{cursor!r} is no cursor of this list. Leave it out to begin again")
    return list(parts)


def _fits(part: str | int) -> bool:
    return is_text(part) if isinstance(part, str) else part in _NUMBERS
