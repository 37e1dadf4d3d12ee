"""What a question asks of what is known of a person: the survey's three kinds (2502.11528).

    extraction      a fact about them         When did I last see the dentist?
    abstraction     them, summed up           What kind of person am I?
    generalization  what they would do next   Write the reply I would write.

Told without a language model: each cue that is found adds points to a kind. Where the cues leave it
open, the embedder says which kind's examples the question is nearest to. English only; a question
in which nothing is found is taken as generalization, which every method can answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ipse.text import one_line

__all__ = ["EXAMPLES", "KINDS", "Query", "QueryKind", "classify", "points", "unsure"]

QueryKind = Literal["extraction", "abstraction", "generalization"]
"""What a question asks of what is known."""

KINDS: tuple[QueryKind, ...] = get_args(QueryKind)

_MARGIN = 1.0
"""Points that a kind must be ahead by for the cues alone to say which."""

_SHORT = 60
"""Words; a longer question, as one in paragraphs, is looked at where it begins and ends only."""

_LONGEST = 300
"""Characters of a sentence that are looked at."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")

EXAMPLES: dict[QueryKind, tuple[str, ...]] = {
    "extraction": (
        "What is my sister's name?",
        "When did I last go to the dentist?",
        "Which hotel did we book for Lisbon?",
        "Remind me what I ordered at the Thai place.",
        "Is my car blue or green?",
        "How much did I pay for the bike?",
    ),
    "abstraction": (
        "What kind of person am I?",
        "Summarize what you know about me.",
        "How would you describe my writing style?",
        "What patterns do you see in my ratings?",
        "What do I tend to complain about?",
        "What is my attitude towards risk?",
    ),
    "generalization": (
        "Write a reply to this email as I would.",
        "Generate a headline for the following article.",
        "Which argument about plastic bottles is better? Say why.",
        "Suggest a film for tonight.",
        "What would I say to someone who wants to ban homework?",
        "Come up with a title for my abstract.",
    ),
}
"""Questions of each kind, which others are compared with by their embeddings."""


@dataclass(frozen=True)
class Query:
    """What a question was taken for.

    Attributes:
        kind: Its kind.
        why: What said so.
    """

    kind: QueryKind
    why: str


def points(question: str) -> dict[QueryKind, float]:
    """Give each kind its points: those of every cue found in a question."""
    text = _asked(question)
    found = dict.fromkeys(KINDS, 0.0)
    for kind, weight, pattern in _cues():
        if pattern.search(text):
            found[kind] += weight
    if _brings_material(question):  # something is to be made of it
        found["generalization"] += 3
    return found


@cache
def _cues() -> tuple[tuple[QueryKind, float, re.Pattern[str]], ...]:
    """Read the cues: a kind, its points, and what is looked for."""
    lists: dict[str, str] = {}
    cues: list[tuple[QueryKind, float, re.Pattern[str]]] = []
    for line in (files("ipse") / "data" / "queries" / "cues.txt").read_text("utf-8").splitlines():
        name, _, rest = line.partition(" ")
        if name in KINDS:
            weight, _, pattern = rest.partition(" ")
            for word, listed in lists.items():
                pattern = pattern.replace(word, listed)
            cues.append((name, float(weight), re.compile(pattern, re.MULTILINE)))
        elif name.isupper():
            lists[name] = rest
    return tuple(cues)


def _brings_material(question: str) -> bool:
    """Whether a request comes with a text: it is long, or has paragraphs."""
    return question.strip().count("\n\n") > 1 or len(question.split()) > _SHORT


def _asked(question: str) -> str:
    """Give what is asked, a sentence a line: of a long text, how it begins and how it ends."""
    text = question.lower().replace("\u2019", "'").strip()
    lines = [one_line(line) for line in _SENTENCE.split(text) if line.strip()]
    if _brings_material(question):
        lines = [lines[0], lines[-1]]
    return "\n".join(line[:_LONGEST] for line in lines)


def unsure(question: str) -> bool:
    """Say whether the cues leave it open which kind a question is of."""
    first, second, *_ = sorted(points(question).values(), reverse=True)
    return first - second < _MARGIN


def classify(
    question: str,
    vector: NDArray[np.float32] | None = None,
    examples: NDArray[np.float32] | None = None,
) -> Query:
    """Say which kind a question is of.

    Args:
        question: The question.
        vector: Its embedding, (width,), where the cues leave it open and there is an embedder.
        examples: The embeddings of `EXAMPLES`, (kinds, each, width).

    Returns:
        The kind and why.
    """
    found = points(question)
    if vector is not None and examples is not None and unsure(question):
        # Three examples a kind, the nearest: a kind is not one cloud.
        nearest = np.sort(examples @ vector, axis=1)[:, -3:].mean(axis=1)  # (kinds,)
        return Query(KINDS[int(nearest.argmax())], "it is nearest to examples of that kind")
    best = max(found.values())
    if best == 0:
        return Query("generalization", "nothing in it says otherwise")
    # Of equals, what asks for more: a summary holds facts, and a text may need either.
    kind = max(reversed(KINDS), key=lambda each: found[each])
    return Query(kind, f"its wording has {found[kind]:g} points for it, of {sum(found.values()):g}")
