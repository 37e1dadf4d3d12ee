"""EGISES and PerSEval, with the arithmetic of small documents."""

from __future__ import annotations

import math

import pytest

from ipse.errors import UsageError
from ipse.evaluation.scorers.personal import (
    Shared,
    degress,
    edp,
    egises,
    perseval,
    rouge_distance,
)

TWO = Shared("d", ("u1", "u2"), ("s1", "s2"))
THREE = Shared("d", ("u1", "u2", "u3"), ("s1", "s2", "s3"))


def table(**distances):
    """A distance by its pairs' names; what is not in it must not be asked for."""
    return lambda one, other: distances["_".join(sorted((one, other)))]


TWO_APART = table(
    u1_u2=0.8, s1_s2=0.2, d_u1=0.9, d_u2=0.9, d_s1=0.7, d_s2=0.7, s1_u1=0.2, s2_u2=0.4
)
THREE_APART = table(
    u1_u2=0.5,
    u1_u3=1.0,
    u2_u3=0.5,
    s1_s2=0.6,
    s1_s3=0.6,
    s2_s3=0.6,
    d_u1=0.5,
    d_u2=0.5,
    d_u3=0.5,
    d_s1=0.6,
    d_s2=0.6,
    d_s3=0.6,
)


def test_of_two_people_degress_is_the_ratio_of_their_distances():
    # the softmax over the one other person is 1: X = 0.8 and Y = 0.2 both ways
    assert degress(TWO, TWO_APART) == pytest.approx([(0.2 + 1e-5) / (0.8 + 1e-5)] * 2)


def test_of_three_people_the_farther_other_weighs_more():
    # u1: ratios 0.5 / 0.5 = 1 and 1 / 0.5 = 2; softmax 1 / (1 + e) and e / (1 + e)
    #     X_12 = 0.2689414 * 0.5 = 0.1344707, X_13 = 0.7310586 * 1
    # u2: both ratios are 1, both weights 1/2: X_21 = X_23 = 0.25
    # s:  all ratios are 1: Y = 0.3 everywhere
    first = (0.1344807 / 0.30001 + 0.30001 / 0.7310686) / 2
    second = 0.25001 / 0.30001
    assert degress(THREE, THREE_APART) == pytest.approx([first, second, first], rel=1e-6)


def test_egises_is_one_minus_the_mean_over_documents_of_the_mean_over_people():
    two = 0.20001 / 0.80001
    three = ((0.1344807 / 0.30001 + 0.30001 / 0.7310686) + 0.25001 / 0.30001) / 3

    def both(one, other):
        return (THREE_APART if "wide " in one + other else TWO_APART)(
            one.removeprefix("wide "), other.removeprefix("wide ")
        )

    wide = Shared(
        "wide d",
        tuple(f"wide {u}" for u in THREE.targets),
        tuple(f"wide {s}" for s in THREE.outputs),
    )
    assert egises([TWO, wide], both) == pytest.approx(1 - (two + three) / 2, rel=1e-6)


def test_edp_falls_where_outputs_are_far_from_their_person():
    # d = 0.2, 0.4: least 0.2, mean 0.3
    # ACP  S(0; 4)         = 1 / (1 + 10000)         = 0.00009999
    #      S(0.2 / 0.1; 4) = 1 / (1 + 10000 e^-20)   = 0.99997939
    # ADP  S(0.2 / 0.8; 4) = 1 / (1 + 10000 e^-2.5)  = 0.00121677
    near = 1 - 1 / (1 + 1000 * math.exp(-10 * (0.00009999 + 0.00121677)))
    far = 1 - 1 / (1 + 1000 * math.exp(-10 * (0.99997939 + 0.00121677)))
    assert (near, far) == pytest.approx((0.998988, 0.042934), abs=1e-6)
    assert edp(TWO, TWO_APART) == pytest.approx([near, far], rel=1e-5)


