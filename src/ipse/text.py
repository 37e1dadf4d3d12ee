"""Text: words, cuts and how a record reads in a prompt. Knows nothing of models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ipse.records import Record

__all__ = [
    "Form",
    "Match",
    "cut",
    "document",
    "ends",
    "judged",
    "one_line",
    "overlap",
    "show",
    "words",
]

Match = Literal["input", "output", "both"]
"""Which side of a record a search compares with the question."""

Form = Literal["turns", "list"]
"""Whether the model reads answers a person gave as turns of a conversation, or all as one list."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces: a character is a word
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:['\u2019][^\W{_CJK}]+)*")
_LONGEST = 16
"""The most characters a word of a cut text may have, on average: text may come without spaces."""


def words(text: str) -> list[str]:
    """Split a text into lower-case words; an apostrophe inside a word belongs to it."""
    return _WORD.findall(text.lower())


def cut(text: str, count: int | None) -> str:
    """Keep at most the first `count` white-space separated words; None keeps all."""
    if count is None:
        return text
    parts = text.split()
    short = text if len(parts) <= count else " ".join(parts[:count]) + " …"
    return short if len(short) <= count * _LONGEST else short[: count * _LONGEST] + " …"


def ends(text: str, count: int | None) -> str:
    """Keep both ends of a text, `count` words in all: what it is about, and what it asks for."""
    parts = text.split()
    if count is None or len(parts) <= count:
        return cut(text, count)
    head, tail = parts[: count - count // 2], parts[len(parts) - count // 2 :]
    return cut(" ".join([*head, "…", *tail]), count + 1)


def overlap(texts: Sequence[str]) -> NDArray[np.float64]:
    """Give how alike texts are by the words they share (Jaccard), as (texts, texts) in [0, 1]."""
    bags = [frozenset(words(text)) for text in texts]
    return np.array([[len(a & b) / max(1, len(a | b)) for b in bags] for a in bags])


def one_line(text: str) -> str:
    """Fold every run of white space into one space."""
    return " ".join(text.split())


def document(record: Record, match: Match, limit: int | None = None) -> str:
    """Give the text of a record that a search looks through.

    Args:
        record: The record.
        match: Which side of it; the output where there is no input.
        limit: The most words of its input.

    Returns:
        The text.
    """
    if match == "output" or not record.input:
        return record.output
    given = cut(record.input, limit)
    return given if match == "input" else f"{given} {record.output}"


def judged(record: Record) -> str | None:
    """Give the answer that a record says something of, which is no answer of the person's own."""
    reply = record.meta.get("reply") if record.kind == "interaction" else None
    return reply if isinstance(reply, str) else None


def show(record: Record, limit: int | None = 60) -> str:
    """Give a record as one line for a model to read.

    Args:
        record: The record.
        limit: The most words of each side.

    Returns:
        The line; with what it answers to, where it means nothing without, and with who said it and
        when, where several speak (`meta["speaker"]`).
    """
    output = one_line(cut(record.output, limit))
    if (reply := judged(record)) is not None:
        question = one_line(ends(record.input, limit))
        return f'of the answer "{one_line(cut(reply, limit))}" to "{question}" said: {output}'
    if speaker := record.meta.get("speaker"):
        return f"{record.time.day} {record.time:%B %Y}, {one_line(str(speaker))}: {output}"
    if record.kind == "preference":
        return f'preferred "{output}" to "{one_line(cut(record.rejected or "", limit))}"'
    if record.input and record.kind in ("profile", "interaction"):
        return f"{one_line(ends(record.input, limit))}: {output}"
    return output
