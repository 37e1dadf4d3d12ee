"""Who is paused: nothing more is to be learned of them until they say so.

A pause is kept for people who are not in the store as well, and outlives their last record: only
who has everything of theirs erased takes it along.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from ipse.records import check_user
from ipse.store.database import Database
from ipse.store.schema import micros, moment, owned
from ipse.store.served import paused
from ipse.store.writes import note

__all__ = ["Pauses", "erase"]


class Pauses:
    """The pauses of a store.

    Args:
        database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, user: str) -> datetime | None:
        """Say since when a person is paused; None where they are not."""
        with self._database.reading() as connection:
            found = connection.execute(select(paused.c.since).where(owned(paused, user))).scalar()
        return None if found is None else moment(found)

    def set(self, user: str, *, on: bool) -> None:
        """Pause a person, or go on; saying it again changes nothing.

        Args:
            user: Who.
            on: Whether to pause.

        Raises:
            InvalidRecord: If it can be nobody's id.
        """
        check_user(user)
        with self._database.writing() as connection:
            known = connection.execute(select(paused).where(owned(paused, user))).one_or_none()
            if on and known is None:
                row = {"user": user, "since": micros(datetime.now(UTC))}
                connection.execute(insert(paused).values(row))
            elif not on:
                erase(connection, user)
            note(connection, {"paused": on})


def erase(connection: Connection, user_id: str) -> None:
    """Take a person off the list."""
    connection.execute(delete(paused).where(owned(paused, user_id)))
