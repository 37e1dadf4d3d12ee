"""The tables of what only a server keeps.

jobs      what is to be learned, and how far that is
writes    what was asked for under an Idempotency-Key, and what came of it, without any text
paused    who wants nothing more to be learned of them; they need not be in the store
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, Table, Text

from ipse.store.schema import Name, metadata

__all__ = ["jobs", "paused", "writes"]

jobs = Table(
    "jobs",
    metadata,
    Column("id", Name, primary_key=True),
    Column("user", Name, ForeignKey("users.id")),  # null is everybody
    Column("kind", Text, nullable=False),
    Column("methods", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("doing", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("states", Integer, nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("begun", BigInteger),
    Column("ended", BigInteger),
    Column("owner", Text),  # who is at it: another one each time it is begun
    Column("until", BigInteger),  # when, by the database's clock, it is theirs no longer
    Index("ix_jobs_user", "user", "made"),
    Index("ix_jobs_status", "status", "made"),
    Index("ix_jobs_ended", "ended"),
)

writes = Table(
    "writes",
    metadata,
    Column("key", Name, primary_key=True),
    Column("user", Name, nullable=False),  # "" once they were forgotten
    Column("body", Text, nullable=False),
    Column("outcome", Text),  # null once they were forgotten
    Column("time", BigInteger, nullable=False),
    Index("ix_writes_user", "user"),
    Index("ix_writes_time", "time"),
    sqlite_with_rowid=False,
)

paused = Table(
    "paused",
    metadata,
    Column("user", Name, primary_key=True),
    Column("since", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
