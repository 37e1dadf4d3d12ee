"""What all constructed records have in common: nobody said them, and each says so.

A constructed record belongs to a person of its own, whose id begins with `constructed-`, and its
source begins with `constructed:` and says how it was made. So nothing that was made up is ever a
real person's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ipse.importers.base import nth
from ipse.records import DEFAULT_USES, Kind, Record, Use

__all__ = ["MARK", "constructed", "owner"]

MARK = "constructed"
"""What ids of people who are none, and sources, begin with."""

_LONGEST = 120
"""The most characters of a real person's id in the id of one who is constructed of theirs."""


def owner(kind: str, name: object) -> str:
    """Give the id of a person who is none, such as `constructed-simulated-7`."""
    return f"{MARK}-{kind}-{str(name)[:_LONGEST]}"


def constructed(
    kind: Kind,
    made: str,
    name: object,
    number: int,
    *,
    how: Mapping[str, object],
    output: str,
    prompt: str = "",
    rejected: str | None = None,
    meta: Mapping[str, Any] | None = None,
    uses: Collection[Use] = DEFAULT_USES,
) -> Record:
    """Make a record that nobody said.

    Args:
        kind: Which kind of record.
        made: How it was made, such as `simulated`.
        name: Who of those it was made for; becomes part of the user's id.
        number: Its place among this person's records, which stands for its time.
        how: The settings it was made with, seeds and models among them.
        output: What would be said, chosen or preferred.
        prompt: What it answers to.
        rejected: What would not be preferred.
        meta: Anything else.
        uses: What it may be used for. Leave `share` out where real people share a store with it.

    Returns:
        The record; the same for the same arguments.
    """
    settings = ",".join(f"{key}={value}" for key, value in how.items())
    source = f"{MARK}:{made}:{settings}"
    return Record(
        user=owner(made, name),
        kind=kind,
        input=prompt,
        output=output,
        rejected=rejected,
        time=nth(number),
        source=source if len(source) <= 256 else f"{source[:255]}…",
        meta=dict(meta or {}),
        uses=frozenset(uses),
    )
