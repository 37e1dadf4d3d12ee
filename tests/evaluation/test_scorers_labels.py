"""Labels and ratings, scored as LaMP's official script does."""

from __future__ import annotations

import math
import random

import pytest

from ipse.errors import Unknown, UsageError
from ipse.evaluation.scorers.labels import (
    absolute_error,
    label_accuracy,
    label_index,
    macro_f1,
    read_rating,
    rmse,
    squared_error,
)

CITATION = ("[1]", "[2]")
TAGS = ("sci-fi", "comedy", "action", "classic")


@pytest.mark.parametrize(
    ("output", "place"),
    [("[1]", 0), (" [2]\n", 1), ("[1].", -1), ("1", -1), ("", -1), ("[1] [2]", -1)],
)
def test_a_label_is_matched_exactly_but_for_white_space_around_it(output, place):
    assert label_index(output, CITATION) == place


def test_case_is_not_forgiven():
    assert label_index("Comedy", TAGS) == -1


def test_accuracy_is_one_for_the_right_label_and_zero_for_all_else():
    assert label_accuracy(" [2] ", "[2]", CITATION) == 1.0
    assert label_accuracy("[1]", "[2]", CITATION) == 0.0
    assert label_accuracy("neither", "[2]", CITATION) == 0.0


def test_a_target_that_is_no_label_is_an_error_that_names_the_labels():
    with pytest.raises(Unknown, match=r"unknown label 'comdy'\. Did you mean 'comedy'"):
        label_accuracy("comedy", "comdy", TAGS)
    with pytest.raises(Unknown, match="action, classic, comedy, sci-fi"):
        macro_f1(["comedy"], ["drama"], TAGS)


def test_macro_f1_counts_what_is_no_label_as_a_miss_and_an_unseen_label_as_zero():
    targets = ["sci-fi", "sci-fi", "comedy", "action", "action"]
    outputs = ["sci-fi", "what?", "comedy", "", "sci-fi"]
    # sci-fi  1 hit, said 2, right 2: 2 / 4; comedy 1; action 0 hits; classic nowhere: 0
    assert macro_f1(outputs, targets, TAGS) == pytest.approx((0.5 + 1 + 0 + 0) / 4)


def test_macro_f1_and_accuracy_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    chance = random.Random(0)
    for size in (1, 2, 7, 60):
        targets = chance.choices(TAGS, k=size)
        outputs = chance.choices([*TAGS, "no label", ""], k=size)
        gold, said = ([label_index(text, TAGS) for text in texts] for texts in (targets, outputs))
        f1 = metrics.f1_score(
            gold, said, labels=list(range(len(TAGS))), average="macro", zero_division=0
        )
        assert macro_f1(outputs, targets, TAGS) == pytest.approx(f1)
        accuracy = sum(map(label_accuracy, outputs, targets, [TAGS] * size)) / size
        assert accuracy == pytest.approx(metrics.accuracy_score(gold, said))


def test_there_is_no_f1_of_no_answers():
    with pytest.raises(UsageError, match="no answers"):
        macro_f1([], [], TAGS)


@pytest.mark.parametrize(
    ("output", "rating"),
    [("4", 4.0), (" 4.5\n", 4.5), ("1e1", 10.0), ("-3", -3.0), ("2024", 2024.0), ("4_0", 40.0)],
)
def test_whatever_python_takes_for_a_number_is_a_rating_as_it_is(output, rating):
    assert read_rating(output, "2") == rating


@pytest.mark.parametrize("output", ["", "4 stars", "four", "4/5", "nan", "inf", "-inf", "1" * 40])
def test_what_is_no_rating_becomes_the_end_farther_from_the_target(output):
    assert [read_rating(output, target) for target in "12345"] == [5.0, 5.0, 5.0, 1.0, 1.0]


def test_errors_are_between_rating_and_target():
    assert absolute_error("2", "5") == 3.0
    assert squared_error("2", "5") == 9.0
    assert absolute_error("I like it", "4") == 3.0  # read as 1


def test_rmse_is_the_root_of_the_mean_square():
    assert rmse([1.0, 4.0, 4.0]) == pytest.approx(math.sqrt(3))
    with pytest.raises(UsageError, match="no mean"):
        rmse([])


@pytest.mark.parametrize("output", ["4", "four"])
def test_a_target_that_is_no_number_is_an_error(output):
    with pytest.raises(UsageError, match="not 'good'"):
        absolute_error(output, "good")


def test_the_errors_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    outputs, targets = ["5", "x", "1", "3.5"], ["4", "2", "1", "3"]
    said, gold = [5.0, 5.0, 1.0, 3.5], [4.0, 2.0, 1.0, 3.0]
    mae = sum(map(absolute_error, outputs, targets)) / 4
    assert mae == pytest.approx(metrics.mean_absolute_error(gold, said))
    ours = rmse(list(map(squared_error, outputs, targets)))
    assert ours == pytest.approx(math.sqrt(metrics.mean_squared_error(gold, said)))
