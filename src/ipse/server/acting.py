"""What is done for a person alike, wherever it is asked for: over HTTP, by MCP or on the page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ipse.engine import Ipse
from ipse.errors import Conflict, Unknown, UnknownRecord
from ipse.records import Record
from ipse.state import SavedState
from ipse.store import Receipt, Store, next_version

__all__ = ["changed", "check_not_paused", "own_state"]


def check_not_paused(store: Store, user: str) -> None:
    """Refuse to keep or learn anything new of a person who is paused."""
    if store.pauses.since(user) is not None:
        raise Conflict(
            f"{user!r} is paused: nothing new is kept or learned of them. To go on: "
            "DELETE /v1/users/{user}/pause"
        )


def own_state(store: Store, user: str, name: str) -> SavedState:
    """Give a state of a person's own; another's is as unknown as one that is nowhere."""
    saved = store.find(name)
    if saved.key.user != user:
        raise Unknown(f"there is no state {name!r}")
    return saved


def changed(
    engine: Ipse, user: str, name: str, change: Mapping[str, Any], now: datetime | None = None
) -> Receipt:
    """Correct a record of a person; the old one is forgotten, with all that was made from it.

    Args:
        engine: Knows the person.
        user: Whose.
        name: The record's id, or one it had before it was corrected.
        change: The fields that are to be different.
        now: When that was asked for; now, where it is not given.

    Returns:
        What was removed.

    Raises:
        UnknownRecord: If the person has no such record.
        InvalidRecord: If a field breaks a rule.
    """
    old = engine.store.current(name, user)
    new = _corrected(old, change, now or datetime.now(UTC), _free(engine.store, old.id))
    return engine.replace(old.id, new)


def _corrected(old: Record, change: Mapping[str, Any], now: datetime, name: str) -> Record:
    """Give what comes in a record's place: at the same time as the old one, unless that changes."""
    fields = {**old.to_json(), **change, "id": name}
    before = old.meta.get("corrected")
    times = before if isinstance(before, list) else []
    meta = {**(fields["meta"] or {}), "corrected": [*times, now.isoformat()]}
    return Record.from_json({**fields, "meta": meta})


def _free(store: Store, name: str) -> str:
    """Give the next version that is not there; an import may have brought an old one back."""
    with suppress(UnknownRecord):
        while True:
            name = next_version(name)
            store.record(name)
    return name
