"""Attributes of a text that are counted, not judged: length, readability, formality and others.

English is what the word lists are of; `length` and `structure` hold for any language. This file
knows no person, no model and no preference: whether more of an attribute is better is the person's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ipse.errors import UsageError, unknown
from ipse.text import words

__all__ = ["ATTRIBUTES", "Attribute", "measure"]

Attribute: TypeAlias = Callable[[str, str], float]
"""Gives a number for a prompt and a text that answers it; higher is more of the attribute."""

_SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f]+(?:\s|$)|\n+")
_VOWELS = re.compile(r"[aeiouy]+")
_ITEM = re.compile(r"^\s*(?:[-*\u2022]|\d+[.)]|#+)\s+\S", re.MULTILINE)
_CONTRACTED = re.compile(r"(?:n['\u2019]t|['\u2019](?:m|re|ve|ll|d|s))$")


def _bag(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEDGES = _bag(
    "about almost apparently appear appears approximately arguably believe could fairly generally "
    "guess kind likely likelihood mainly may maybe might mostly normally often partly perhaps "
    "possible possibly potentially presumably probable probably quite rather relatively roughly "
    "seem seemed seems should somewhat sometimes sort suggest suggests suppose supposedly tend "
    "tends think typically uncertain unlikely unsure usually would"
)
_ADDRESSED = _bag("you your yours yourself yourselves u ur you're you've you'll you'd")
_SELF = _bag("i me my mine myself i'm i've i'll i'd we us our ours ourselves")
_OTHERS = _bag(
    "he she they him her them his hers their theirs it this that these those who which what"
)
_CASUAL = _bag(
    "awesome bro cool cuz dude gonna gotta guess guys haha hey hi kinda kid kids lol lot lots nah "
    "ok okay omg oh pretty really stuff super sorta thing things totally wanna wow yay yeah yep yup"
    ""
)
_NOMINAL = _bag(
    "a an the of in on at by for with from to into upon within under over between among through "
    "during against regarding concerning according per via as than"
)
_LIVELY = _bag(
    "absolutely amazing awesome best brilliant excellent exciting extremely fantastic great "
    "happy hate incredible incredibly love loved lovely perfect really so super terrible "
    "terrific totally truly very wonderful wow yay"
)


def measure(
    names: Sequence[str], prompts: Sequence[str], texts: Sequence[str]
) -> NDArray[np.float64]:
    """Measure attributes of texts.

    Args:
        names: Some of `ATTRIBUTES`.
        prompts: What each text answers; as many as there are texts.
        texts: The texts.

    Returns:
        Finite numbers, (texts, names).

    Raises:
        Unknown: If there is no such attribute.
        UsageError: If there are more prompts than texts, or fewer.
    """
    for name in names:
        if name not in ATTRIBUTES:
            raise unknown("attribute", name, ATTRIBUTES)
    if len(prompts) != len(texts):
        raise UsageError(f"each text needs a prompt: {len(texts)} texts, {len(prompts)} prompts")
    found = [
        [ATTRIBUTES[name](prompt, text) for name in names]
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    return np.array(found, np.float64).reshape(len(texts), len(names))


def _length(prompt: str, text: str) -> float:
    """Give the natural log of one more than the words."""
    del prompt
    return math.log1p(len(words(text)))


def _readability(prompt: str, text: str) -> float:
    """Give Flesch's reading ease (1948): 206.835 - 1.015 words/sentence - 84.6 syllables/word."""
    del prompt
    found = words(text)
    if not found:
        return 0.0
    sentences = max(1, sum(bool(words(part)) for part in _SENTENCE.split(text)))
    syllables = sum(map(_syllables, found))
    return 206.835 - 1.015 * len(found) / sentences - 84.6 * syllables / len(found)


def _formality(prompt: str, text: str) -> float:
    """Give how formal a text is by closed classes of words, -100 to 100 and the words' length.

    After the F-score of Heylighen and Dewaele (1999): articles and prepositions count for it,
    pronouns and interjections against it, so do contractions; as nouns and verbs need a tagger, the
    mean length of the words stands for them.
    """
    del prompt
    found = words(text)
    if not found:
        return 0.0
    against = sum(
        word in _SELF or word in _ADDRESSED or word in _OTHERS or word in _CASUAL for word in found
    ) + sum(bool(_CONTRACTED.search(word)) for word in found)
    shouts = text.count("!")
    longest = sum(min(len(word), 15) for word in found) / len(found)
    return _percent(_count(found, _NOMINAL) - against - shouts, len(found)) + 10 * longest


def _hedging(prompt: str, text: str) -> float:
    """Give how many of a hundred words leave room for doubt."""
    del prompt
    found = words(text)
    return _percent(_count(found, _HEDGES), len(found))


def _enthusiasm(prompt: str, text: str) -> float:
    """Give how many of a hundred words are lively; an exclamation mark counts as one."""
    del prompt
    found = words(text)
    return _percent(_count(found, _LIVELY) + text.count("!"), len(found))


def _address(prompt: str, text: str) -> float:
    """Give how many of a hundred words speak to the reader."""
    del prompt
    found = words(text)
    return _percent(_count(found, _ADDRESSED), len(found))


def _structure(prompt: str, text: str) -> float:
    """Give the share of lines that are items of a list or headings, 0 to 1."""
    del prompt
    lines = sum(bool(line.strip()) for line in text.splitlines())
    return len(_ITEM.findall(text)) / max(1, lines)


def _echo(prompt: str, text: str) -> float:
    """Give the share of a text's words that the prompt has, 0 to 1: how close it keeps to it."""
    found = words(text)
    return _count(found, frozenset(words(prompt))) / max(1, len(found))


ATTRIBUTES: dict[str, Attribute] = {
    "address": _address,
    "echo": _echo,
    "enthusiasm": _enthusiasm,
    "formality": _formality,
    "hedging": _hedging,
    "length": _length,
    "readability": _readability,
    "structure": _structure,
}
"""Every attribute there is, by name."""


def _count(found: Sequence[str], among: Collection[str]) -> int:
    return sum(word in among for word in found)


def _percent(count: float, of: int) -> float:
    """Give a share in percent; a short text has too few words for shares that tell much."""
    return 100 * count / max(10, of)


def _syllables(word: str) -> int:
    """Count groups of vowels; a silent e at the end is none."""
    plain = word[:-1] if word.endswith("e") and not word.endswith(("le", "ee")) else word
    return max(1, len(_VOWELS.findall(plain)))
