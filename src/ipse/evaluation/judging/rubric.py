"""What a rubric is: questions to a judge about one answer, and scores made of what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ipse.errors import InvalidFile
from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import Verdict
from ipse.methods.base import Steps

__all__ = ["Judged", "Level", "Rubric"]

Level = Literal["nominal", "ordinal", "interval"]
"""How far apart two verdicts are: the same or not, by rank, or by their difference."""


@dataclass(frozen=True)
class Judged:
    """One answer as one judge sees it.

    Attributes:
        verdicts: All that the judge was asked.
        scores: What follows from it; empty where something could not be read.
    """

    verdicts: tuple[Verdict[Any], ...]
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rubric:
    """One way to judge.

    Attributes:
        name: The registry key.
        score: The headline among its scores; higher is better.
        levels: The questions judges are compared on, each with the distance of its verdicts; the
            headline itself where judges are asked different things.
        judge: The steps from an answer to its judgement; they yield plans and are sent replies.
        target: Whether it needs a gold answer.
        meta: What an item must say besides.
        generic: Whether it needs the generic model's answer to the same item.
        applies: Which answers it judges; others are left out.
    """

    name: str
    score: str
    levels: Mapping[str, Level]
    judge: Callable[[Answer], Steps[Judged]]
    target: bool = False
    meta: tuple[str, ...] = ()
    generic: bool = False
    applies: Callable[[Answer], bool] = lambda _: True

    def check(self, answer: Answer) -> None:
        """Refuse an answer that lacks what the rubric needs.

        Args:
            answer: An answer that it applies to.

        Raises:
            InvalidFile: If something is missing; the message says what.
        """
        lacking = [f"meta[{name!r}]" for name in self.meta if not answer.meta.get(name)]
        if self.target and not answer.target:
            lacking.append("a target")
        if self.generic and answer.generic is None:
            lacking.append("the generic model's answer")
        if lacking:
            raise InvalidFile(
                f"the rubric {self.name!r} needs {' and '.join(lacking)}, which the item "
                f"{answer.item!r} of {answer.task!r} does not have. Choose another with --rubric"
            )

    def digest(self, answer: Answer) -> str:
        """Give a short hash of all that a judge is told: another text, another hash."""
        told = [answer.question, answer.output, answer.target, answer.group, dict(answer.meta)]
        blob = json.dumps([*told, answer.generic if self.generic else None], sort_keys=True)
        return hashlib.sha256(blob.encode()).hexdigest()[:12]
