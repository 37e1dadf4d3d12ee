"""The gate: what was trained for one person is served only where it is better for certain.

On held-out records of the person it has to beat everything there was before it, each by a paired
test. What is compared are plans; this file does not know what stands behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Likelihood, Score
from ipse.methods.base import Steps
from ipse.plan import Plan

__all__ = ["examined", "examined_pairs", "judge", "paired", "untested"]

_EXACT = 12
"""Up to so many pairs every choice of signs is tried: 4,096."""

_DRAWS = 9_999
"""Choices of signs that are drawn where there are more pairs."""


def paired(one: Sequence[float], other: Sequence[float]) -> float:
    """Say how likely one would be this much lower than the other by chance (permutation test).

    If it made no difference which is which, each pair's difference could as well have the other
    sign; the p-value is the share of such choices of signs that give a sum as low or lower.

    Args:
        one: Numbers, such as nats a token of each record.
        other: As many, of the same records.

    Returns:
        The one-sided p-value in (0, 1]; 1 where there is no pair.
    """
    apart = np.asarray(one, np.float64) - np.asarray(other, np.float64)  # (records,)
    if not apart.size:
        return 1.0
    sums = _signs(len(apart)) @ apart  # (choices,), the first with every sign as it is
    slack = 1e-12 * np.abs(apart).sum()  # the same sum in another order is the same sum
    return float(np.mean(sums <= sums[0] + slack))


def judge(
    nats: Mapping[str, Sequence[float]], risk: float, least: int, of: str = "records"
) -> dict[str, Any]:
    """Say what serves a person.

    Args:
        nats: What each choice costs on the same held-out records, in nats a token: of `adapter`,
            where one was trained, and of its rivals, the simplest first.
        risk: The adapter is served where both p-values are at most this.
        least: The fewest records an adapter is trained from; for the sentence that says why.
        of: What was held out, for that sentence.

    Returns:
        `serves`, one of the choices; `why`; the mean `nats` of each; how many `records` were held
        out; and `p` by rival.
    """
    means = {name: float(np.mean(values)) for name, values in nats.items()}
    rivals = [name for name in nats if name != "adapter"]
    best = min(rivals, key=lambda name: means[name])
    records = len(nats[best])
    p = {name: paired(nats["adapter"], nats[name]) for name in rivals} if "adapter" in nats else {}
    if not p:
        serves, why = best, f"there are too few {of} to train an adapter from: it needs {least}"
    elif all(value <= risk for value in p.values()):
        serves = "adapter"
        why = f"on {records} held-out {of} the adapter beats {_listed(p)}"
    else:
        lost = {name: value for name, value in p.items() if value > risk}
        serves = best
        why = f"on {records} held-out {of} the adapter does not beat {_listed(lost)} for certain"
    return {"serves": serves, "why": why, "nats": means, "records": records, "p": p}


def examined(
    choices: Mapping[str, Sequence[Plan]], texts: Sequence[str], risk: float, least: int
) -> Steps[dict[str, Any]]:
    """Let held-out records say what serves a person.

    Args:
        choices: The plans that ask for the held-out texts, by choice, as for `judge`.
        texts: What the person wrote, one a plan of each choice.
        risk: The p-value up to which the adapter is held to be better.
        least: The fewest records an adapter is trained from.

    Returns:
        The verdict of `judge`.
    """
    plans = tuple(plan for each in choices.values() for plan in each)
    scores: list[Score] = yield Likelihood(plans, tuple(texts) * len(choices))
    costs = iter([score.nats / max(1, score.tokens) for score in scores])
    return judge({name: [*islice(costs, len(texts))] for name in choices}, risk, least)


def examined_pairs(
    choices: Mapping[str, Sequence[Plan]],
    chosen: Sequence[str],
    rejected: Sequence[str],
    risk: float,
    least: int,
) -> Steps[dict[str, Any]]:
    """Let held-out pairs say what serves a person.

    An adapter has to tell what was chosen from what was rejected better than its rivals, by a
    paired test of the nats a token between the two; and it may not find what was chosen less
    likely, on average, than the better of them does.

    Args:
        choices: The plans that ask for the held-out texts, by choice, as for `judge`.
        chosen: What the person preferred, one a plan of each choice.
        rejected: What it was preferred to.
        risk: The p-value up to which the adapter is held to be better.
        least: The fewest pairs an adapter is trained from.

    Returns:
        The verdict of `judge` by the nats a token of what was chosen less those of what was
        rejected (`apart`), with the `nats` of what was chosen and the `accuracy`, the share of
        pairs in which it is the likelier, of each choice.
    """
    plans = tuple(plan for each in choices.values() for plan in each)
    texts = (*tuple(chosen) * len(choices), *tuple(rejected) * len(choices))
    scores: list[Score] = yield Likelihood((*plans, *plans), texts)
    costs = iter([score.nats / max(1, score.tokens) for score in scores])
    own = {name: np.array([*islice(costs, len(chosen))]) for name in choices}
    apart = {name: own[name] - [*islice(costs, len(chosen))] for name in choices}
    verdict = judge({name: list(values) for name, values in apart.items()}, risk, least, "pairs")
    nats = {name: float(values.mean()) for name, values in own.items()}
    if verdict["serves"] == "adapter":
        best = min((name for name in nats if name != "adapter"), key=nats.__getitem__)
        if nats["adapter"] > nats[best]:
            why = f"{verdict['why']}, but finds what was chosen less likely than {best} does"
            verdict |= {"serves": best, "why": why}
    accuracy = {name: float((values < 0).mean()) for name, values in apart.items()}
    return {**verdict, "apart": verdict["nats"], "nats": nats, "accuracy": accuracy}


def untested(serves: str, why: str) -> dict[str, Any]:
    """Give a verdict that no record was held out for."""
    return {"serves": serves, "why": why, "nats": {}, "records": 0, "p": {}}


def _listed(p: Mapping[str, float]) -> str:
    return " and ".join(f"{name} (p = {value:.3f})" for name, value in p.items())


def _signs(count: int) -> NDArray[np.float64]:
    """Give choices of signs, (choices, count): all of them, or the true one and some at random."""
    if count <= _EXACT:
        return np.array(list(product((1.0, -1.0), repeat=count)))
    drawn = np.random.default_rng(0).choice((1.0, -1.0), (_DRAWS, count))
    return np.vstack([np.ones(count), drawn])
