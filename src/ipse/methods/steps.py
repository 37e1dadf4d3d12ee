"""Run what methods ask for: one method for one person, or many at once in shared batches."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ipse.lm import (
    LM,
    Cut,
    Embed,
    FitSteering,
    Hidden,
    Hold,
    Inputs,
    Kept,
    Likelihood,
    Progress,
    Train,
    Write,
)
from ipse.methods.base import Ask, Steps
from ipse.plan import Plan

__all__ = ["finish", "finish_all"]

T = TypeVar("T")


def finish(task: T | Steps[T], lm: LM, scratch: Path | None = None) -> T:
    """Run one task to its end.

    Args:
        task: Steps that ask on their way, or the result itself.
        lm: Answers what they ask for.
        scratch: A folder for what is half learned: the same task goes on from there.

    Returns:
        The result.
    """
    return finish_all([task], lm, scratch=scratch)[0]


def finish_all(
    tasks: Sequence[T | Steps[T]],
    lm: LM,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> list[T]:
    """Run tasks side by side: what they ask for at the same time is answered in one batch.

    Args:
        tasks: Steps that ask on their way, or results themselves.
        lm: Answers what they ask for.
        progress: Told how many answers of the present round are there, and of how many.
        scratch: A folder for what is half learned: the same tasks go on from there.

    Returns:
        The results, in the order of the tasks.
    """
    results: dict[int, T] = {}
    running: dict[int, Steps[T]] = {}
    for place, task in enumerate(tasks):
        if isinstance(task, Generator):
            running[place] = task
        else:
            results[place] = task
    answers: dict[int, Any] = dict.fromkeys(running)
    while running:
        asked: dict[int, Ask] = {}
        for place, steps in list(running.items()):
            try:
                asked[place] = steps.send(answers[place])
            except StopIteration as stop:
                results[place] = stop.value
                del running[place]
        answers = _answer(asked, lm, progress) | _trained(asked, lm, progress, scratch)
    return [results[place] for place in range(len(tasks))]


def _answer(asked: dict[int, Ask], lm: LM, progress: Progress | None) -> dict[int, Any]:
    answers = _written(asked, lm, progress) | _scored(asked, lm, progress)
    embeds = {place: ask for place, ask in asked.items() if isinstance(ask, Embed)}
    if embeds:
        vectors = lm.embed([text for ask in embeds.values() for text in ask.texts])
        start = 0
        for place, embed in embeds.items():
            answers[place] = vectors[start : start + len(embed.texts)]
            start += len(embed.texts)
    return answers | {place: _alone(ask, lm) for place, ask in asked.items() if _is_alone(ask)}


def _is_alone(ask: Ask) -> bool:
    return isinstance(ask, Cut | Hidden | Hold | Inputs | Kept | FitSteering)


def _alone(ask: Ask, lm: LM) -> Any:
    """Answer what is never asked together with others."""
    match ask:
        case Cut():
            return lm.cut(ask.text, ask.limit)
        case Hidden():
            return lm.hidden(ask)
        case Hold():
            return lm.hold(ask.arrays)
        case Inputs():
            return lm.inputs(ask)
        case Kept():
            return lm.arrays(ask.name)
        case FitSteering():
            return lm.fit_steering(ask)


def _written(asked: dict[int, Ask], lm: LM, progress: Progress | None) -> dict[int, Any]:
    """Write all answers that are asked for, in one batch."""
    plans: list[Plan] = []
    for ask in asked.values():
        plans += [ask] if isinstance(ask, Plan) else ask.plans if isinstance(ask, Write) else ()
    replies = iter(lm.generate(plans, progress) if plans else ())
    answers: dict[int, Any] = {}
    for place, ask in asked.items():
        if isinstance(ask, Plan):
            answers[place] = next(replies)
        elif isinstance(ask, Write):
            answers[place] = list(islice(replies, len(ask.plans)))
    return answers


def _trained(
    asked: dict[int, Ask], lm: LM, progress: Progress | None, scratch: Path | None
) -> dict[int, Any]:
    """Learn all jobs that are asked for, in one batch."""
    asks = {place: ask for place, ask in asked.items() if isinstance(ask, Train)}
    jobs = [job for ask in asks.values() for job in ask.jobs]
    learned = iter(lm.train(jobs, progress, scratch) if jobs else ())
    return {place: list(islice(learned, len(ask.jobs))) for place, ask in asks.items()}


def _scored(asked: dict[int, Ask], lm: LM, progress: Progress | None) -> dict[int, Any]:
    """Score all texts that are asked about, in one batch."""
    asks = {place: ask for place, ask in asked.items() if isinstance(ask, Likelihood)}
    plans = [plan for ask in asks.values() for plan in ask.plans]
    targets = [target for ask in asks.values() for target in ask.targets]
    scores = iter(lm.score(plans, targets, progress) if plans else ())
    return {place: list(islice(scores, len(ask.plans))) for place, ask in asks.items()}
