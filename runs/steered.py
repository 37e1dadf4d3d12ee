"""Measure whether what a person prefers, as their pairs tell it, moves what is written for them.

`python -m runs.objectives --only people` runs it. People are those of UKPConvArg1 with the most
reasons of their own beside another's for the same verdict. Methods learn from the earlier pairs;
the judge is made of the later ones, and questions are among those. So no method is judged by what
it chose by, and a preference that does not hold in later pairs moves nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.evaluation.stats import compare, estimate, holm
from ipse.importers import read, sample_path, ukpconvarg
from ipse.lm import LM
from ipse.methods import Chooser, Learned, finish, parse, personalize, write
from ipse.plan import Plan, Sampling
from ipse.records import Record, User
from ipse.rewards import ATTRIBUTES, measure
from ipse.state import State
from ipse.text import words

__all__ = ["METHODS", "QUICK", "Size", "Taste", "pairs", "people", "steered"]

METHODS = (
    "recent:k=4",
    "best-of-n:reward=attributes,records=200",
    "best-of-n:reward=none+low-rank-reward:features=attributes",
    "drift:tokens=0,pairs=20",
    "reward-guided",
)
"""What is compared with the generic model; the first is the cheap baseline."""

_LEARNED = 0.6
"""The share of a person's pairs that methods learn from: the earlier ones."""

_WORDS = 20
"""The most words of each argument in a question."""

_DOUBT = 4.0
"""How many pairs without a preference count beside those that were told."""

Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        people: How many people, those with the most pairs.
        prompts: Questions to each, of their later ones.
        taught: How many others everyone's part is learned from.
        tokens: The most tokens of an answer.
    """

    people: int = 12
    prompts: int = 5
    taught: int = 60
    tokens: int = 40


QUICK = Size(people=3, prompts=2, taught=8, tokens=12)


@dataclass(frozen=True)
class Taste:
    """What a person likes more of, as some of their pairs tell it.

    Attributes:
        weights: One for each of `ATTRIBUTES`, for values in the spread of the pairs.
        spread: What one of it is, in the attribute's own unit.
    """

    weights: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, pairs: Sequence[Record]) -> Taste:
        """Weigh each attribute by how surely there is more of it in what was chosen.

        Args:
            pairs: Preferences.

        Returns:
            The taste; its weights are of length 1.
        """
        prompts = [pair.input for pair in pairs]
        more = measure([*ATTRIBUTES], prompts, [pair.output for pair in pairs])
        more = more - measure([*ATTRIBUTES], prompts, [pair.rejected or "" for pair in pairs])
        spread = np.sqrt((more**2).mean(0)) + 1e-9
        sure = more.mean(0) / spread * len(pairs) / (len(pairs) + _DOUBT)
        return cls(sure / np.linalg.norm(sure), spread)

    def likes(self, prompts: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
        """Say how much each answer is liked, (texts,), in spreads of the person's own pairs."""
        found: NDArray[np.float64] = measure([*ATTRIBUTES], prompts, texts) / self.spread
        return found @ self.weights


@dataclass(frozen=True)
class Tested:
    """One person.

    Attributes:
        past: What methods learn from: their reasons, and these before another's.
        judge: What their later pairs tell.
        held: How often `Taste.of` the earlier pairs is right about the later ones.
        asked: The questions.
    """

    past: User
    judge: Taste
    held: float
    asked: Sequence[str]


def people(size: Size) -> tuple[list[Tested], list[User]]:
    """Give the people who are tested, and others whom everyone's part is learned from."""
    told = pairs()
    order = sorted(told, key=lambda user: (-len(told[user]), user))
    tested = [_tested(user, told[user], size.prompts) for user in order[: size.people]]
    rest = order[size.people :][: size.taught]
    return tested, [User(user, tuple(pair for _, pair in told[user])) for user in rest]


