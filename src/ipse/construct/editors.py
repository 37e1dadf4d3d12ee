r"""Simulated editors: each edits every draft by wishes that nobody tells (PRELUDE, 2404.15269).

    "I think people may need sleep. It is good."  ->  "- You need sleep.\n- It is good."

A wish is a function of the text alone, so an editor is the same at any time, and a draft that is as
they wish is left alone. What an editor wishes depends on the kind of text, as in PRELUDE. NOBODY
HERE IS A PERSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from random import Random

from ipse.construct.base import constructed, owner
from ipse.errors import UsageError
from ipse.records import Record

__all__ = ["WISHES", "Editor", "Wish", "editors"]

_WORDS = 25
"""A text is short with so many words, in two sentences."""

_SENTENCE = re.compile(r"(?<=[.!?])[\"')]*\s+|\n+")
_MARK = re.compile(r"^(?:[-*\u2022]|\d{1,2}[.)])\s+")
_HEDGE = re.compile(
    r"\b(?:perhaps|maybe|possibly|probably|presumably|arguably|apparently|seemingly|somewhat|rather"
    r"|quite|fairly|generally|usually|often|sometimes|relatively|mostly|I think(?: that)?"
    r"|I believe(?: that)?|I feel(?: that)?|in my opinion|it seems(?: that)?)\b,? ?",
    re.IGNORECASE,
)
_MODAL = re.compile(r"\b(?:may|might|could|would|should)\b", re.IGNORECASE)
_WE = re.compile(
    r"\b(?:people|persons|individuals|citizens|students|children|everyone|somebody|someone|they"
    r"|them|we|us|I|me|he|him|she)\b",
    re.IGNORECASE,
)
_OUR = re.compile(r"\b(?:their|our|my|his|her|people's|everyone's)\b", re.IGNORECASE)
_THEN = {"is": "are", "am": "are", "was": "were", "has": "have", "does": "do"}
_AFTER = re.compile(rf"\b([Yy]ou) ({'|'.join(_THEN)})\b")


@dataclass(frozen=True)
class Wish:
    """One thing an editor wishes of a text.

    Attributes:
        name: What it is called.
        said: The wish in words, as a person would tell it.
        edit: Makes a text as wished; twice is the same as once.
    """

    name: str
    said: str
    edit: Callable[[str], str]


def _sentences(text: str) -> list[str]:
    lines = (_MARK.sub("", part.strip()) for part in _SENTENCE.split(text))
    return [line for line in lines if line]


def _capital(sentences: Sequence[str]) -> str:
    return " ".join(each[:1].upper() + each[1:] for each in sentences)


def _directly(text: str) -> str:
    plain = _MODAL.sub("will", _HEDGE.sub("", text))
    return _capital(_sentences(re.sub(r" {2,}", " ", plain)))


def _second(text: str) -> str:
    told = _OUR.sub("your", _WE.sub("you", text))
    told = _AFTER.sub(lambda found: f"{found[1]} {_THEN[found[2]]}", told)
    return _capital(_sentences(told))


def _loud(text: str) -> str:
    return " ".join(each.rstrip(".!?;:,") + "!" for each in _sentences(text))


def _short(text: str) -> str:
    kept = " ".join(_sentences(text)[:2])
    words = kept.split()
    if len(words) <= _WORDS:
        return kept
    end = kept[-1] if kept[-1] in ".!?" else "."  # as it was: a later look must not change it again
    return " ".join(words[:_WORDS]).rstrip(".!?;:,-") + end


def _bullets(text: str) -> str:
    return "\n".join(f"- {each}" for each in _sentences(text))


def _opening(text: str) -> str:
    return text if text.lower().startswith("in short,") or not text else f"In short, {text}"


def _closing(text: str) -> str:
    asked = "What do you think?"
    return text if text.lower().endswith(asked.lower()) or not text else f"{text} {asked}"


_VOICES = (
    Wish("direct", "be direct, without perhaps or maybe", _directly),
    Wish("second person", "speak to the reader as you", _second),
    Wish("loud", "use exclamation marks", _loud),
)
_FORMS = (
    Wish("short", "answer in one short sentence", _short),
    Wish("bullets", "use bullet points", _bullets),
)

_STRANGE = (
    Wish("opening", "begin with In short", _opening),
    Wish("closing", "end by asking: What do you think?", _closing),
    Wish("lower", "write in small letters only", str.lower),
)
WISHES: tuple[Wish, ...] = (*_VOICES, *_FORMS, *_STRANGE)
"""Every wish there is, in the order in which they are carried out."""


@dataclass(frozen=True)
class Editor:
    """Somebody who is none, and edits.

    Attributes:
        number: Which one of those drawn with the seed.
        seed: What they were drawn with.
        wishes: By the kind of text, what is wished, in the order of `WISHES`.
    """

    number: int
    seed: int
    wishes: tuple[tuple[str, tuple[Wish, ...]], ...]

    @property
    def id(self) -> str:
        """The id of this editor's records."""
        return owner("editor", self.number)

    def edit(self, kind: str, draft: str) -> str:
        """Make a draft as it is wished; the very same where it is so already.

        Args:
            kind: Of what kind the text is.
            draft: The draft.

        Returns:
            The edited text.
        """
        text = draft.strip()
        for wish in dict(self.wishes)[kind]:
            text = wish.edit(text)
        return draft if " ".join(text.split()) == " ".join(draft.split()) else text

    def said(self, kind: str) -> tuple[str, ...]:
        """Give what is wished of a kind of text in words, as nobody is told."""
        return tuple(wish.said for wish in dict(self.wishes)[kind])

    def record(self, number: int, kind: str, prompt: str, draft: str) -> Record | None:
        """Give the record of an edit.

        Args:
            number: Its place among this editor's texts.
            kind: Of what kind the text is.
            prompt: What was asked.
            draft: What was answered.

        Returns:
            A preference for the edited text; None where nothing was edited, or nothing is left.
        """
        edited = self.edit(kind, draft)
        if edited == draft or not edited.strip():
            return None
        return constructed(
            "preference",
            "editor",
            self.number,
            number,
            how={"seed": self.seed, "kind": kind},
            prompt=prompt,
            output=edited,
            rejected=draft,
            meta={"how": "edit"},
        )


def editors(
    count: int, kinds: Sequence[str], seed: int = 0, *, strange: bool = False, first: int = 0
) -> list[Editor]:
    """Draw editors; those drawn first stay the same, however many follow.

    Of each kind of text they wish one thing of its voice and one of its form; of no two kinds the
    same, as far as there are different ones. Strange ones wish two things that no attribute of
    `ipse.rewards` counts.

    Args:
        count: How many.
        kinds: The kinds of text.
        seed: The same gives the same editors.
        strange: Whether they are strange.
        first: The number of the first.

    Returns:
        The editors.

    Raises:
        UsageError: If there are no kinds of text.
    """
    if not kinds:
        raise UsageError("an editor needs at least one kind of text; got none")
    every = [*combinations(_STRANGE, 2)] if strange else [*product(_VOICES, _FORMS)]
    found = []
    for number in range(first, first + count):
        drawn = Random(f"{seed}:{number}").sample(every, len(every))
        own = tuple((kind, drawn[n % len(drawn)]) for n, kind in enumerate(kinds))
        found.append(Editor(number, seed, own))
    return found
