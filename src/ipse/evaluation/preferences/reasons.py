"""UKPConvArg1 as preferences: arguments that convince, reasons in one's own words, and ties.

Choices: of two arguments, the one that convinces. Reasons: a person's own reason before another
person's for the same verdict on the same pair, so that all there is to tell them by is how they are
written. There are no times: the file's order stands for time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipse.evaluation.preferences.crowd import Crowd, Judge, Pairs
from ipse.evaluation.stats import Estimate, estimate
from ipse.importers import read
from ipse.records import Record
from ipse.rewards.learning import Floats

__all__ = ["Describe", "Ties", "choices", "reasons", "ties"]

Describe = Callable[[Sequence[str], Sequence[str]], Floats]
"""Describes texts: prompts and texts to (texts, width)."""

_EARLIER = 0.7
_DOUBT = 10.0
"""How many verdicts of anybody's count beside a person's own, where a rate of ties is told."""


@dataclass(frozen=True)
class Ties:
    """How often people find two arguments equally convincing.

    Attributes:
        rate: The share of all verdicts that are ties, a mean over people.
        spread: Its standard deviation over people, beyond what so few verdicts each would show.
        gain: By how many nats a verdict a person's own earlier rate tells later ties better than
            everyone's does.
    """

    rate: Estimate
    spread: float
    gain: Estimate


def choices(folder: Path, describe: Describe, least: int = 20, most: int = 400) -> Crowd:
    """Read who was convinced by what.

    Args:
        folder: The data, or the shipped sample.
        describe: What describes arguments.
        least: The fewest choices of a person who is in it.
        most: How many people: those with the most choices.

    Returns:
        The people.
    """
    told = _people(folder, "preference", least, most)
    texts: dict[tuple[str, str], int] = {}
    judges = []
    for user, records in told.items():
        pairs = [
            (
                texts.setdefault((r.input, r.output), len(texts)),
                texts.setdefault((r.input, r.rejected or ""), len(texts)),
            )
            for r in records
            if not r.meta.get("tie")
        ]
        if len(pairs) >= least:
            judges.append(_judge(user, pairs))
    return Crowd(describe(*_unzipped(texts)), tuple(judges))


def reasons(
    folder: Path, describe: Describe, given: int = 50, asked: int = 20, most: int = 150
) -> Crowd:
    """Read who writes how: each of a person's reasons beside another's for the same verdict.

    Args:
        folder: The data, or the shipped sample.
        describe: What describes reasons.
        given: How many pairs are known of a person at most: the latest of the earlier ones.
        asked: How many are asked at most.
        most: How many people: those with the most reasons.

    Returns:
        The people.
    """
    every = _people(folder, "content", 0, None)
    told = dict(sorted(every.items(), key=lambda item: (-len(item[1]), item[0]))[:most])
    beside: dict[str, list[tuple[str, str]]] = {}
    for user, records in every.items():
        for record in records:
            beside.setdefault(record.input, []).append((user, record.output))
    texts: dict[tuple[str, str], int] = {}
    judges = []
    for user, records in told.items():
        chance = np.random.default_rng(_seed(user))
        pairs = []
        for r in records:
            others = [text for who, text in beside[r.input] if who != user and text != r.output]
            if others:
                pairs.append((r.input, r.output, others[int(chance.integers(len(others)))]))
        cut = int(_EARLIER * len(pairs))
        some = [*pairs[max(0, cut - given) : cut], *pairs[cut:][:asked]]
        places = [
            (texts.setdefault((p, a), len(texts)), texts.setdefault((p, b), len(texts)))
            for p, a, b in some
        ]
        if places:
            judges.append(_judge(user, places, min(given, cut)))
    return Crowd(describe(*_unzipped(texts)), tuple(judges))


def ties(folder: Path, least: int = 20, most: int = 400) -> Ties:
    """Say how much people differ in how often two arguments are alike to them."""
    told = _people(folder, "preference", least, most)
    every = [np.array([bool(r.meta.get("tie")) for r in own], float) for own in told.values()]
    rates, sizes = np.array([one.mean() for one in every]), np.array([len(one) for one in every])
    whole = float(np.concatenate(every).mean())
    beyond = rates.var(ddof=1) - float(np.mean(whole * (1 - whole) / sizes))
    gains = []
    for one in every:
        cut = int(_EARLIER * len(one))
        earlier, later = one[:cut], one[cut:]
        own = (earlier.sum() + _DOUBT * whole) / (len(earlier) + _DOUBT)
        gains.append(float(np.mean(_nats(later, whole) - _nats(later, own))))
    return Ties(estimate(rates.tolist()), float(np.sqrt(max(0.0, beyond))), estimate(gains))


def _nats(happened: Floats, rate: float) -> Floats:
    return np.asarray(-(happened * np.log(rate) + (1 - happened) * np.log(1 - rate)))


def _people(folder: Path, kind: str, least: int, most: int | None) -> dict[str, list[Record]]:
    """Read people's records of a kind, in order: of those with the most."""
    found: dict[str, list[Record]] = {}
    for record in read("ukpconvarg", folder):
        if isinstance(record, Record) and record.kind == kind:
            found.setdefault(record.user, []).append(record)
    able = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return {user: own for user, own in able[:most] if len(own) >= least}


def _judge(user: str, pairs: Sequence[tuple[int, int]], cut: int | None = None) -> Judge:
    every: Pairs = np.array(pairs, np.int64).reshape(-1, 2)
    place = int(_EARLIER * len(every)) if cut is None else cut
    return Judge(user, every[:place], every[place:], every)


def _unzipped(texts: Mapping[tuple[str, str], int]) -> tuple[list[str], list[str]]:
    return [prompt for prompt, _ in texts], [text for _, text in texts]


def _seed(user: str) -> list[int]:
    return [*user.encode()]
