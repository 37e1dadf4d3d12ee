"""Preferences as short phrases, found by counting: what an edit changed, without a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ipse.rewards import measure
from ipse.text import words

__all__ = ["joined", "parts", "told", "voted"]

_BETWEEN = "; "
_LENGTHS = (5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300)
_CHANGED = math.log(1.25)
"""How much longer or shorter an edit must be, as a ratio's logarithm, before its length says
anything."""


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
    """

    attribute: str
    least: float
    more: str
    less: str
    counts: bool = False
    words: int = 0


_CHANGES = (
    _Told("structure", 0.5, "use bullet points", "no bullet points"),
    _Told("hedging", 2.0, "be cautious: say maybe and perhaps", "no hedging: say things plainly",
          counts=True),
    _Told("address", 3.0, "speak to the reader as you", "do not speak to the reader", counts=True),
    _Told("enthusiasm", 4.0, "lively, with exclamation marks", "sober, without enthusiasm",
          counts=True),
    _Told("formality", 12.0, "formal words", "casual words", words=8),
    _Told("readability", 25.0, "simple words and short sentences", "longer sentences", words=8),
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
    found = _length(old_words, new_words)
    for change, old, new in zip(_CHANGES, before.tolist(), after.tolist(), strict=True):
        least = change.least
        if change.counts:
            least = max(least, 200 / max(10, old_words, new_words))
        if abs(new - old) >= least and min(old_words, new_words) >= change.words:
            found.append(change.more if new > old else change.less)
    return joined(found)


def parts(phrase: str) -> list[str]:
    """Take a phrase apart where semicolons part it."""
    return [part.strip() for part in phrase.split(_BETWEEN.strip()) if part.strip()]


def joined(found: Sequence[str]) -> str:
    """Join parts, each once, to one phrase."""
    return _BETWEEN.join(dict.fromkeys(found))


def voted(phrases: Sequence[str], weights: Sequence[float]) -> str:
    """Aggregate phrases: the parts that at least half of the weight is behind, heaviest first.

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
    best = sorted(behind, key=lambda part: -behind[part])  # stable: of equals the first said
    kept = [part for part in best if behind[part] >= half]
    said = [(weight, -n) for n, (weight, p) in enumerate(zip(weights, phrases, strict=True)) if p]
    return joined(kept) if kept or not said else phrases[-max(said)[1]]


def _length(before: int, after: int) -> list[str]:
    """Say which length is preferred, in words that a model can follow."""
    change = math.log((after + 1) / (before + 1))
    if abs(change) < _CHANGED:
        return []
    nearest = min(_LENGTHS, key=lambda count: abs(math.log(count / max(1, after))))
    return ["short" if change < 0 else "detailed", f"about {nearest} words"]