def test_perseval_is_the_mean_of_degress_by_edp():
    # 0.20001 / 0.80001 = 0.25000937 for both: times (0.998988 + 0.042934) / 2
    assert perseval([TWO], TWO_APART) == pytest.approx(0.25000937 * 0.520961, rel=1e-5)


def test_everyones_own_words_are_best():
    texts = ("I liked the sea and the food", "The food was cold", "Far too many people")
    ideal = [Shared("A week by the sea: food, people", texts, texts)]
    assert egises(ideal) == pytest.approx(0.0)
    # d = 0 for all: ACP = ADP = S(0; 4) = 1 / 10001; EDP = 1 - S(2 / 10001; 3)
    best = 1 - 1 / (1 + 1000 * math.exp(-10 * 2 / 10001))
    assert perseval(ideal) == pytest.approx(best)
    assert best == pytest.approx(0.999, abs=1e-5)


def test_the_same_output_for_everyone_is_worst():
    texts = ("I liked the sea", "The food was cold")
    same = [Shared("A week by the sea", texts, ("It was nice",) * 2)]
    assert egises(same) > 0.9999
    assert perseval(same) < 0.0001


def test_people_who_agree_and_outputs_that_agree_are_alike():
    assert degress(Shared("d", ("a b", "a b"), ("c d", "c d"))) == (1.0, 1.0)


def test_swapped_outputs_are_as_responsive_and_less_personal():
    one, other = "I liked the sea", "The food was cold"
    right, swapped = (Shared("d", (one, other), s) for s in ((one, other), (other, one)))
    assert egises([right]) == egises([swapped]) == pytest.approx(0.0)
    assert perseval([right]) == pytest.approx(0.999, abs=1e-5)
    assert perseval([swapped]) < 0.05


def test_a_text_that_is_its_document_weighs_all_others_alike():
    zero = table(**{f"d_{t}": 0.0 for t in ("u1", "u2", "u3", "s1", "s2", "s3")},
                 u1_u2=0.5, u1_u3=1.0, u2_u3=0.5, s1_s2=0.5, s1_s3=0.5, s2_s3=0.5)  # fmt: skip
    # u1: weights 1/2: X = 0.25, 0.5; Y = 0.25
    assert degress(THREE, zero)[0] == pytest.approx((1 + 0.25001 / 0.50001) / 2)


def test_a_tiny_distance_from_the_document_does_not_overflow():
    # ratios are 1e9 and 5e8: all weight is on the farther
    near = table(**{f"d_{t}": 1e-9 for t in ("u1", "u2", "u3", "s1", "s2", "s3")},
                 u1_u2=0.5, u1_u3=1.0, u2_u3=0.5, s1_s2=0.5, s1_s3=1.0, s2_s3=0.5)  # fmt: skip
    assert degress(THREE, near) == pytest.approx([1.0] * 3)


def test_outputs_as_far_as_can_be_are_worth_little():
    # d = 1 for both: ACP = S(0; 4) = 1 / 10001, and ADP = 1
    little = 1 - 1 / (1 + 1000 * math.exp(-10 * (1 / 10001 + 1)))
    assert edp(TWO, lambda one, other: float(one != other)) == pytest.approx([little] * 2)
    assert little == pytest.approx(0.043386, abs=1e-6)


def test_the_distance_is_one_minus_rouge_l():
    assert rouge_distance("the sea", "the sea") == 0.0
    assert rouge_distance("the sea", "the food") == pytest.approx(0.5)
    assert rouge_distance("", "") == 1.0


def test_a_document_needs_two_people():
    with pytest.raises(UsageError, match="at least 2 people, not 1"):
        Shared("d", ("u",), ("s",))


def test_everyone_needs_an_output():
    with pytest.raises(UsageError, match="2 people have 1 outputs"):
        Shared("d", ("u1", "u2"), ("s",))


def test_without_documents_there_is_no_score():
    for score in (egises, perseval):
        with pytest.raises(UsageError, match="nothing to score"):
            score([])
