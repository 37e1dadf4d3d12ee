"""Statistics over people: a person is one observation, however many answers they gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ipse.errors import missing_extra

__all__ = ["Estimate", "estimate", "paired"]


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
    reach = _student_t(len(values) - 1) * error
    return Estimate(mean, error, mean - reach, mean + reach, len(values))


def paired(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Estimate the mean difference, first minus second, of the same people."""
    return estimate([a - b for a, b in zip(first, second, strict=True)])


def _student_t(freedom: int) -> float:
    """Give how many standard errors a 95% interval reaches to either side."""
    try:
        from scipy.stats import t  # takes 0.6 s, which every command would pay
    except ModuleNotFoundError as error:
        raise missing_extra("scipy", "eval") from error
    return float(t.ppf(0.975, freedom))
