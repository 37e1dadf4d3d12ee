"""Keys: who may ask, and for whom. Only their hashes are kept.

    ipse-<id: 12 hex digits>-<secret: 43 characters>

The id is no secret: it names the key in lists and logs. A key is made of 256 random bits, so a
plain hash of it cannot be guessed from.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Row, bindparam, exists, insert, select, update

from ipse.errors import Conflict, Unknown
from ipse.records import check_user
from ipse.store.database import Database
from ipse.store.schema import keys as table
from ipse.store.schema import micros, moment

__all__ = ["Key", "Keys"]

_KEY = re.compile(r"ipse-([0-9a-f]{12})-[A-Za-z0-9_-]{43}")
_NAMED = select(table).where(table.c.id == bindparam("name"))
_ANY = select(exists().where(table.c.id.is_not(None)))
_NOBODY = "0" * 64  # what the hash of a key that is not there is compared with


@dataclass(frozen=True)
class Key:
    """A key at a glance; the key itself is nowhere.

    Attributes:
        id: Its name.
        subject: The person it is of; None for a service's.
        acting: Whether it may act for any person.
        made: When, in UTC.
        revoked: When it was revoked, in UTC; None while it is good.
    """

    id: str
    subject: str | None
    acting: bool
    made: datetime
    revoked: datetime | None = None


@dataclass(frozen=True)
class Keys:
    """The keys of a store.

    Attributes:
        database: Where they are.
    """

    database: Database

    def create(self, subject: str | None = None) -> tuple[str, Key]:
        """Make a key.

        Args:
            subject: The person it is of, who need not be in the store yet; None is a service that
                may act for any person.

        Returns:
            The key, which is shown this once, and what is kept of it.

        Raises:
            InvalidRecord: If the person's id can be no id.
        """
        if subject is not None:
            check_user(subject)
        key = Key(secrets.token_hex(6), subject, subject is None, datetime.now(UTC))
        text = f"ipse-{key.id}-{secrets.token_urlsafe(32)}"
        values = {
            "id": key.id,
            "digest": _digest(text),
            "subject": subject,
            "acting": key.acting,
            "made": micros(key.made),
        }
        with self.database.writing() as connection:
            connection.execute(insert(table).values(values))
        return text, key

    def find(self, text: str) -> Key | None:
        """Give what is kept of a key that is good; None where there is none, or it was revoked.

        How long it takes tells nothing of how much of a key is right.
        """
        match = _KEY.fullmatch(text)
        name = match[1] if match else ""
        with self.database.reading() as connection:
            row = connection.execute(_NAMED, {"name": name}).first()
        right = hmac.compare_digest(_digest(text), row.digest if row else _NOBODY)
        return _key(row) if row and right and row.revoked is None else None

    def any(self) -> bool:
        """Say whether there is a key, be it a revoked one: who made one wants it asked for."""
        with self.database.reading() as connection:
            return bool(connection.scalar(_ANY))

    def list(self, subject: str | None = None) -> list[Key]:
        """List the keys, the oldest first.

        Args:
            subject: Whose; all where it is None.

        Returns:
            The keys.
        """
        query = select(table).order_by(table.c.made, table.c.id)
        if subject is not None:
            query = query.where(table.c.subject == subject)
        with self.database.reading() as connection:
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, name: str) -> Key:
        """Make a key good for nothing, from the next request on.

        Args:
            name: The key's id, or as much of the key as is shown: `ipse-<id>`.

        Returns:
            The key.

        Raises:
            Unknown: If there is no such key.
            Conflict: If it was revoked before.
        """
        name = name.removeprefix("ipse-")
        with self.database.writing() as connection:
            row = connection.execute(select(table).where(table.c.id == name)).first()
            if row is None:
                raise Unknown(f"there is no key {name!r}. Run: ipse keys list")
            if row.revoked is not None:
                raise Conflict(f"the key {name!r} was revoked at {moment(row.revoked)} already")
            now = micros(datetime.now(UTC))
            connection.execute(update(table).where(table.c.id == name).values(revoked=now))
            return _key(connection.execute(select(table).where(table.c.id == name)).one())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _key(row: Row[tuple[object, ...]]) -> Key:
    revoked = None if row.revoked is None else moment(row.revoked)
    return Key(row.id, row.subject, bool(row.acting), moment(row.made), revoked)
