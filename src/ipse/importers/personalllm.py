"""PersonalLLM, answers scored by ten reward models (arXiv 2409.20296): prompts of one file.

    {"prompt": "…", "response_1": "…", …, "response_8": "…", "response_1_gemma_2b": 0.41, …}

NOBODY IN IT IS A PERSON. Each is made up: a weighting w of the reward models, from a Dirichlet
distribution, goes by sum_j w_j r_j, where every model's scores r_j are standardized over the file.
What such a one likes best is preferred to what they like least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.errors import InvalidFile, UsageError
from ipse.importers.base import Problem, made, nth
from ipse.importers.rows import Place, Rows, need, need_text
from ipse.records import USES, Record

__all__ = ["ANSWERS", "Prompts", "Taste", "preferred", "read", "read_prompts", "taste", "texts"]

ANSWERS = 8
"""How many answers there are to every prompt."""

_FIRST = "response_1_"
_LARGEST = 1e100
"""Beyond this, squares of scores would not be finite."""


@dataclass(frozen=True)
class Prompts:
    """One file: where its prompts are, and every reward model's score of every answer."""

    rows: Rows
    places: tuple[Place, ...]
    models: tuple[str, ...]
    scores: NDArray[np.float64]  # (prompts, answers, models)


@dataclass(frozen=True)
class Taste:
    """What a simulated person goes by: a weight for each reward model, standardized."""

    mean: NDArray[np.float64]  # (models,)
    weights: NDArray[np.float64]  # (models,)

    def rewards(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reward one prompt's answers: (answers, models) to (answers,)."""
        return (scores - self.mean) @ self.weights


def read(
    path: Path, *, people: int = 20, past: int = 10, alpha: float = 0.05, seed: int = 0
) -> Iterator[Record | Problem]:
    """Make up people, and give what they would prefer.

    Args:
        path: The file, plain or gzip.
        people: How many.
        past: How many prompts each has an opinion of.
        alpha: Of the Dirichlet distribution: near 0 each follows one reward model.
        seed: Another gives other people.

    Yields:
        Records.

    Raises:
        UsageError: If a number is not what it should be.
    """
    if min(people, past) < 1 or seed < 0:
        got = f"{people}, {past} and {seed}"
        raise UsageError(f"people and past are at least 1, and a seed at least 0; got {got}")
    with Rows.opened(path) as rows:
        prompts = read_prompts(rows)
        for number in range(people):
            chance = np.random.default_rng([seed, 0, number])
            own = taste(chance, prompts, alpha)
            for fields in preferred(f"simulated-{number}", own, chance, prompts, past):
                yield made(path, 0, fields)


def read_prompts(rows: Rows) -> Prompts:
    """Read all scores, and where the texts are, or raise `InvalidFile`."""
    places: list[Place] = []
    scores: list[list[list[float]]] = []
    models: tuple[str, ...] = ()
    for place, row in rows.scan():
        if not places:
            scored = (name for name, value in row.items() if _number(value))
            models = tuple(sorted(n.removeprefix(_FIRST) for n in scored if n.startswith(_FIRST)))
        places.append(place)
        scores.append(_scores(rows.where(place), row, models))
    if not models:
        raise InvalidFile(f"{rows.path} has no row with scores such as '{_FIRST}gemma_2b'")
    return Prompts(rows, tuple(places), models, np.array(scores))


def taste(chance: np.random.Generator, prompts: Prompts, alpha: float) -> Taste:
    """Draw what a simulated person goes by.

    Args:
        chance: Where it is drawn from.
        prompts: What scores are standardized over.
        alpha: Of the Dirichlet distribution.

    Returns:
        The taste.

    Raises:
        UsageError: If alpha is not above 0.
    """
    if not alpha > 0:
        raise UsageError(f"alpha of 'personalllm' must be above 0; got {alpha}")
    wide = prompts.scores.std(axis=(0, 1))
    weights = chance.dirichlet([alpha] * len(prompts.models))
    return Taste(prompts.scores.mean(axis=(0, 1)), weights / np.where(wide > 0, wide, 1))


def preferred(
    user: str, own: Taste, chance: np.random.Generator, prompts: Prompts, past: int
) -> Iterator[dict[str, Any]]:
    """Give the fields of a simulated person's records: the best answer over the worst.

    Args:
        user: Who it is.
        own: What they go by.
        chance: Which prompts they have an opinion of.
        prompts: Those there are.
        past: How many of them.

    Yields:
        Fields of a record each; none where all answers are the same.
    """
    for number, place in enumerate(chance.permutation(len(prompts.places))[:past]):
        prompt, answers = texts(prompts, place)
        rewards = own.rewards(prompts.scores[place])
        best, worst = answers[rewards.argmax()], answers[rewards.argmin()]
        if best != worst:
            yield {
                "user": user,
                "kind": "preference",
                "input": prompt,
                "output": best,
                "rejected": worst,
                "time": nth(number),
                "source": "personalllm",
                "uses": frozenset(USES),
            }


def texts(prompts: Prompts, place: int) -> tuple[str, list[str]]:
    """Give a prompt and its answers, or raise `InvalidFile`."""
    at = prompts.places[place]
    where, row = prompts.rows.where(at), prompts.rows.at(at)
    answers = [need_text(where, row, f"response_{n}") for n in range(1, ANSWERS + 1)]
    return need_text(where, row, "prompt"), answers


def _scores(where: str, row: Mapping[str, Any], models: Sequence[str]) -> list[list[float]]:
    names = [[f"response_{n}_{model}" for model in models] for n in range(1, ANSWERS + 1)]
    for name in chain(*names):
        if not _number(need(where, row, name, object)):
            raise InvalidFile(f"{where}: {name!r} must be a number; got {row[name]!r}")
    return [[float(row[name]) for name in answer] for answer in names]


def _number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return isfinite(value) and abs(value) < _LARGEST
