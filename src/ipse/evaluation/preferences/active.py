"""Whether asking about what is least sure teaches more than asking about anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipse.evaluation.preferences.crowd import Crowd, Judge
from ipse.evaluation.stats import Estimate, estimate, paired
from ipse.rewards import Arrays, Compared, LowRank

__all__ = ["asked_about"]

_WAYS = ("random", "uncertainty")


def asked_about(
    crowd: Crowd, learner: LowRank, counts: Sequence[int], folds: int = 5, seed: int = 0
) -> dict[str, dict[int, Estimate]]:
    """Measure accuracy by how many earlier answers were asked for, chosen in two ways.

    The pool is what the person answered: any of it may be asked about, and nothing else.

    Args:
        crowd: The people.
        learner: What learns, and says what it is unsure of.
        counts: After how many questions it is measured.
        folds: Into how many parts people are cut; the others teach the bases.
        seed: Of the parts and of chance.

    Returns:
        By way and count the share of asked pairs that is told; under `difference`, what asking
        about the least sure adds. People have at least twice as many answers as are asked for.
    """
    parts = np.random.default_rng(seed).permutation(len(crowd.judges)) % folds
    found: dict[str, dict[int, list[float]]] = {w: {c: [] for c in counts} for w in _WAYS}
    for part in range(folds):
        both = list(zip(crowd.judges, parts.tolist(), strict=True))
        rest = [judge for judge, place in both if place != part and len(judge.taught)]
        seen = crowd.seen_by(rest)
        shared = learner.fit([seen.compared(judge.taught) for judge in rest])
        for number, (judge, place) in enumerate(both):
            if place != part or len(judge.given) < 2 * max(counts) or not len(judge.asked):
                continue
            for way in _WAYS:
                told = _asked(seen, learner, shared, judge, way, max(counts), [seed, number])
                for count in counts:
                    found[way][count].append(told[count])
    scores = {w: {c: estimate(v) for c, v in each.items()} for w, each in found.items()}
    scores["difference"] = {
        count: paired(found["uncertainty"][count], found["random"][count]) for count in counts
    }
    return scores


def _asked(
    crowd: Crowd,
    learner: LowRank,
    shared: Arrays,
    judge: Judge,
    way: str,
    most: int,
    seed: list[int],
) -> list[float]:
    """Give accuracy after each question, from none on."""
    pool, asked = crowd.compared(judge.given), crowd.compared(judge.asked)
    points = pool.apart @ shared["bases"]
    order = np.random.default_rng(seed).permutation(len(points))
    left = np.ones(len(points), bool)
    own = learner.infer(shared, pool.some(slice(0, 0)))
    shares = [_right(learner, shared, own, asked)]
    for turn in range(most):
        unsure = np.einsum("nk,kl,nl->n", points, own["covariance"], points)
        place = int(order[turn]) if way == "random" else int(np.where(left, unsure, -1).argmax())
        left[place] = False
        own = learner.update(shared, own, pool.some(np.array([place])))
        shares.append(_right(learner, shared, own, asked))
    return shares


def _right(learner: LowRank, shared: Arrays, own: Arrays, asked: Compared) -> float:
    margin = learner.reward(shared, own, asked.apart)
    return float(np.mean(np.where(margin == 0, 0.5, margin > 0)))
