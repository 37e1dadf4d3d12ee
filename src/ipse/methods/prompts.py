"""Prompts tried on what a person said: which there are, and how well each does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Likelihood, Score
from ipse.methods.base import Steps
from ipse.methods.pairs import answers
from ipse.plan import Plan
from ipse.preferences import pairs
from ipse.records import User
from ipse.text import ends, words

__all__ = [
    "INSTRUCTIONS",
    "By",
    "Item",
    "Scores",
    "best_first",
    "items_of",
    "listed",
    "scored",
    "under",
]

By = Literal["own", "choice"]
"""What scores a prompt: how likely it makes own answers, or the share of choices it agrees with."""

Scores: TypeAlias = NDArray[np.float64]

INSTRUCTIONS = (
    "Answer in one short sentence.", "Answer in two or three sentences.", "Answer in detail.",
    "Give one reason only.", "Give several reasons.", "Give an example.",
    "Write in the first person and say what you think.", "Speak to the reader as you.",
    "Write plainly, in everyday words.", "Write formally, in complete sentences.",
    "Write casually, as in a chat, without care for grammar.", "Be direct and blunt.",
    "Be cautious: say perhaps and maybe.", "Be sure of yourself: leave no doubt.",
    "Be polite and friendly.", "Be critical: say what is wrong.", "Be ironic.",
    "Write with feeling.", "Stay with the facts, without feeling.",
    "Begin with the conclusion.", "Use bullet points.", "Use long, flowing sentences.",
)  # fmt: skip
"""Proposals that need no model to make them up."""


@dataclass(frozen=True)
class Item:
    """Something the person said, by which prompts are scored.

    Attributes:
        question: What it answers.
        told: What the person wrote or preferred.
        other: What they preferred it to; "" where they wrote it.
        records: The ids of the records that say so.
    """

    question: str
    told: str
    other: str
    records: tuple[str, ...]


def items_of(view: User, by: By, count: int, given: int) -> list[Item]:
    """Give the latest things a person said by which prompts can be scored.

    Args:
        view: The person.
        by: Whether by answers or by choices.
        count: How many.
        given: The most words of a question; both its ends are kept.

    Returns:
        At most `count`, oldest of them first.
    """
    if by == "choice":
        told = pairs(view)
        return [
            Item(ends(pair.prompt, given), pair.chosen, pair.rejected, pair.records)
            for pair in told[max(0, len(told) - count) :]
        ]
    own = answers(view, count, given)
    return [Item(a.plan.main.question, a.text, "", (a.record,)) for a in own]


def scored(prompts: Sequence[str], items: Sequence[Item], by: By) -> Steps[Scores]:
    """Score prompts on items.

    Args:
        prompts: The prompts; "" is none.
        items: What the person said.
        by: What scores.

    Returns:
        Scores of (prompts, items), higher is better: the mean log-probability of a token of the
        person's answer, in nats; or 1 for a choice that is likelier than what was not chosen.
    """
    shape = (len(prompts), len(items))
    plans = tuple(under(prompt, item.question) for prompt in prompts for item in items)
    own = yield from _likely(plans, tuple(item.told for _ in prompts for item in items), shape)
    if by == "own":
        return own
    other = yield from _likely(plans, tuple(item.other for _ in prompts for item in items), shape)
    return np.where(own == other, 0.5, (own > other).astype(float))


def listed(items: Sequence[Item], start: str) -> list[str]:
    """Give the prompts that are tried first where no model thinks of any."""
    length = max(1, round(median(len(words(item.told)) for item in items)))
    return [start, *INSTRUCTIONS, f"Answer in about {length} words."]


def best_first(kept: Mapping[str, Scores]) -> list[str]:
    """Give prompts, best first; of equals the later one."""
    order = {text: place for place, text in enumerate(kept)}
    return sorted(kept, key=lambda text: (-float(kept[text].mean()), -order[text]))


def under(prompt: str, question: str) -> Plan:
    """Give the plan for a question under a prompt; "" is none."""
    plan = Plan.ask(question)
    return plan.with_context(prompt) if prompt else plan


def _likely(
    plans: tuple[Plan, ...], targets: tuple[str, ...], shape: tuple[int, int]
) -> Steps[Scores]:
    if not plans:
        return np.empty(shape)
    found: list[Score] = yield Likelihood(plans, targets)
    return np.array([-score.nats / max(1, score.tokens) for score in found]).reshape(shape)
