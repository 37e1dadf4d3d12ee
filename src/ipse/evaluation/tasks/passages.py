"""Speeches and essays cut into passages: an opening, and how its author went on.

Not a task: what `authors` reads its files by. It knows no author.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipse.text import one_line

__all__ = ["Passage", "passages"]

_LONGEST = 3
"""An opening or continuation has at most so many times the words asked for: some sentences of the
eighteenth century fill a page."""

_SIGNED = re.compile(r"\bPUBLIUS\b.*", re.DOTALL)  # and what a publisher put below it
_NOTE = re.compile(r"\s*[(\[][^()\[\]]*(?:applause|laughter|silence|silent)[^()\[\]]*[)\]]", re.I)
_CAPTION = re.compile(r"^.*?White House photo by Eric Draper\s*", re.M)
_SPEAKER = re.compile(r"\bTHE PRESIDENT:\s*")
_DASH, _QUOTE = "\ufffdX", "\ufffd\ufffd"  # what is left of them in some of the files
_ENDED = tuple(".!?;:,\"')\u201d\u2019-\u2014")
_HEADING = 80
"""The most characters of a line that is a heading if no sentence ends in it."""

_BREAK = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?][\"'\u201d\u2019)]))"
    r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bGen\.)(?<!\b[A-Z]\.)"
    r"\s+(?=[\"'\u201c\u2018(]?[A-Z0-9])"
)


@dataclass(frozen=True)
class Passage:
    """Sentences of one text, in order.

    Attributes:
        opening: The first of them.
        continuation: The ones after.
    """

    opening: str
    continuation: str


def passages(text: str, opening: int, continuation: int) -> list[Passage]:
    """Cut a text into passages of whole sentences that do not overlap.

    Left out are headings, stage directions, captions and signatures, and passages that are too long
    or damaged.

    Args:
        text: The text, its paragraphs on lines of their own; or wrapped, with empty lines between.
        opening: The fewest words of an opening; it has at most three times as many.
        continuation: The fewest words of a continuation, likewise.

    Returns:
        The passages, in the text's order.
    """
    found, sentences = [], iter(_sentences(text))
    while (first := _take(sentences, opening)) and (second := _take(sentences, continuation)):
        long = _words(first) > opening * _LONGEST or _words(second) > continuation * _LONGEST
        if not long and "\ufffd" not in first + second:
            found.append(Passage(first, second))
    return found


def _sentences(text: str) -> Sequence[str]:
    plain = _SIGNED.sub("", text).replace(_DASH, "\u2014").replace(_QUOTE, "'")
    plain = _SPEAKER.sub("", _NOTE.sub("", _CAPTION.sub("", plain)))
    return _BREAK.split(" ".join(p for p in _paragraphs(plain) if not _heads(p)))


def _paragraphs(text: str) -> list[str]:
    wrapped = max(map(len, text.splitlines()), default=0) < 2 * _HEADING
    parts = (one_line(part) for part in (text.split("\n\n") if wrapped else text.splitlines()))
    return [part for part in parts if part]


def _heads(paragraph: str) -> bool:
    if paragraph == paragraph.upper():
        return True
    return len(paragraph) < _HEADING and not paragraph.endswith(_ENDED)


def _take(sentences: Iterator[str], count: int) -> str:
    """Take sentences until there are so many words; "" where there are not."""
    taken: list[str] = []
    for sentence in sentences:
        taken.append(sentence)
        if sum(map(_words, taken)) >= count:
            return " ".join(taken)
    return ""


def _words(text: str) -> int:
    return len(text.split())
