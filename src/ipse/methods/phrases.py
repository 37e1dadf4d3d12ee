"""Preferences as short phrases, found by counting: what an edit changed, without a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ipse.rewards import measure
from ipse.text import words

__all__ = ["joined", "parts", "sentences", "told", "voted"]

_BETWEEN = "; "
_CHANGED = math.log(1.25)
"""How much longer or shorter an edit must be, as a ratio's logarithm, before its length says
anything."""

_FORMS = ((25, "one short sentence"), (50, "two short sentences"), (120, "one short paragraph"))
"""A length in words, and what a text of at most so many is called: small models count no words."""


@dataclass(frozen=True)
class _Told:
    """What a change of one attribute says.

    Attributes:
        attribute: Its name in `ipse.rewards.ATTRIBUTES`.
        least: The smallest change that says anything.
        more: What more of it says.
        less: What less of it says.
        counts: Whether it is words of a hundred; one word more or less says nothing then.
        words: How many words both texts must have: a share of few words is chance.
        shows: From which level on `more` is said of what was left as it was, too.
    """

    attribute: str
    least: float
    more: str
    less: str
    counts: bool = False
    words: int = 0
    shows: float = math.inf


_CHANGES = (
    _Told("hedging", 2.0, "say perhaps and maybe", "be direct, without perhaps or maybe",
          counts=True),
    _Told("address", 3.0, "speak to the reader as you", "do not speak to the reader", counts=True),
    _Told("enthusiasm", 4.0, "use exclamation marks", "stay sober, without exclamation marks",
          counts=True, shows=8.0),
    _Told("formality", 12.0, "write formally", "write casually", words=8),
    _Told("readability", 25.0, "use simple words", "use longer words and sentences", words=8),
    _Told("structure", 0.5, "use bullet points", "do not use bullet points", shows=0.5),
)  # fmt: skip


def told(prompt: str, draft: str, edited: str) -> str:
    """Say what preference an edit shows.

    Args:
        prompt: What both texts answer.
        draft: The text that was edited.
        edited: What it was made into.

    Returns:
        A phrase of parts joined by semicolons; "" where nothing that is counted changed enough.
    """
    names = [change.attribute for change in _CHANGES]
    before, after = measure(names, [prompt] * 2, [draft, edited])
    old_words, new_words = len(words(draft)), len(words(edited))
    found = []
    for change, old, new in zip(_CHANGES, before.tolist(), after.tolist(), strict=True):
        least = change.least
        if change.counts:
            least = max(least, 200 / max(10, old_words, new_words))
        changed = abs(new - old) >= least and min(old_words, new_words) >= change.words
        if changed or new >= change.shows:
            found.append(change.less if changed and new < old else change.more)
    return joined([*found, *_length(old_words, new_words)])


def parts(phrase: str) -> list[str]:
    """Take a phrase apart where semicolons part it."""
    return [part.strip() for part in phrase.split(_BETWEEN.strip()) if part.strip()]


def joined(found: Sequence[str]) -> str:
    """Join parts, each once, to one phrase."""
    return _BETWEEN.join(dict.fromkeys(found))


def voted(phrases: Sequence[str], weights: Sequence[float]) -> str:
    """Aggregate phrases: the parts that at least half of the weight is behind.

    Args:
        phrases: The phrases; an empty one votes for nothing.
        weights: How much each counts, at least 0.

    Returns:
        One phrase; that of the greatest weight where no part has so much behind it.
    """
    behind: dict[str, float] = defaultdict(float)
    for phrase, weight in zip(phrases, weights, strict=True):
        for part in dict.fromkeys(parts(phrase)):
            behind[part] += weight
    half = sum(weights) / 2
    kept = [part for part, weight in behind.items() if weight >= half]
    said = [(weight, -n) for n, (weight, p) in enumerate(zip(weights, phrases, strict=True)) if p]
    return joined(kept) if kept or not said else phrases[-max(said)[1]]


def sentences(phrases: Sequence[str]) -> str:
    """Write phrases as sentences, each once: what was a part of one is a sentence."""
    every = dict.fromkeys(part for phrase in phrases for part in parts(phrase))
    return " ".join(
        f"{part[:1].upper()}{part[1:]}{'' if part[-1] in '.!?…' else '.'}" for part in every
    )


def _length(before: int, after: int) -> list[str]:
    """Say which length is preferred; one that was left as it was, too, where it is very short."""
    change = math.log((after + 1) / (before + 1))
    shortest = _FORMS[0][0]
    if abs(change) < _CHANGED and after > shortest:
        return []
    form = next((name for most, name in _FORMS if after <= most), "several paragraphs")
    return [f"answer in {form}"]
