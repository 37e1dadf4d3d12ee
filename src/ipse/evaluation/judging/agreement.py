"""How far judges agree: Krippendorff's alpha, 1 for always, 0 for as often as by chance."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

from ipse.errors import missing_extra
from ipse.evaluation.judging.rubric import Level

__all__ = ["alpha"]


def alpha(ratings: Sequence[Mapping[Hashable, float]], level: Level) -> float | None:
    """Measure the agreement of judges beyond chance.

    Args:
        ratings: For each judge, its rating of each unit; units it did not rate are absent.
        level: How far apart two ratings are.

    Returns:
        Krippendorff's alpha; None where it is not defined: no unit has two ratings, or all are
        the same, so that nothing could have been disagreed on.
    """
    units = dict.fromkeys(unit for judge in ratings for unit in judge)
    shared = [unit for unit in units if sum(unit in judge for judge in ratings) > 1]
    table = [[judge.get(unit, math.nan) for unit in shared] for judge in ratings]
    if len({value for row in table for value in row if not math.isnan(value)}) < 2:
        return None
    try:
        import krippendorff
    except ModuleNotFoundError as error:
        raise missing_extra("krippendorff", "eval") from error
    return float(krippendorff.alpha(table, level_of_measurement=level))
