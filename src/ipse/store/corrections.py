"""Corrected records: another record each, whose id says what it stands in the place of.

A correction is a record of its own: what was learned of the old one must not pass for learned of
the new one. `1f3a`, `1f3a~2`, `1f3a~3` are one record over time, of which one is there.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from ipse.errors import UnknownRecord
from ipse.records import Record
from ipse.store.records import find_record
from ipse.store.schema import owned, records

__all__ = ["find_current", "first_version", "next_version"]

_SIGN = "~"
_BEHIND_DIGITS = ":"  # the character after 9


def find_current(connection: Connection, record_id: str, user_id: str | None) -> Record:
    """Read one record, or what stands in its place; `Store.current` says more."""
    try:
        return find_record(connection, record_id, user_id)
    except UnknownRecord:
        first = first_version(record_id) + _SIGN
        if not first.isprintable():  # so is every id that is there
            raise
    query = select(records.c.id).where(records.c.id > first, records.c.id < first + _BEHIND_DIGITS)
    if user_id is not None:
        query = query.where(owned(records, user_id))
    newest = query.order_by(func.length(records.c.id).desc(), records.c.id.desc()).limit(1)
    return find_record(connection, connection.scalar(newest) or record_id, user_id)


def first_version(record_id: str) -> str:
    """Give the id that a record had before it was ever corrected."""
    first, sign, number = record_id.rpartition(_SIGN)
    return first if sign and number.isdecimal() else record_id


def next_version(record_id: str) -> str:
    """Give the id of what comes in a record's place, so that the record's own id still finds it."""
    first = first_version(record_id)
    number = int(record_id[len(first) + 1 :] or 1)
    return f"{first}{_SIGN}{number + 1}"
