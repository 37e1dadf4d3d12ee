from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ipse.evaluation.stats import (
    compare,
    compare_whole,
    estimate,
    estimate_whole,
    holm,
    paired,
)


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
    one = compare([3.0], [1.0])
    assert (one.mean, one.low, one.high, one.p) == (2.0, -math.inf, math.inf, 1.0)


def test_the_same_people_must_be_on_both_sides():
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])


def test_a_permutation_test_by_hand():
    # Differences 1, 2, 3. Of the 8 ways to give them signs, 2 have a sum as far from 0 as 6:
    # all plus, all minus. So p = 2 / 8.
    assert compare([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).p == pytest.approx(0.25)
    # 1, 2, -3 sum to 0, and every other way is at least as far from 0: p = 1.
    assert compare([1.0, 2.0, -3.0], [0.0, 0.0, 0.0]).p == 1.0


def test_the_smallest_difference_seen_by_hand():
    # Differences 1, 2, 3: error 1 / sqrt(3). t(0.975, 2) = 4.3027, t(0.8, 2) = 1.0607.
    found = compare([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert found.detectable == pytest.approx((4.3027 + 1.0607) / math.sqrt(3), rel=1e-4)


def test_an_interval_holds_its_mean_and_shrinks_with_more_people():
    few = compare([0.2, 0.9, 0.4, 0.7, 0.1], [0.0] * 5)
    many = compare([0.2, 0.9, 0.4, 0.7, 0.1] * 8, [0.0] * 40)
    assert few.low < few.mean < few.high
    assert many.high - many.low < few.high - few.low
    assert compare([0.2, 0.9], [0.0, 0.0]) == compare([0.2, 0.9], [0.0, 0.0])


def test_a_difference_that_is_the_same_for_everyone_has_no_interval():
    found = compare([2.0, 3.0], [1.0, 2.0])
    assert (found.low, found.high) == (1.0, 1.0)


def test_holm_by_hand():
    # Sorted p: 0.01, 0.02, 0.03, 0.5. Times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.5, never falling.
    base = compare([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    given = [replace(base, p=p) for p in (0.02, 0.5, 0.01, 0.03)]
    assert [c.adjusted for c in holm(given)] == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert [c.clear for c in holm(given)] == [False, False, True, False]
    assert [c.adjusted for c in holm([replace(base, p=0.9), replace(base, p=0.8)])] == [1.0, 1.0]


def test_worse_is_clear_but_not_better():
    worse = replace(compare([2.0, 4.0], [1.0, 2.0]), mean=-1.0, adjusted=0.01)
    assert worse.clear
    assert not worse.better


VALUES = [0.1, 0.4, 0.2, 0.9, 0.5, 0.3, 0.8, 0.6]


def whole(places):
    return sum(VALUES[place] for place in places) / len(places)


def test_a_score_of_everyone_together_agrees_with_a_mean_where_it_is_one():
    by_person = estimate(VALUES)
    together = estimate_whole(whole, len(VALUES))
    assert together.mean == pytest.approx(by_person.mean)
    assert together.error == pytest.approx(by_person.error, rel=0.25)  # divides by n, not n - 1


def test_systems_that_differ_are_told_apart_by_a_score_of_everyone_together():
    def flipped(marks):
        return sum(-v if m else v for v, m in zip(VALUES, marks, strict=True)) / len(VALUES)

    found = compare_whole(whole, flipped, len(VALUES))
    assert found.mean == pytest.approx(0.475)
    # Of 256 ways to give signs, 2 are as extreme: about 0.008 of 500 draws, and the one counted in.
    assert found.p < 0.03
    assert found.low > 0


def test_systems_that_are_the_same_are_not():
    found = compare_whole(lambda _: 0.0, lambda _: 0.0, 8)
    assert (found.mean, found.p) == (0.0, 1.0)
