"""From verdicts to numbers: means over judges, then over people, with agreement beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any, TypeAlias

from ipse.evaluation.judging.agreement import alpha
from ipse.evaluation.judging.rubrics import find_rubric
from ipse.evaluation.stats import Estimate, estimate

__all__ = ["Opinion", "Summary", "summarize"]

_CELL = ("task", "model", "method", "whose", "rubric")

Line = Mapping[str, Any]

Unit: TypeAlias = tuple[str, ...]
"""What is rated: a person, an item, and what part of the answer; the person comes first."""


@dataclass(frozen=True)
class Opinion:
    """What one judge found.

    Attributes:
        score: Its headline score; None where no answer's could be read.
        unparsable: The share of answers without a score, because a reply could not be read.
        items: How many answers it judged.
    """

    score: Estimate | None
    unparsable: float
    items: int


@dataclass(frozen=True)
class Summary:
    """What judges found of one method.

    Attributes:
        task: The task.
        model: The model that wrote.
        method: The composition.
        whose: Whose records it was given.
        rubric: The rubric.
        scores: Every score, the headline first: the mean over judges, then over people.
        judges: What each judge found.
        alphas: Their agreement on each question; None where it is not defined.
        groups: The headline by the items' group.
        unparsable: The share of answers, each counted once a judge, without a score.
        items: How many answers were judged.
    """

    task: str
    model: str
    method: str
    whose: str
    rubric: str
    scores: Mapping[str, Estimate]
    judges: Mapping[str, Opinion]
    alphas: Mapping[str, float | None]
    groups: Mapping[str, Estimate]
    unparsable: float
    items: int

    @property
    def score(self) -> Estimate | None:
        """The headline; None where no answer's could be read."""
        return next(iter(self.scores.values()), None)

    @property
    def group_mean(self) -> float | None:
        """The mean of the groups' means, each group counted once."""
        return mean(each.mean for each in self.groups.values()) if self.groups else None

    @property
    def weakest(self) -> tuple[str, float] | None:
        """The question that judges agree on least, with their alpha; None where none is defined."""
        known = {name: value for name, value in self.alphas.items() if value is not None}
        return min(known.items(), key=lambda one: one[1], default=None)


def summarize(lines: Iterable[Line]) -> list[Summary]:
    """Sum up what was judged.

    Args:
        lines: Lines of type `judged`.

    Returns:
        One summary for each task, model, method, whose records and rubric, in the lines' order.
    """
    cells: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        cells.setdefault(tuple(line[name] for name in _CELL), []).append(line)
    return [_summary(cell, found) for cell, found in cells.items()]


def _summary(cell: tuple[str, ...], lines: list[Line]) -> Summary:
    task, model, method, whose, name = cell
    rubric = find_rubric(name)
    whole = [line for line in lines if line["left"] == 0]  # the one that holds the scores
    judges = list(dict.fromkeys(line["judge"] for line in whole))
    names = dict.fromkeys([rubric.score, *(score for line in whole for score in line["scores"])])
    scored = [line for line in whole if line["scores"]]
    groups = sorted({line["group"] for line in scored} - {""})
    return Summary(
        task,
        model,
        method,
        whose,
        name,
        scores={score: each for score in names if (each := _over_people(scored, score))},
        judges={judge: _opinion(whole, judge, rubric.score) for judge in judges},
        alphas={
            question: alpha([dict(_ratings(lines, judge, question)) for judge in judges], level)
            for question, level in rubric.levels.items()
        },
        groups={
            group: each
            for group in groups
            if (each := _over_people([s for s in scored if s["group"] == group], rubric.score))
        },
        unparsable=1 - len(scored) / max(1, len(whole)),
        items=len({_unit(line) for line in whole}),
    )


def _opinion(whole: list[Line], judge: str, headline: str) -> Opinion:
    own = [line for line in whole if line["judge"] == judge]
    lost = sum(not line["scores"] for line in own) / len(own)
    return Opinion(_over_people(own, headline), lost, len(own))


def _over_people(whole: list[Line], name: str) -> Estimate | None:
    """Average a score over judges, then over a person's answers, then over people."""
    answers: dict[Unit, list[float]] = {}
    for line in whole:
        if name in line["scores"]:
            answers.setdefault(_unit(line), []).append(line["scores"][name])
    people: dict[str, list[float]] = {}
    for unit, values in answers.items():
        people.setdefault(unit[0], []).append(mean(values))
    return estimate([mean(values) for values in people.values()]) if people else None


def _ratings(lines: list[Line], judge: str, name: str) -> Iterator[tuple[Unit, float]]:
    """Give a judge's verdicts on a question, or its scores where the name is that of a score."""
    for line in lines:
        if line["judge"] != judge:
            continue
        if line["question"] == name and line["verdict"] is not None:
            yield (*_unit(line), line["about"]), float(line["verdict"])
        if name in line["scores"] and line["question"] != name:
            yield _unit(line), float(line["scores"][name])


def _unit(line: Line) -> Unit:
    return line["person"], line["item"]
