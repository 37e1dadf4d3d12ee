"""Simulated people: each a mixture of rewards, who choose among answers (PersonalLLM, 2409.20296).

A person's weights are drawn from a Dirichlet distribution, and the reward of an answer to them is
`R_u(x, y) = sum_j w_uj r_j(x, y)`, with every reward `r_j` standardized over all answers there are.
NOBODY HERE IS A PERSON: what is found of them says how well a method finds such a weighting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ipse.construct.base import constructed, owner
from ipse.errors import UsageError
from ipse.records import DEFAULT_USES, Record, Use

__all__ = ["Reward", "Rule", "Simulated", "choices", "simulated", "standardized"]

Reward = Callable[[str, str], float]
"""A prompt and an answer to a number: higher is more of it."""

Rule = Literal["ends", "drawn"]
"""Which two answers are compared: the best and the worst, as published, or two drawn by chance."""


@dataclass(frozen=True)
class Simulated:
    """A person who is none: weights of rewards.

    Attributes:
        number: Which one of those drawn with the seed.
        rewards: The rewards' names.
        weights: One each, at least 0; together 1.
        alpha: Of the Dirichlet distribution they were drawn from.
        seed: What they were drawn with.
    """

    number: int
    rewards: tuple[str, ...]
    weights: tuple[float, ...]
    alpha: float
    seed: int

    @property
    def id(self) -> str:
        """The id of this person's records."""
        return owner("simulated", self.number)

    def values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give what answers are worth to this person.

        Args:
            scores: Standardized rewards, (..., rewards).

        Returns:
            One number an answer, (...,).
        """
        return np.asarray(scores @ np.array(self.weights))


def simulated(
    count: int, rewards: Sequence[str], alpha: float = 0.05, seed: int = 0
) -> list[Simulated]:
    """Draw people; those drawn first stay the same, however many follow.

    Args:
        count: How many.
        rewards: The names of the rewards they weigh.
        alpha: Near 0 a person follows one reward, at 1 any mixture is as likely, far above 1 all
            are alike.
        seed: The same gives the same people.

    Returns:
        The people.

    Raises:
        UsageError: If there is nothing to weigh, a name comes twice, or alpha is not above 0.
    """
    if not rewards or len(set(rewards)) < len(rewards):
        raise UsageError(f"people weigh rewards of different names; got {', '.join(rewards)!r}")
    if not 0 < alpha < np.inf:
        raise UsageError(f"alpha must be above 0; got {alpha}")
    people = []
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        weights = draw.dirichlet([alpha] * len(rewards)).tolist()
        people.append(Simulated(number, tuple(rewards), tuple(weights), alpha, seed))
    return people


def standardized(
    rewards: Mapping[str, Reward], prompts: Sequence[str], answers: Sequence[Sequence[str]]
) -> list[NDArray[np.float64]]:
    """Reward all answers, each reward with mean 0 and deviation 1 over all of them.

    Args:
        rewards: The rewards by name.
        prompts: The prompts.
        answers: The answers to each.

    Returns:
        Scores of (answers, rewards), prompt by prompt; of a reward that is the same everywhere, 0.
    """
    raw = [
        np.array([[reward(prompt, text) for reward in rewards.values()] for text in texts])
        for prompt, texts in zip(prompts, answers, strict=True)
    ]
    every = np.concatenate(raw)  # (all answers, rewards)
    wide = every.std(axis=0)
    return [(each - every.mean(axis=0)) / np.where(wide > 1e-12, wide, 1) for each in raw]


def choices(
    person: Simulated,
    prompts: Sequence[str],
    answers: Sequence[Sequence[str]],
    scores: Sequence[NDArray[np.float64]],
    *,
    rule: Rule = "ends",
    temperature: float = 0.0,
    uses: Collection[Use] = DEFAULT_USES,
) -> list[Record]:
    """Let a person choose between two answers to every prompt.

    Args:
        person: The person.
        prompts: The prompts.
        answers: At least two answers to each.
        scores: What `standardized` gave of these.
        rule: Which two are compared.
        temperature: With 0 the better one is chosen; above, with the probability
            `sigmoid((R(a) - R(b)) / temperature)` (Bradley and Terry).
        uses: What the records may be used for.

    Returns:
        Records of kind `preference`; none where two answers read or are worth the same.
    """
    how = {"alpha": f"{person.alpha:g}", "seed": person.seed, "rule": rule}
    if temperature:
        how["temperature"] = f"{temperature:g}"
    weights = dict(zip(person.rewards, (round(w, 6) for w in person.weights), strict=True))
    records = []
    for number, (prompt, texts) in enumerate(zip(prompts, answers, strict=True)):
        values = person.values(scores[number])  # (answers,)
        draw = np.random.default_rng([person.seed, person.number, 1, number])
        best, worst = _two(values, rule, draw)
        gap = float(values[best] - values[worst])
        if gap == 0 or texts[best] == texts[worst]:
            continue
        if temperature and draw.random() * (1 + np.exp(-gap / temperature)) > 1:
            best, worst = worst, best
        records.append(
            constructed(
                "preference",
                "simulated",
                person.number,
                number,
                how=how,
                prompt=prompt,
                output=texts[best],
                rejected=texts[worst],
                meta={"how": "choice", "weights": weights},
                uses=uses,
            )
        )
    return records


def _two(values: NDArray[np.float64], rule: Rule, draw: np.random.Generator) -> tuple[int, int]:
    """Give the places of two answers, the better one first."""
    if rule == "ends":
        return int(values.argmax()), int(values.argmin())
    one, other = draw.permutation(len(values))[:2].tolist()
    return (one, other) if values[one] >= values[other] else (other, one)
