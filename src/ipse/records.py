"""Records: what is known of a person, and views of a person in time.

A record is one thing a person said, wrote, chose, rated, was or preferred. Here is no database.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, get_args

from ipse.errors import InvalidRecord, UnknownRecord

__all__ = [
    "DEFAULT_USES",
    "KINDS",
    "MAX_CHARACTERS",
    "USES",
    "Kind",
    "Record",
    "Use",
    "User",
    "check_user",
]

Kind = Literal["profile", "dialogue", "content", "interaction", "preference"]
"""The survey's five kinds of personal data (arXiv 2502.11528, section 2)."""

Use = Literal["prompt", "train", "share"]
"""What an owner allows: be read by the model, itself or summed up; train weights and rewards of the
owner's own; teach what is learned of everyone."""

KINDS: tuple[Kind, ...] = get_args(Kind)
USES: tuple[Use, ...] = get_args(Use)
DEFAULT_USES: frozenset[Use] = frozenset({"prompt", "train"})
MAX_CHARACTERS = 1_000_000
"""The longest text a record may hold, in characters."""

_MAX_NAME = 256


@dataclass(frozen=True, kw_only=True)
class Record:
    """One thing a person said, wrote, chose, rated, was or preferred.

    | kind        | input                    | output                 | more                     |
    |-------------|--------------------------|------------------------|--------------------------|
    | profile     | attribute name           | value                  | relations in `meta`      |
    | dialogue    | what the other side said | what the person said   | `meta["thread"]`         |
    | content     | title, prompt or ""      | what the person wrote  |                          |
    | interaction | the item                 | rating, label or click | `meta["labels"]`         |
    | preference  | prompt                   | what was preferred     | `rejected`, `meta["tie"]`|

    Attributes:
        user: Whose record it is.
        kind: One of `KINDS`.
        output: What the person said, wrote, chose, rated, was or preferred.
        input: What it answers to, or "".
        rejected: What was not preferred; only, and always, for `preference`.
        time: When, in UTC. A time without a zone is refused.
        source: Where it came from, such as `chatgpt` or a file's name.
        meta: Anything else, as JSON.
        uses: What the owner allows; a subset of `USES`.
        id: Made from the content where it is not given, so the same record twice is one record.

    Raises:
        InvalidRecord: If a field breaks a rule; the message names field and value.
    """

    user: str
    kind: Kind
    output: str
    input: str = ""
    rejected: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    source: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    uses: frozenset[Use] = DEFAULT_USES
    id: str = ""

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "time", self.time.astimezone(UTC))
        object.__setattr__(self, "uses", frozenset(self.uses))
        # As JSON gives it back: tuples are lists, every key is text.
        object.__setattr__(self, "meta", json.loads(json.dumps(dict(self.meta))))
        if not self.id:
            object.__setattr__(self, "id", _digest(self))

    def __hash__(self) -> int:
        return hash(self.id)

    def to_json(self) -> dict[str, Any]:
        """Give the record as JSON-able data; `from_json` gives it back, equal."""
        return {
            "id": self.id,
            "user": self.user,
            "kind": self.kind,
            "time": self.time.isoformat(),
            "input": self.input,
            "output": self.output,
            "rejected": self.rejected,
            "source": self.source,
            "meta": dict(self.meta),
            "uses": sorted(self.uses),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Read a record, most of whose fields may be missing, or raise `InvalidRecord`."""
        fields = dict(data)
        if extra := sorted(fields.keys() - cls.__dataclass_fields__.keys()):
            known = ", ".join(cls.__dataclass_fields__)
            raise InvalidRecord(f"unknown field {extra[0]!r} in a record. Known: {known}")
        if missing := [name for name in ("user", "kind", "output") if name not in fields]:
            raise InvalidRecord(f"a record needs the field {missing[0]!r}")
        if "time" in fields:
            fields["time"] = _parse_time(fields["time"])
        if not isinstance(fields.get("uses", ()), list | tuple | set | frozenset):
            raise InvalidRecord(f"uses must be a list of {', '.join(USES)}")
        return cls(**fields)


@dataclass(frozen=True)
class User:
    """A view of one person: some of their records, oldest first.

    Views are cheap, immutable and only ever get narrower.

    Attributes:
        id: Who it is.
        records: The records, ascending in `(time, id)`.
    """

    id: str
    records: tuple[Record, ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    def before(self, moment: datetime) -> User:
        """Give the view strictly before a moment: what happened at that moment is not in it."""
        cut = bisect_left(self.records, moment, key=lambda record: record.time)
        return self if cut == len(self.records) else User(self.id, self.records[:cut])

    def of(self, kinds: Sequence[Kind]) -> User:
        """Give the view of some kinds only."""
        return self._keep([record.kind in kinds for record in self.records])

    def allowing(self, use: Use) -> User:
        """Give the view of what the person allows to be used so."""
        if use not in self._allowed:
            self._allowed[use] = self._keep([use in record.uses for record in self.records])
        return self._allowed[use]

    def latest(self, count: int) -> tuple[Record, ...]:
        """Give the latest `count` records, oldest of them first."""
        return self.records[max(0, len(self.records) - count) :]

    def holds(self, record_ids: Iterable[str]) -> bool:
        """Say whether all of some records are in this view."""
        return all(name in self._by_id for name in record_ids)

    def record(self, record_id: str) -> Record:
        """Give a record of this view by its id, or raise `UnknownRecord`."""
        if record_id not in self._by_id:
            raise UnknownRecord(f"user {self.id!r} has no record {record_id!r} in this view")
        return self._by_id[record_id]

    def _keep(self, mask: Sequence[bool]) -> User:
        return (
            self
            if all(mask)
            else User(self.id, tuple(r for r, kept in zip(self.records, mask, strict=True) if kept))
        )

    @cached_property
    def fingerprint(self) -> int:
        """A number that another choice of records would not have."""
        names = "\n".join(record.id for record in self.records)
        return int.from_bytes(hashlib.sha256(names.encode()).digest()[:7])

    @cached_property
    def _allowed(self) -> dict[Use, User]:
        return {}

    @cached_property
    def _by_id(self) -> dict[str, Record]:
        return {record.id: record for record in self.records}


def check_user(user: object) -> None:
    """Refuse what can be nobody's id, with `InvalidRecord`."""
    _check_name("user", user)
    if not user:
        raise InvalidRecord("a record needs a user; got ''")


def _check(record: Record) -> None:
    check_user(record.user)
    for name in ("source", "id"):
        _check_name(name, getattr(record, name))
    if record.kind not in KINDS:
        raise InvalidRecord(f"unknown kind {record.kind!r}. Known: {', '.join(KINDS)}")
    for name in ("input", "output", "rejected"):
        if name != "rejected" or record.rejected is not None:
            _check_text(name, getattr(record, name))
    if not record.output.strip():
        raise InvalidRecord(f"a record's output must say something; got {record.output!r}")
    _check_time(record.time)
    for use in record.uses:
        if use not in USES:
            raise InvalidRecord(f"unknown use {use!r}. Known: {', '.join(USES)}")
    _check_meta(record.meta)
    _check_rejected(record)


def _check_name(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidRecord(f"a record's {name} must be text; got {value!r}")
    if len(value) > _MAX_NAME:
        raise InvalidRecord(
            f"a record's {name} is at most {_MAX_NAME} characters; got {len(value)}"
        )
    if not value.isprintable():
        raise InvalidRecord(f"a record's {name} must be printable; got {value!r}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidRecord(f"a record's {name} must be text; got {value!r}")
    if len(value) > MAX_CHARACTERS:
        raise InvalidRecord(
            f"a record's {name} is at most {MAX_CHARACTERS:,} characters; got {len(value):,}. "
            "Split it into several records"
        )
    if "\x00" in value:
        raise InvalidRecord(f"a record's {name} must not hold the character U+0000")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecord(f"a record's {name} is not valid Unicode: {error}") from error


def _check_time(time: object) -> None:
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise InvalidRecord(f"a record's time needs a time zone; got {time!r}")
    try:
        time.astimezone(UTC)
    except OverflowError as error:
        raise InvalidRecord(f"a record's time is in the years 1 to 9999; got {time}") from error


def _check_meta(meta: object) -> None:
    if not isinstance(meta, Mapping):
        raise InvalidRecord(f"a record's meta must be a mapping; got {meta!r}")
    try:
        size = len(json.dumps(dict(meta), allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord(f"a record's meta must be JSON: {error}") from error
    if size > MAX_CHARACTERS:
        raise InvalidRecord(f"a record's meta is at most {MAX_CHARACTERS:,} bytes; got {size:,}")


def _check_rejected(record: Record) -> None:
    if record.kind != "preference":
        if record.rejected is not None:
            raise InvalidRecord(f"only a preference has a rejected text; this is a {record.kind}")
        return
    if record.rejected is None:
        raise InvalidRecord("a preference needs a rejected text")
    if record.rejected == record.output:
        raise InvalidRecord(f"chosen and rejected are the same: {record.output[:80]!r}")


def _parse_time(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        raise ValueError(value)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRecord(
            f"a time is ISO 8601 with a zone, or seconds since 1970; got {value!r}"
        ) from error


def _digest(record: Record) -> str:
    content = record.to_json()
    del content["id"]
    blob = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(blob.encode()).hexdigest()[:32]
