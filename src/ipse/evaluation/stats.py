"""Statistics over people: a person is one observation, however many answers they gave."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.errors import missing_extra

__all__ = [
    "Comparison",
    "Estimate",
    "compare",
    "compare_whole",
    "estimate",
    "estimate_whole",
    "holm",
    "paired",
]

_RESAMPLES = 2000
"""Bootstrap samples of an interval, and random signs of a permutation test that is not exact."""

_WHOLE = 500
"""The same for scores of everyone together, each of which is computed anew."""

_POWER = 0.8

Value = Callable[[Sequence[int]], float]
"""A score of all lines of some people, by their places; a person drawn twice counts twice."""


@dataclass(frozen=True)
class Estimate:
    """A mean over people.

    Attributes:
        mean: The mean.
        error: Its standard error.
        low: The lower end of its 95% interval (Student's t).
        high: The upper end.
        people: How many people it is over.
    """

    mean: float
    error: float
    low: float
    high: float
    people: int

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    def rounded(self, digits: int) -> dict[str, float]:
        """Give the fields by name, with so many decimals, as results are kept."""
        return {name: round(value, digits) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Comparison:
    """A difference between two systems on the same people; above 0 the first is better.

    Attributes:
        mean: The mean difference.
        low: The lower end of its 95% bootstrap interval (BCa where each person has a difference,
            else percentile).
        high: The upper end.
        p: How likely so large a difference would be if the two were exchangeable person by person
            (two-sided permutation test).
        adjusted: The same, corrected for how many methods were compared (Holm 1979).
        detectable: The smallest difference that as many people would show with 80% power at 5%.
        people: How many people.
    """

    mean: float
    low: float
    high: float
    p: float
    adjusted: float
    detectable: float
    people: int

    @property
    def clear(self) -> bool:
        """Whether the first is better or worse for certain, all comparisons considered."""
        return self.adjusted < 0.05

    @property
    def better(self) -> bool:
        """Whether the first is better for certain, all comparisons considered."""
        return self.clear and self.mean > 0


def estimate(values: Sequence[float]) -> Estimate:
    """Estimate a mean over people.

    Args:
        values: One value a person.

    Returns:
        The estimate; with fewer than two people its interval is unbounded.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, math.inf, -math.inf, math.inf, len(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = _student_t(0.975, len(values) - 1) * error
    return Estimate(mean, error, mean - reach, mean + reach, len(values))


def paired(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Estimate the mean difference, first minus second, of the same people."""
    return estimate([a - b for a, b in zip(first, second, strict=True)])


def compare(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Comparison:
    """Compare two systems on the same people, where more is better.

    Args:
        first: The first system's value of each person.
        second: The second's, in the same order.
        seed: Of the resampling.

    Returns:
        The comparison, not yet corrected for others.
    """
    differences = np.array([a - b for a, b in zip(first, second, strict=True)])
    found = estimate(differences.tolist())
    low, high = _bootstrap(differences, seed)
    p = _sign_flip(differences, seed)
    detectable = _detectable(found.error, found.people)
    return Comparison(found.mean, low, high, p, p, detectable, found.people)


def estimate_whole(value: Value, people: int, seed: int = 0) -> Estimate:
    """Estimate a score that is only defined over everyone's lines together, by bootstrap.

    Args:
        value: The score of some people.
        people: How many people there are.
        seed: Of the resampling.

    Returns:
        The estimate; its error is the spread over resampled people.
    """
    low, high, error = _spread([value(sample) for sample in _samples(people, seed)])
    return Estimate(value(range(people)), error, low, high, people)


def compare_whole(
    difference: Value, flipped: Callable[[Sequence[bool]], float], people: int, seed: int = 0
) -> Comparison:
    """Compare two systems by a score that is only defined over everyone's lines together.

    Args:
        difference: The first's score minus the second's, of some people.
        flipped: The difference of everyone where the two change places for those marked.
        people: How many people there are.
        seed: Of the resampling.

    Returns:
        The comparison, not yet corrected for others.
    """
    mean = difference(range(people))
    low, high, error = _spread([difference(sample) for sample in _samples(people, seed)])
    draw = np.random.default_rng(seed)
    flips = [(draw.random(people) < 0.5).tolist() for _ in range(_WHOLE)]
    extreme = sum(abs(flipped(flip)) >= abs(mean) - 1e-12 for flip in flips)
    p = (1 + extreme) / (1 + len(flips))
    return Comparison(mean, low, high, p, p, _detectable(error, people), people)


def holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Correct comparisons for one another, so that of all that seem clear hardly any is by chance.

    Holm (1979): sorted ascending, `adjusted_i = max_{j <= i} min(1, (m - j + 1) p_j)`.

    Args:
        comparisons: All that one asks about together.

    Returns:
        The same, in the same order, with `adjusted` set.
    """
    order = sorted(range(len(comparisons)), key=lambda i: comparisons[i].p)
    adjusted: dict[int, float] = {}
    most = 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(order) - rank) * comparisons[place].p))
        adjusted[place] = most
    return [replace(one, adjusted=adjusted[place]) for place, one in enumerate(comparisons)]


def _samples(people: int, seed: int) -> list[Sequence[int]]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, people, people).tolist() for _ in range(_WHOLE)]


def _spread(drawn: Sequence[float]) -> tuple[float, float, float]:
    """Give the 95% interval and the spread; a sample in which a score is undefined says nothing."""
    known = [value for value in drawn if not math.isnan(value)]
    if not known:
        return -math.inf, math.inf, math.inf
    low, high = np.percentile(known, [2.5, 97.5]).tolist()
    return low, high, float(np.std(known))


def _detectable(error: float, people: int) -> float:
    freedom = max(1, people - 1)
    return (_student_t(0.975, freedom) + _student_t(_POWER, freedom)) * error


def _bootstrap(differences: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Give the 95% interval of a mean: bias-corrected and accelerated (Efron 1987)."""
    if len(differences) < 2:
        return -math.inf, math.inf
    if np.ptp(differences) == 0:
        return float(differences[0]), float(differences[0])
    found = _stats().bootstrap(
        (differences,), np.mean, n_resamples=_RESAMPLES, rng=np.random.default_rng(seed)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _sign_flip(differences: NDArray[np.float64], seed: int) -> float:
    """Give the two-sided p of a mean when each person's two values may change places."""
    if len(differences) < 2:
        return 1.0
    found = _stats().permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=5 * _RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _student_t(share: float, freedom: int) -> float:
    """Give how many standard errors below a share of Student's t lies."""
    return float(_stats().t.ppf(share, freedom))


def _stats() -> Any:
    try:
        from scipy import stats  # takes 0.6 s, which every command would pay
    except ModuleNotFoundError as error:
        raise missing_extra("scipy", "eval") from error
    return stats
