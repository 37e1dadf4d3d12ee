from __future__ import annotations

import math

import pytest

from ipse.evaluation.stats import estimate, paired


def test_an_estimate_by_hand():
    # Mean 3; deviations -2, 0, 2; variance 8 / 2 = 4; error 2 / sqrt(3); t(0.975, 2) = 4.3027.
    found = estimate([1.0, 3.0, 5.0])
    assert found.mean == 3
    assert found.error == pytest.approx(2 / math.sqrt(3))
    assert found.high - found.mean == pytest.approx(4.3027 * 2 / math.sqrt(3), rel=1e-4)
    assert found.low == pytest.approx(3 - 4.3027 * 2 / math.sqrt(3), rel=1e-4)
    assert (found.people, found.clear) == (3, False)


def test_differences_are_taken_person_by_person():
    # Two people who differ a lot, each better by one: the difference has no spread at all.
    found = paired([10.0, 2.0], [9.0, 1.0])
    assert (found.mean, found.error, found.clear) == (1.0, 0.0, True)


def test_one_person_says_nothing_of_others():
    found = estimate([3.0])
    assert (found.low, found.high, found.clear) == (-math.inf, math.inf, False)


def test_the_same_people_must_be_on_both_sides():
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])