def _tested(user: str, told: Sequence[tuple[Record, Record]], prompts: int) -> Tested:
    cut = int(_LEARNED * len(told))
    earlier, later = told[:cut], [pair for _, pair in told[cut:]]
    past = sorted((r for both in earlier for r in both), key=lambda r: (r.time, r.id))
    known = Taste.of([pair for _, pair in earlier])
    asked = [pair.input for pair in later]
    gaps = known.likes(asked, [p.output for p in later])
    gaps = gaps - known.likes(asked, [p.rejected or "" for p in later])
    distinct = list(dict.fromkeys(asked))
    return Tested(
        User(user, tuple(past)),
        Taste.of(later),
        float((gaps > 0).mean()),
        distinct[:: max(1, len(distinct) // prompts)][:prompts],
    )


@cache
def pairs() -> dict[str, list[tuple[Record, Record]]]:
    """Give everyone's reasons, each with the same as a preference over another's."""
    folder = sample_path()
    arguments = ukpconvarg.arguments(folder)
    said = [r for r in read("ukpconvarg", folder) if isinstance(r, Record) and r.kind == "content"]
    beside: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in said:
        beside[record.meta["pair_id"], record.meta["choice"]].append(record)
    found: dict[str, list[tuple[Record, Record]]] = defaultdict(list)
    for record in said:
        meta = record.meta
        own = words(record.output)
        others = [
            other.output
            for other in beside[meta["pair_id"], meta["choice"]]
            if other.user != record.user and words(other.output) != own
        ]
        if not others:
            continue
        one, two = (arguments[meta[name]].text for name in ("arg1", "arg2"))
        asked = ukpconvarg.prompt(
            meta["topic"], meta["stance"], one, two, meta["choice"], words=_WORDS
        )
        pair = Record(
            user=record.user, kind="preference", input=asked, output=record.output,
            rejected=Random(record.id).choice(others), time=record.time,
        )  # fmt: skip
        found[record.user].append((replace(record, input=asked, id=""), pair))
    for told in found.values():
        told.sort(key=lambda both: (both[1].time, both[1].id))
    return found


def steered(lm: LM, size: Size, told: Told) -> dict[str, Any]:
    """Measure every method: what its answers gain by the person's later pairs, and what they cost.

    Args:
        lm: The model.
        size: How much.
        told: Told how far it is.

    Returns:
        What is kept: by method, gains over the generic answer to the same prompt and over what
        another person's preferences give, means and intervals over people.
    """
    tested, taught = people(size)

    def under(learned: Sequence[tuple[Learned, ...]], shift: int = 0) -> dict[str, Any]:
        both = [Chooser(one.past, own) for one, own in zip(tested, learned, strict=True)]
        both = [*both[shift:], *both[:shift]]
        return judged(lm, tested, _written(lm, tested, both, size.tokens))

    rows = {"generic": under([()] * len(tested))}
    gains, own = [], []
    for place, methods in enumerate(METHODS):
        told(methods, place / len(METHODS))
        learned = _learned(lm, tested, methods, taught)
        rows[methods], wrong = under(learned), under(learned, shift=1)
        gains.append(compare(rows[methods]["likes"], rows["generic"]["likes"]))
        own.append(compare(rows[methods]["likes"], wrong["likes"]))
    for methods, gain, personal in zip(METHODS, holm(gains), holm(own), strict=True):
        rows[methods] |= {"gain": asdict(gain), "personal": asdict(personal)}
    for row in rows.values():
        row["likes"] = estimate(row["likes"]).rounded(4)
    return {
        "people": len(tested),
        "prompts": size.prompts,
        "tokens": size.tokens,
        "pairs": estimate([len(one.past) / 2 for one in tested]).rounded(4),
        "held": estimate([one.held for one in tested]).rounded(4),
        "rows": rows,
    }


def _learned(
    lm: LM, tested: Sequence[Tested], methods: str, taught: Sequence[User]
) -> list[tuple[Learned, ...]]:
    """Let methods learn of everyone who is tested."""
    found: list[list[Learned]] = [[] for _ in tested]
    for method in parse(methods) if methods else ():
        everyones = _held(lm, finish(method.fit(taught), lm)) if method.shared else None
        for own, one in zip(found, tested, strict=True):
            state = finish(method.enroll(one.past.allowing(method.use), everyones), lm)
            own.append(Learned(method, _held(lm, state)))
    return [tuple(own) for own in found]


def _held(lm: LM, state: State | None) -> State | None:
    return replace(state, artifact=lm.hold(state.arrays)) if state and state.arrays else state


def _written(
    lm: LM, tested: Sequence[Tested], choosers: Sequence[Chooser], tokens: int
) -> list[list[str]]:
    """Write the answers to everyone's questions with somebody's preferences, (people, prompts)."""
    plans, whose = [], []
    for one, chooser in zip(tested, choosers, strict=True):
        for seed, question in enumerate(one.asked):
            sampling = Sampling(tokens, temperature=0.8, seed=seed)
            generic = Plan.ask(question, sampling=sampling)
            plans.append(personalize(generic, chooser.user, chooser.learned, lm))
            whose.append(chooser)
    texts = iter([reply.text for reply in write(plans, whose, lm)])
    return [[next(texts) for _ in one.asked] for one in tested]


def judged(lm: LM, tested: Sequence[Tested], texts: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Say how much each person likes the answers to them, and what they look like.

    Args:
        lm: The model.
        tested: The people.
        texts: The answers to each.

    Returns:
        `likes`, a mean a person; words an answer; perplexity under the generic model.
    """
    likes = [
        float(one.judge.likes(one.asked, some).mean())
        for one, some in zip(tested, texts, strict=True)
    ]
    said = [*_said(tested, texts)]
    scores = lm.score([Plan.ask(question) for question, _ in said], [text for _, text in said])
    nats = sum(score.nats for score in scores) / max(1, sum(score.tokens for score in scores))
    return {
        "likes": likes,
        "perplexity": round(math.exp(nats), 2),
        "words": round(float(np.mean([len(text.split()) for _, text in said])), 1),
    }


def _said(tested: Sequence[Tested], texts: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    for one, some in zip(tested, texts, strict=True):
        yield from ((q, text) for q, text in zip(one.asked, some, strict=True) if text.strip())
