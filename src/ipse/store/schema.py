"""The tables, in SQLAlchemy Core, and the one condition that says whose a row is.

    users     one row a person: how many records, how many of them came since learning last began,
              a revision that moves with every change, and the last at which a record went
    records   what is known; clustered by (user, time, id), so a person's latest N is one range
    states    what was learned; `slot` marks the current state of a key
    lineage   a state's list -> the records it was made from, in the method's order
    parents   state -> the states it was made from
    versions  previous states of a key that are kept to go back to
    replies   answers that were given; the text is null until it is whole
    origins   what replies were made of: of a state, or of the records read, the records of a person
    sources   reply -> its origins
    doomed    artefact files whose state is gone; deleted after the commit, or at the next open
    forgotten the highest revision of anyone forgotten: new people start above it
    keys      who may ask: hashes of keys, each for one person or for a service that acts for others

Times are whole microseconds since 1970, UTC: exact, and the same in every database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    false,
)

from ipse.errors import UsageError

__all__ = [
    "IDS",
    "VERSION",
    "WHOSE",
    "Name",
    "as_json",
    "chunks",
    "doomed",
    "forgotten",
    "is_text",
    "keys",
    "lineage",
    "metadata",
    "micros",
    "moment",
    "origins",
    "owned",
    "parents",
    "records",
    "replies",
    "sources",
    "states",
    "users",
    "versions",
]

VERSION = "0008"
"""The newest migration; a file that says otherwise is migrated, or refused if it is newer."""

# Pages and cursors rely on one order of names everywhere: that of their code points.
Name = Text().with_variant(String(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", Name, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("shrunk", BigInteger, nullable=False, server_default="0"),
    Column("unlearned", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

records = Table(
    "records",
    metadata,
    Column("user", Name, ForeignKey("users.id"), primary_key=True),
    Column("time", BigInteger, primary_key=True),
    Column("id", Name, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("input", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("rejected", Text),
    Column("source", Text, nullable=False),
    Column("meta", Text, nullable=False),
    Column("uses", Text, nullable=False),
    Index("ix_records_id", "id", unique=True),
    sqlite_with_rowid=False,
)

states = Table(
    "states",
    metadata,
    Column("id", Name, primary_key=True),
    Column("slot", Text),  # the key's hash while it is current; null once it is replaced
    Column("method", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("user", Name, ForeignKey("users.id")),
    Column("base", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("artifact", Text),
    Column("nbytes", BigInteger, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("lineage", Text),  # its list of records; null once another state took it over
    Index("ix_states_slot", "slot", unique=True),
    Index("ix_states_user", "user"),
    Index("ix_states_artifact", "artifact"),
    Index("ix_states_lineage", "lineage"),
)

lineage = Table(
    "lineage",
    metadata,
    Column("list", Name, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("record", Name, ForeignKey("records.id"), nullable=False),
    Index("ix_lineage_record", "record"),
    sqlite_with_rowid=False,
)

parents = Table(
    "parents",
    metadata,
    Column("state", Name, ForeignKey("states.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("parent", Name, ForeignKey("states.id"), nullable=False),
    Index("ix_parents_parent", "parent"),
    sqlite_with_rowid=False,
)

versions = Table(
    "versions",
    metadata,
    Column("state", Name, ForeignKey("states.id"), primary_key=True),
    Column("slot", Text, nullable=False),
    Index("ix_versions_slot", "slot"),
    sqlite_with_rowid=False,
)

replies = Table(
    "replies",
    metadata,
    Column("id", Name, primary_key=True),
    Column("user", Name, ForeignKey("users.id"), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("question", Text, nullable=False),
    Column("text", Text),
    Column("methods", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Index("ix_replies_user", "user", "time"),
)

origins = Table(
    "origins",
    metadata,
    Column("id", Name, primary_key=True),
    Column("user", Name, ForeignKey("users.id"), primary_key=True),
    Column("records", LargeBinary, nullable=False),  # the digests of their ids, end to end
    Index("ix_origins_user", "user"),
)

sources = Table(
    "sources",
    metadata,
    Column("reply", Name, ForeignKey("replies.id"), primary_key=True),
    Column("origin", Name, primary_key=True),
    Index("ix_sources_origin", "origin"),
    sqlite_with_rowid=False,
)

doomed = Table(
    "doomed", metadata, Column("artifact", Name, primary_key=True), sqlite_with_rowid=False
)

forgotten = Table("forgotten", metadata, Column("revision", BigInteger, nullable=False))

keys = Table(
    "keys",
    metadata,
    Column("id", Name, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("subject", Name),  # nobody need be in the store yet
    Column("acting", Boolean, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    sqlite_with_rowid=False,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHUNK = 1000  # names in one IN (...): far below every database's limit on parameters

WHOSE: BindParameter[str] = bindparam("whose", type_=Text)
"""Stands for the person in a query that is made once."""

IDS: BindParameter[Any] = bindparam("ids", expanding=True, type_=Text)
"""Stands for a list of names in one, of at most a chunk."""

T = TypeVar("T")


def owned(table: Table, user_id: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Say which rows are one person's: no query reads or writes a person's rows without it.

    A query that every answer needs is made once, with `WHOSE` for the person: to make one takes
    longer than to run it. Who runs it hands it a text (`is_text`). A column of another table says
    that both are the same person's.
    """
    if isinstance(user_id, str) and not is_text(user_id):
        return false()
    return (table.c.id if table is users else table.c.user) == user_id


def is_text(text: str) -> bool:
    """Whether a text can be kept: one with half a character (a lone surrogate) has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def micros(time: datetime) -> int:
    """Give a time as whole microseconds since 1970, UTC.

    Args:
        time: The time; it must have a zone.

    Returns:
        The microseconds; negative before 1970.

    Raises:
        UsageError: If it has no zone.
    """
    if time.tzinfo is None:
        raise UsageError(f"a time needs a time zone; got {time!r}. Try {time.isoformat()}+00:00")
    return (time - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """Give the time that `micros` gave as a number."""
    return _EPOCH + timedelta(microseconds=microseconds)


def as_json(value: object) -> str:
    """Give JSON text that is the same for equal data, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut items into lists that fit into one statement."""
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
