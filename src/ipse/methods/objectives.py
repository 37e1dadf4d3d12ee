"""Objectives: what answers are better by, and who wants what.

An objective is an attribute of a text and whether more of it is wanted: `formality`, `-length`.
This file knows no model and no method; `ranking.py` lets a model learn objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.errors import UsageError, unknown
from ipse.methods.examples import records_of
from ipse.methods.pairs import answers, numbers
from ipse.plan import Adapter
from ipse.preferences import pairs
from ipse.records import User
from ipse.rewards import ATTRIBUTES, measure

__all__ = ["Scale", "adapters", "names", "nearest", "vectors", "wanted"]

_SHARP = 2.0
"""What a person's wants are multiplied by before they become weights: half a standard deviation of
what the model writes makes an objective weigh `e` times as much."""

_LEAST = 1e-5
"""Texts that differ by no more, in an attribute's own measure, are alike."""


@dataclass(frozen=True, eq=False)
class Scale:
    """What makes rewards of different attributes comparable.

    Attributes:
        objectives: What they are rewards of, such as `-length`.
        mean: Of what the model writes, (objectives,), before signs.
        std: Likewise, above 0.
        wrote: The mean reward of what people wrote themselves, (objectives,), as `rewards` has it.
    """

    objectives: tuple[str, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    wrote: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        objectives: Sequence[str],
        prompts: Sequence[str],
        texts: Sequence[str],
        asked: Sequence[str],
        wrote: Sequence[str],
    ) -> Scale:
        """Give the scale by what the model writes to prompts, and what people wrote when asked."""
        some = (prompts, texts) if texts else (asked, wrote)
        values = _measured(objectives, *some)  # (texts, objectives)
        std = values.std(axis=0)
        mean, std = values.mean(axis=0), np.where(std > _LEAST, std, 1.0)
        bare = cls(tuple(objectives), mean, std, np.zeros(len(objectives)))
        return replace(bare, wrote=bare.rewards(asked, wrote).mean(axis=0))

    def rewards(self, prompts: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
        """Give rewards, (texts, objectives): standard deviations over the model's mean, signed."""
        found = (_measured(self.objectives, prompts, texts) - self.mean) / self.std
        return found * [-1.0 if name.startswith("-") else 1.0 for name in self.objectives]

    def to_facts(self) -> dict[str, Any]:
        """Give the scale as JSON-able data; `of_facts` reads it."""
        numbers = {"mean": self.mean, "std": self.std, "wrote": self.wrote}
        return {
            "objectives": [*self.objectives],
            **{name: [round(float(v), 6) for v in values] for name, values in numbers.items()},
        }

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Scale:
        """Read what `to_facts` gave."""
        numbers = (np.array(facts[name], np.float64) for name in ("mean", "std", "wrote"))
        return cls(tuple(facts["objectives"]), *numbers)


def names(text: str) -> tuple[str, ...]:
    """Read objectives.

    Args:
        text: Attributes parted by blanks, each with a minus in front where less of it is better,
            such as `-length formality`.

    Returns:
        The objectives.

    Raises:
        Unknown: If there is no such attribute.
        UsageError: If there is none, or one twice.
    """
    found = tuple(text.split())
    for name in found:
        if name.removeprefix("-") not in ATTRIBUTES:
            raise unknown("attribute", name.removeprefix("-"), ATTRIBUTES)
    if not found or len({name.removeprefix("-") for name in found}) < len(found):
        raise UsageError(
            f"objectives are different attributes, such as '-length formality'; got {text!r}"
        )
    return found


def wanted(
    user: User, scale: Scale, weights: str, given: int, count: int = 100
) -> tuple[list[float], tuple[str, ...]] | None:
    """Say what a person wants: a weight an objective, at least 0, together 1.

    Measured: by how much more of each reward what they preferred has than what it was preferred to,
    on average; without preferences, by how much more what they wrote has than what others did.

    Args:
        user: The person.
        scale: Of the rewards.
        weights: The weights, parted by blanks; "" measures them.
        given: The most words of a prompt.
        count: How many preferences or answers are looked at: the latest.

    Returns:
        The weights, and the ids of the records they were measured from; None where there are none.

    Raises:
        UsageError: If not each objective has a weight of at least 0, or all are 0.
    """
    if weights.strip():
        return _weights(weights, scale.objectives), ()
    told, own = pairs(user)[-count:], answers(user, count, given)
    if told:
        prompts = [pair.prompt for pair in told]
        apart = scale.rewards(prompts, [pair.chosen for pair in told])
        apart = apart - scale.rewards(prompts, [pair.rejected for pair in told])
        lineage = tuple(dict.fromkeys(name for pair in told for name in pair.records))
    elif own:
        prompts = [answer.plan.main.question for answer in own]
        apart = scale.rewards(prompts, [answer.text for answer in own]) - scale.wrote
        lineage = records_of(own)
    else:
        return None
    shares = np.exp(_SHARP * (mean := apart.mean(axis=0)) - _SHARP * mean.max())
    return [round(float(w), 4) for w in shares / shares.sum()], lineage


def vectors(text: str, objectives: Sequence[str]) -> list[list[float]]:
    """Read vectors of weights, each of which something of its own is learned for.

    Args:
        text: Vectors parted by semicolons, weights by blanks, such as `1 0;0.5 0.5;0 1`; "" is five
            even steps for two objectives, and for others each alone, and all alike.
        objectives: What they are weights of.

    Returns:
        The vectors; each sums to 1.
    """
    count = len(objectives)
    if text.strip():
        parts = text.split(";")
    elif count == 2:
        parts = [f"{step / 4} {1 - step / 4}" for step in range(5)]
    else:
        parts = [
            " ".join(map(str, row)) for row in (*np.eye(count), *np.ones((int(count > 1), count)))
        ]
    return [_weights(part, objectives) for part in parts if part.strip()]


def nearest(weights: Sequence[float], among: Sequence[Sequence[float]]) -> int:
    """Give the place of the vector that is nearest to some weights."""
    apart = np.square(np.array(among) - np.array(weights)).sum(axis=1)
    return int(apart.argmin())


def adapters(artifact: str, objectives: Sequence[str], weights: Sequence[float]) -> list[Adapter]:
    """Give each objective's adapter with its weight; those of weight 0 are left out."""
    both = zip(objectives, weights, strict=True)
    return [Adapter(f"{artifact}/{name}", weight) for name, weight in both if weight]


def _weights(text: str, objectives: Sequence[str]) -> list[float]:
    """Read a weight an objective, parted by blanks; they come to sum to 1."""
    found = np.array(numbers(text, float))
    if len(found) != len(objectives) or not (found >= 0).all() or not found.sum() > 0:
        raise UsageError(
            f"each of {' '.join(objectives)} needs a weight of at least 0, and one above it, such "
            f"as '{' '.join('1' * len(objectives))}'; got {text!r}"
        )
    return [float(weight) for weight in found / found.sum()]


def _measured(
    objectives: Sequence[str], prompts: Sequence[str], texts: Sequence[str]
) -> NDArray[np.float64]:
    return measure([name.removeprefix("-") for name in objectives], prompts, texts)
