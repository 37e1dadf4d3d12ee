"""Scores of rankings, with the arithmetic of small ones."""

from __future__ import annotations

import math

import pytest

from ipse.errors import UsageError
from ipse.evaluation.scorers.ranking import mrr, ndcg, recall, recall_all, recall_any

RANKED = ["x", "a", "y", "b", "z"]


@pytest.mark.parametrize(
    ("k", "share"), [(1, 0.0), (2, 1 / 3), (3, 1 / 3), (4, 2 / 3), (20, 2 / 3)]
)
def test_recall_is_the_share_of_the_evidence_among_the_first(k, share):
    assert recall(RANKED, ["a", "b", "not found"], k) == pytest.approx(share)


def test_any_needs_one_and_all_needs_every_one():
    assert [recall_any(RANKED, ["a", "b"], k) for k in (1, 2, 4)] == [0.0, 1.0, 1.0]
    assert [recall_all(RANKED, ["a", "b"], k) for k in (1, 2, 4)] == [0.0, 0.0, 1.0]


def test_ndcg_discounts_by_the_logarithm_of_the_place_from_the_second_on():
    # rel = 0 1 0 1: 1 / log2(2) + 1 / log2(4) = 1.5; best, 1 1: 1 + 1 / log2(2) = 2
    assert ndcg(RANKED, ["a", "b"], 10) == pytest.approx(1.5 / 2)
    # the usual form would be (1 / log2(3) + 1 / log2(5)) / (1 / log2(2) + 1 / log2(3))


def test_the_first_two_places_are_worth_the_same():
    assert ndcg(["a", "x"], ["a"], 10) == ndcg(["x", "a"], ["a"], 10) == 1.0
    assert ndcg(["x", "y", "a"], ["a"], 10) == pytest.approx(1 / math.log2(3))


def test_the_best_ranking_has_no_more_places_than_are_looked_at():
    # 1 of the first 2 is evidence; the best has 2, though there are 3: 1 / (1 + 1)
    assert ndcg(["a", "x", "b", "c"], ["a", "b", "c"], 2) == pytest.approx(1 / 2)


def test_mrr_is_one_over_the_first_place():
    assert mrr(RANKED, ["b", "a"]) == 0.5
    assert mrr(RANKED, ["q"]) == 0.0


def test_nothing_found_scores_zero():
    for score in (recall, recall_any, recall_all, ndcg):
        assert score([], ["a"], 5) == 0.0
    assert mrr([], ["a"]) == 0.0


def test_a_record_that_is_ranked_twice_counts_once_and_takes_one_place():
    twice = ["x", "x", "a"]
    assert recall(twice, ["a"], 2) == 1.0
    assert mrr(twice, ["a"]) == 0.5
    assert recall(["a", "a"], ["a", "b"], 2) == ndcg(["a", "a"], ["a", "b"], 2) == 0.5


def test_evidence_that_is_named_twice_counts_once():
    assert recall(["a"], ["a", "a"], 1) == recall_all(["a"], ["a", "a"], 1) == 1.0
    assert ndcg(["a"], ["a", "a"], 5) == 1.0


def test_a_question_without_evidence_has_no_score():
    for score in (recall, recall_any, recall_all, ndcg):
        with pytest.raises(UsageError, match="without evidence"):
            score(["a"], [], 5)
    with pytest.raises(UsageError, match="without evidence"):
        mrr(["a"], [])


def test_at_least_one_record_is_looked_at():
    with pytest.raises(UsageError, match="at least 1 record must be looked at, not 0"):
        recall(["a"], ["a"], 0)
