"""People who compared things, and how well learners tell their later answers from earlier ones.

Every person is told apart by people who are not in the fold they are in. All that is learned of
people is learned of other folds: learners, and what they say of the things. Settings are chosen on
one of those folds, and the person's own earlier answers are all that is known of them. A person
counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ipse.evaluation.stats import Estimate, estimate, paired
from ipse.rewards import Arrays, Compared, Learner
from ipse.rewards.learning import Floats

__all__ = ["Crowd", "Judge", "Outcome", "Scores", "compare_learners"]

Pairs: TypeAlias = NDArray[np.int64]
"""Chosen and rejected by their places among the texts, (pairs, 2)."""

Told: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Judge:
    """One person.

    Attributes:
        user: Who.
        given: Their earlier answers, oldest first.
        asked: Their later answers.
        taught: What is learned of them for the sake of others; all they answered.
    """

    user: str
    given: Pairs
    asked: Pairs
    taught: Pairs


Learn: TypeAlias = Callable[[Sequence[Judge]], Floats]


@dataclass(frozen=True, eq=False)
class Crowd:
    """People who compared the same kind of thing.

    Attributes:
        features: What describes each text, (texts, width).
        judges: The people.
        learn: What else describes each text, learned of some of the people, (texts, more).
    """

    features: Floats
    judges: tuple[Judge, ...]
    learn: Learn | None = None

    def seen_by(self, people: Sequence[Judge]) -> Crowd:
        """Describe texts also by what these people teach; of nobody else anything is learned."""
        if self.learn is None:
            return self
        more = self.learn(people)
        return Crowd(np.hstack([self.features, more - more.mean(0)]), self.judges)

    def compared(self, pairs: Pairs) -> Compared:
        """Give pairs in numbers."""
        return Compared.of(self.features[pairs[:, 0]], self.features[pairs[:, 1]])


@dataclass(frozen=True)
class Outcome:
    """What a learner told of one person: shares of the asked pairs, a half where it cannot say.

    Attributes:
        own: Given their own answers.
        other: Given another person's in their place.
    """

    own: float
    other: float


@dataclass(frozen=True)
class Scores:
    """How a learner does with so many answers; means over people.

    Attributes:
        accuracy: The share of asked pairs it tells.
        over_other: What own answers add to another person's.
        over_everyone: What it adds to everyone's reward.
    """

    accuracy: Estimate
    over_other: Estimate
    over_everyone: Estimate


def compare_learners(
    crowd: Crowd,
    contestants: Mapping[str, Sequence[Learner]],
    counts: Sequence[int],
    *,
    everyone: str,
    folds: int = 5,
    seed: int = 0,
    told: Told | None = None,
) -> dict[str, dict[int, Scores]]:
    """Measure learners by how many of a person's answers they are given.

    Args:
        crowd: The people.
        contestants: By name, one learner in several settings; which, is chosen for each fold on
            the next fold, which nothing is fitted on. Settings that differ may not change what is
            fitted.
        counts: How many answers are given: the latest of the earlier ones. Who has fewer is left
            out at this count.
        everyone: The contestant that is everyone's reward.
        folds: Into how many parts people are cut.
        seed: Of the parts.
        told: Told what is done.

    Returns:
        Scores by name and count.
    """
    parts = np.random.default_rng(seed).permutation(len(crowd.judges)) % folds
    found: dict[str, dict[int, dict[str, Outcome]]] = {
        name: {count: {} for count in counts} for name in contestants
    }
    for part in range(folds):
        test, valid, rest = _cut(crowd, parts, part, folds)
        seen = crowd.seen_by(rest)
        taught = [seen.compared(judge.taught) for judge in rest]
        for name, variants in contestants.items():
            shared = variants[0].fit(taught)
            learner = _chosen(seen, variants, shared, valid, counts)
            for count in counts:
                found[name][count] |= _outcomes(seen, learner, shared, test, count)
            if told:
                told(f"{name}, part {part + 1} of {folds}: {learner}")
    return {
        name: {count: _scores(one, found[everyone][count]) for count, one in outcomes.items()}
        for name, outcomes in found.items()
    }


def _cut(
    crowd: Crowd, parts: NDArray[np.int64], part: int, folds: int
) -> tuple[list[Judge], list[Judge], list[Judge]]:
    after = (part + 1) % folds
    both = list(zip(crowd.judges, parts.tolist(), strict=True))
    test = [judge for judge, place in both if place == part]
    valid = [judge for judge, place in both if place == after and len(judge.taught)]
    rest = [j for j, place in both if place not in (part, after) and len(j.taught)]
    return test, valid, rest


def _chosen(
    crowd: Crowd,
    variants: Sequence[Learner],
    shared: Arrays,
    valid: Sequence[Judge],
    counts: Sequence[int],
) -> Learner:
    """Choose a setting by the people of the next fold, few answers and many alike."""
    if len(variants) == 1:
        return variants[0]
    few = [(j, n) for n in (min(counts), max(counts)) for j in _able(valid, n)]
    means = [
        np.mean([_share(crowd, v, shared, j.given[-n:], j.asked) for j, n in few]) for v in variants
    ]
    return variants[int(np.argmax(means))]


def _able(judges: Sequence[Judge], count: int) -> list[Judge]:
    return [judge for judge in judges if len(judge.given) >= count and len(judge.asked)]


def _outcomes(
    crowd: Crowd, learner: Learner, shared: Arrays, judges: Sequence[Judge], count: int
) -> dict[str, Outcome]:
    """Measure some people with so many answers; the next of them stands in for each."""
    able, found = _able(judges, count), {}
    for place, judge in enumerate(able):
        other = able[(place + 1) % len(able)]
        given = (judge.given[-count:], other.given[-count:])
        found[judge.user] = Outcome(
            *(_share(crowd, learner, shared, answers, judge.asked) for answers in given)
        )
    return found


def _share(crowd: Crowd, learner: Learner, shared: Arrays, given: Pairs, asked: Pairs) -> float:
    """Give the share of asked pairs that a learner tells, given some answers."""
    own = learner.infer(shared, crowd.compared(given))
    texts, places = np.unique(asked, return_inverse=True)
    liked = learner.reward(shared, own, crowd.features[texts])[places.reshape(asked.shape)]
    return float(np.mean(np.where(liked[:, 0] == liked[:, 1], 0.5, liked[:, 0] > liked[:, 1])))


def _scores(own: Mapping[str, Outcome], everyone: Mapping[str, Outcome]) -> Scores:
    mine = [one.own for one in own.values()]
    return Scores(
        estimate(mine),
        paired(mine, [one.other for one in own.values()]),
        paired(mine, [everyone[user].own for user in own]),
    )
