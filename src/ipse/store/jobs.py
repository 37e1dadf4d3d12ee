"""Jobs: what is to be learned, kept until it is done.

A job waits, is taken by a worker, and ends; each step is a transaction. Who takes one has it for a
while, and longer as long as they say so: so of many servers on one store, one is at it. A worker
that dies falls silent: once its time is over any other puts the job back, and learning goes on from
what was kept. Only who has a job may say how far it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from ipse.errors import Unknown
from ipse.store import relearning
from ipse.store.database import Database
from ipse.store.relearning import Relearn
from ipse.store.schema import is_text, micros, moment, owned
from ipse.store.served import jobs, paused
from ipse.store.writes import note

__all__ = ["ATTEMPTS", "LEASE", "Jobs", "StoredJob", "erase"]

ATTEMPTS: Final = 5
"""How often a job is begun by workers that then die, before it is given up: it may be the cause."""

LEASE: Final = 15.0
"""Seconds that a job stays with a worker of whom nothing is heard."""

Status = Literal["queued", "running", "done", "failed"]

_KEPT = timedelta(days=30)
"""How long a job that ended is known."""


@dataclass(frozen=True)
class StoredJob:
    """Something that is to be learned, is being learned, or was.

    Attributes:
        id: The job's id.
        user: Of whom; None is everybody.
        kind: What is done: `enroll` learns of people what is missing, `anew` as if nothing were
            known, `fit` learns from everybody who shares.
        methods: The composition that learns.
        status: Where it is.
        attempts: How often it was begun, but for those who put it down in peace.
        share: How much of it is done, in [0, 1].
        doing: What is being done.
        error: Why it failed; "" where it did not.
        states: How many states were kept.
        made: When it was asked for, in UTC.
        begun: When it was begun the last time.
        ended: When it ended.
        owner: Stands for who is at it, this time; "" while nobody is.
    """

    id: str
    user: str | None
    kind: str
    methods: str
    status: Status = "queued"
    attempts: int = 0
    share: float = 0.0
    doing: str = ""
    error: str = ""
    states: int = 0
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    begun: datetime | None = None
    ended: datetime | None = None
    owner: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the job as JSON-able data, without who is at it."""
        times = {name: getattr(self, name) for name in ("made", "begun", "ended")}
        shown = {**vars(self), **{n: t.isoformat() if t else None for n, t in times.items()}}
        del shown["owner"]
        return shown


