"""What is sent about people: bodies, as they are checked on their way in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ipse.records import Kind, Record, Use
from ipse.rewards import Asking

__all__ = [
    "MOST",
    "Batch",
    "Change",
    "Enroll",
    "FeedbackBody",
    "NewRecord",
    "Query",
    "Question",
    "Value",
    "made",
]

MOST = 1000
"""How many records one batch may hold, and one page or search may give."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewRecord(_Body):
    """A record to be added. Its id is made from its content, time included."""

    kind: Kind
    output: str = Field(description="What the person said, wrote, chose, rated, was or preferred.")
    input: str = Field(default="", description="What it answers to.")
    rejected: str | None = Field(
        default=None, description="What was not preferred; for preferences."
    )
    time: str | float | None = Field(
        None, description="ISO 8601 with a zone, or seconds since 1970; now, where it is not given."
    )
    source: str = Field(default="", description="Where it came from.")
    meta: dict[str, JsonValue] = Field(default_factory=dict)
    uses: list[Use] | None = Field(
        None, description="What the owner allows; prompt and train where it is not given."
    )


class Batch(_Body):
    """Records to be added together; each is taken or refused by itself."""

    records: list[dict[str, JsonValue]] = Field(min_length=1, max_length=MOST)


class Change(_Body):
    """What is to be different in a record; what is not given stays."""

    output: str | None = None
    input: str | None = None
    rejected: str | None = None
    time: str | float | None = None
    source: str | None = None
    meta: dict[str, JsonValue] | None = None
    uses: list[Use] | None = None


class Query(_Body):
    """What is looked for among a person's records."""

    query: str = Field(min_length=1)
    limit: int = Field(default=10, ge=1, le=MOST)
    threshold: float = Field(default=0.0, ge=0, le=1, description="The least score, in [0, 1].")
    kinds: list[Kind] | None = None


class Value(_Body):
    """What a person says of themselves."""

    value: str


class FeedbackBody(_Body):
    """What a person says of a reply; at least one thing."""

    thumb: Literal["up", "down"] | None = None
    rating: float | None = Field(default=None, ge=1, le=5)
    edit: str | None = Field(default=None, description="The reply as they would have it.")
    better_than: str | None = Field(default=None, description="A reply's id, or a text.")
    regenerated: str | None = Field(
        default=None, description="The reply it was written in place of."
    )


class _Composed(_Body):
    methods: str | list[str] | None = Field(
        default=None, description="A composition; the server's own where it is not given."
    )

    @property
    def composition(self) -> str | None:
        """The composition in one word."""
        return "+".join(self.methods) if isinstance(self.methods, list) else self.methods


class Enroll(_Composed):
    """What is to be learned."""

    anew: bool = Field(
        default=False, description="Also what is up to date, as if nothing were known."
    )


class Question(_Composed):
    """What a person may be asked about: answers to a question, of which two are chosen."""

    question: str = Field(description="What the answers are to.")
    texts: list[str] = Field(min_length=2, max_length=64, description="The answers.")
    by: Asking = Field(default="uncertainty", description="How the two are chosen.")
    enough: float = Field(
        default=0.5, ge=0, description="The regret, in logits, below which it is settled."
    )


def made(user: str, given: Mapping[str, Any], now: datetime, place: int = 0) -> Record:
    """Make the record that somebody sent.

    Args:
        user: Whose.
        given: Its fields, without those of `Record` that are ours to give.
        now: When it was sent; the same request gives the same record.
        place: Its place among those that were sent together.

    Returns:
        The record.

    Raises:
        InvalidRecord: If a field breaks a rule.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    fields.setdefault("time", now + timedelta(microseconds=place))
    return Record.from_json({**fields, "user": user})
