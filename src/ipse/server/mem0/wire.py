"""mem0's bodies: what is sent, and how a record reads as a memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ipse.errors import InvalidRecord
from ipse.records import Record
from ipse.server.mem0.filters import people
from ipse.server.people.wire import MOST
from ipse.store import first_version

__all__ = ["OTHERS", "Add", "Body", "Search", "Update", "made", "shown"]

OTHERS = ("agent_id", "app_id", "run_id")
"""Whom else a memory may be of: kept in its metadata."""

_OURS = ("corrected",)
"""What we keep in a record's `meta` for ourselves."""


class Body(BaseModel):
    """Whose memories are meant."""

    model_config = ConfigDict(extra="ignore")

    user_id: str | None = None
    filters: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def whose(self) -> list[str | None]:
        """Whom the body names."""
        return [self.user_id, *people(self.filters)]


class Said(BaseModel):
    """A message; what the person said has the role `user`."""

    role: str = "user"
    content: str


class Add(Body):
    """Messages to be kept."""

    messages: str | Said | list[Said]
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None
    metadata: dict[str, JsonValue] | None = None
    timestamp: float | None = Field(default=None, description="Seconds since 1970.")
    expiration_date: str | None = None

    @property
    def said(self) -> list[str]:
        """What the person said, in order."""
        if isinstance(self.messages, str):
            return [self.messages]
        given = self.messages if isinstance(self.messages, list) else [self.messages]
        return [each.content for each in given if each.role == "user"]


class Search(Body):
    """What is looked for."""

    query: str = Field(min_length=1)
    top_k: int | None = Field(default=None, ge=1, le=MOST)
    limit: int | None = Field(default=None, ge=1, le=MOST)
    threshold: float | None = Field(default=None, ge=0, le=1)


class Update(BaseModel):
    """What is to be different."""

    text: str | None = None
    metadata: dict[str, JsonValue] | None = None
    timestamp: float | None = None
    expiration_date: str | None = None


def made(user: str, body: Add, now: datetime) -> list[Record]:
    """Make a record of each thing the person said.

    Args:
        user: Who.
        body: The messages.
        now: When they were sent; the same request gives the same records.

    Returns:
        The records.

    Raises:
        InvalidRecord: If a field breaks a rule.
    """
    time = now if body.timestamp is None else _moment(body.timestamp)
    others = {name: getattr(body, name) for name in OTHERS if getattr(body, name) is not None}
    return [
        Record(
            user=user,
            kind="dialogue",
            output=text,
            time=time + timedelta(microseconds=place),
            source="mem0",
            meta={**(body.metadata or {}), **others},
        )
        for place, text in enumerate(body.said)
    ]


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRecord(f"a timestamp is in seconds since 1970; got {seconds!r}") from error


def shown(record: Record) -> dict[str, Any]:
    """Show a record as a memory: under its first id, whatever was corrected since."""
    corrected = record.meta.get("corrected")
    kept = {name: value for name, value in record.meta.items() if name not in (*_OURS, *OTHERS)}
    return {
        "id": first_version(record.id),
        "memory": record.output,
        "user_id": record.user,
        **{name: record.meta[name] for name in OTHERS if name in record.meta},
        "metadata": kept or None,
        "categories": None,
        "created_at": record.time.isoformat(),
        "updated_at": corrected[-1] if corrected else record.time.isoformat(),
    }