class Jobs:
    """The jobs of a store.

    Args:
        database: Where.

    Attributes:
        relearn: Who is learned of anew without being asked for; None is nobody.
        lease: Seconds that a job stays with a worker of whom nothing is heard.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.relearn: Relearn | None = None
        self.lease = LEASE

    def ask_due(self, connection: Connection, people: Iterable[str]) -> None:
        """Ask for those people to be learned of who have had enough new records by now.

        Args:
            connection: Of the writer that adds records: they are there together with the job.
            people: Whose records came.
        """
        if self.relearn is None:
            return
        for user in relearning.due(connection, self.relearn, people):
            job = StoredJob(uuid4().hex, user, "enroll", self.relearn.methods)
            connection.execute(insert(jobs).values(_row(job)))

    def add(self, user: str | None, kind: str, methods: str) -> StoredJob:
        """Ask for something to be learned; one that waits already is given as it is.

        Args:
            user: Of whom; None is everybody.
            kind: What is to be done.
            methods: The composition that learns.

        Returns:
            The job.
        """
        with self._database.writing() as connection:
            alike = select(jobs).where(
                *(jobs.c.kind == kind, jobs.c.methods == methods, jobs.c.status == "queued"),
                _of(user),
            )
            row = connection.execute(alike.limit(1)).one_or_none()
            job = _job(row) if row else StoredJob(uuid4().hex, user, kind, methods)
            if row is None:
                connection.execute(insert(jobs).values(_row(job)))
                old = jobs.c.ended < micros(job.made - _KEPT)
                connection.execute(delete(jobs).where(old))
            note(connection, {"job": job.id})
        return job

    def find(self, job_id: str, user: str | None) -> StoredJob:
        """Read one job.

        Args:
            job_id: The job's id.
            user: Whose it must be; another person's is as unknown as one that is nowhere.

        Returns:
            The job.

        Raises:
            Unknown: If there is no such job.
        """
        with self._database.reading() as connection:
            query = select(jobs).where(jobs.c.id == job_id, _of(user))
            row = connection.execute(query).one_or_none() if is_text(job_id) else None
        if row is None:
            raise Unknown(f"no job {job_id!r} is known; jobs are known for {_KEPT.days} days")
        return _job(row)

    def latest(self, user: str | None, limit: int = 100) -> list[StoredJob]:
        """Read the latest jobs of a person, or of everybody together, newest first."""
        query = select(jobs).where(_of(user)).order_by(jobs.c.made.desc(), jobs.c.id)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(query.limit(limit))]

    def counts(self) -> Mapping[str, int]:
        """Say how many jobs wait and are under way, of everyone."""
        query = select(jobs.c.status, func.count()).group_by(jobs.c.status)
        query = query.where(jobs.c.status.in_(("queued", "running")))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {"queued": 0, "running": 0, **{row[0]: row[1] for row in rows}}

    def take(self) -> StoredJob | None:
        """Begin the job that waited longest; None where none does but those of who is paused."""
        wanted = jobs.c.status == "queued", ~exists().where(owned(paused, jobs.c.user))
        query = select(jobs).where(*wanted).order_by(jobs.c.made, jobs.c.id)
        with self._database.reading() as connection:  # who waits for work does not hold up writers
            if connection.execute(query.limit(1)).one_or_none() is None:
                return None
        with self._database.writing() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
            if row is None:
                return None
            values = {
                "status": "running",
                "attempts": row.attempts + 1,
                "begun": micros(datetime.now(UTC)),
                "owner": uuid4().hex,
                "until": self._until(connection),
            }
            mine = jobs.c.id == row.id, jobs.c.status == "queued"
            if not connection.execute(update(jobs).where(*mine).values(values)).rowcount:
                return None  # another was first
            if self.relearn and row.kind != "fit" and row.methods == self.relearn.methods:
                relearning.begun(connection, row.user)
            found = connection.execute(select(jobs).where(jobs.c.id == row.id)).one()
        return _job(found)

    def tell(self, job: StoredJob, doing: str, share: float) -> bool:
        """Say how far a job is; give whether it is still wanted, and its person not paused."""
        unpaused = ~exists().where(owned(paused, jobs.c.user))
        return self._move(job, {"doing": doing, "share": share}, unpaused)

    def hold(self, job: StoredJob) -> bool:
        """Say that a job is being done still; give whether it is, to the database, one's own."""
        return self._move(job, {})

    def end(self, job: StoredJob, states: int = 0, error: str = "") -> bool:
        """End a job, well or with what went wrong; give whether it was still wanted."""
        values = {"status": "failed" if error else "done", "error": error, "states": states}
        values |= {"ended": micros(datetime.now(UTC)), "doing": ""}
        return self._move(job, values if error else {**values, "share": 1.0})

    def put_down(self, job: StoredJob) -> bool:
        """Let a job wait again, as if it had not been begun; give whether it was still wanted."""
        return self._move(job, {"status": "queued", "attempts": job.attempts - 1, "doing": ""})

    def put_back(self) -> tuple[int, int]:
        """Let what a worker fell silent over wait again; what too many did, has failed.

        Returns:
            How many wait again, and how many are given up.
        """
        error = (
            f"given up: each of the {ATTEMPTS} times it was begun, the server ended before it was "
            "done. See the server's log, and ask again"
        )
        failed = {"status": "failed", "error": error, "ended": micros(datetime.now(UTC))}
        often = jobs.c.attempts >= ATTEMPTS
        with self._database.reading() as connection:
            query = select(jobs.c.id).where(*self._left(connection)).limit(1)
            if connection.execute(query).one_or_none() is None:
                return 0, 0
        with self._database.writing() as connection:
            left = self._left(connection)
            given_up = connection.execute(update(jobs).where(*left, often).values(**failed))
            again = connection.execute(update(jobs).where(*left).values(status="queued"))
        return again.rowcount, given_up.rowcount

    def _until(self, connection: Connection) -> int:
        """Give when what is heard of now is over."""
        return self._database.now(connection) + round(self.lease * 1e6)

    def _left(self, connection: Connection) -> tuple[ColumnElement[bool], ...]:
        """Say which jobs are under way with nobody at them."""
        now = self._database.now(connection)
        return jobs.c.status == "running", func.coalesce(jobs.c.until, 0) <= now

    def _move(self, job: StoredJob, values: Mapping[str, Any], *only: ColumnElement[bool]) -> bool:
        mine = jobs.c.id == job.id, jobs.c.owner == job.owner, jobs.c.status == "running"
        with self._database.writing() as connection:
            moved = update(jobs).where(*mine, *only)
            moved = moved.values(**values, until=self._until(connection))
            return connection.execute(moved).rowcount == 1


def erase(connection: Connection, user_id: str) -> None:
    """Remove a person's jobs; one that is under way finds that it is not wanted any more."""
    connection.execute(delete(jobs).where(owned(jobs, user_id)))


def _of(user: str | None) -> ColumnElement[bool]:
    return jobs.c.user.is_(None) if user is None else owned(jobs, user)


def _row(job: StoredJob) -> dict[str, Any]:
    times = {name: getattr(job, name) for name in ("made", "begun", "ended")}
    row = {**vars(job), **{name: micros(time) if time else None for name, time in times.items()}}
    return {**row, "owner": None}


def _job(row: Row[Any]) -> StoredJob:
    fields = dict(row._mapping)
    del fields["until"]
    fields["owner"] = row.owner or ""
    for name in ("made", "begun", "ended"):
        fields[name] = None if fields[name] is None else moment(fields[name])
    return StoredJob(**fields)
