from __future__ import annotations

import pytest

from ipse.evaluation.judging.agreement import alpha
from ipse.evaluation.judging.summary import summarize


def line(judge, person, value, *, item="i1", scores=None, **fields):
    known = {
        "task": "t",
        "model": "m",
        "method": "recent",
        "whose": "own",
        "person": person,
        "item": item,
        "group": "",
        "rubric": "locomo",
        "judge": judge,
        "question": "correct",
        "about": "",
        "verdict": value,
        "left": 0,
        "scores": ({} if value is None else {"correct": value}) if scores is None else scores,
    }
    return {**known, **fields}


def test_alpha_of_two_judges_by_hand():
    # Units (1,1) (1,1) (0,0) (0,1). Observed disagreement: 1 pair of 4 differs, 2/8 = 0.25.
    # Of 8 ratings 5 are 1 and 3 are 0: by chance 2 * 5 * 3 / (8 * 7) = 30/56 differ.
    # alpha = 1 - 0.25 / (30/56) = 1 - 14/30 = 8/15
    one = {"a": 1, "b": 1, "c": 0, "d": 0}
    two = {"a": 1, "b": 1, "c": 0, "d": 1}
    assert alpha([one, two], "nominal") == pytest.approx(8 / 15)
    # A unit that only one judge rated tells nothing of agreement.
    assert alpha([{**one, "e": 0}, two], "nominal") == pytest.approx(8 / 15)


def test_alpha_is_one_for_perfect_and_below_zero_for_perverse_judges():
    assert alpha([{"a": 0, "b": 2}, {"a": 0, "b": 2}], "ordinal") == pytest.approx(1)
    assert alpha([{"a": 0, "b": 1}, {"a": 1, "b": 0}], "nominal") < 0


def test_ranks_that_are_further_apart_count_for_more():
    base = {unit: rank for rank in (0, 1, 2) for unit in (f"{rank}a", f"{rank}b")}
    near, far = {**base, "0a": 1}, {**base, "0a": 2}
    assert alpha([base, near], "ordinal") > alpha([base, far], "ordinal")


def test_alpha_is_not_defined_where_nothing_could_differ():
    assert alpha([], "nominal") is None
    assert alpha([{"a": 1}], "nominal") is None
    assert alpha([{"a": 1}, {"b": 0}], "nominal") is None
    assert alpha([{"a": 1, "b": 1}, {"a": 1, "b": 1}], "nominal") is None


def test_a_mean_is_over_judges_then_answers_then_people():
    found = summarize(
        [
            line("x", "ada", 1),
            line("y", "ada", 0),  # i1: 0.5
            line("x", "ada", 1, item="i2"),
            line("y", "ada", None, item="i2"),  # i2: 1, by one judge; ada: 0.75
            line("x", "bob", 0),
            line("y", "bob", 0),  # bob: 0
        ]
    )[0]
    assert found.score.mean == pytest.approx(0.375)
    assert found.score.people == 2
    assert found.score.error == pytest.approx(0.375)  # |0.75 - 0| / 2
    assert found.unparsable == pytest.approx(1 / 6)
    assert found.items == 3
    assert found.judges["x"].score.mean == pytest.approx(0.5)
    assert found.judges["y"].score.mean == 0
    assert found.judges["y"].unparsable == pytest.approx(1 / 3)
    # Units rated twice: (1,0) (0,0). Observed 2/4; by chance 2*1*3/(4*3) = 1/2: alpha 0.
    assert found.alphas == {"correct": pytest.approx(0)}
    assert found.weakest == ("correct", found.alphas["correct"])


def test_each_method_and_each_control_is_summed_up_alone():
    found = summarize(
        [
            line("x", "ada", 1),
            line("x", "ada", 0, whose="other"),
            line("x", "ada", 1, method="bm25"),
        ]
    )
    assert [(s.method, s.whose, s.score.mean) for s in found] == [
        ("recent", "own", 1),
        ("recent", "other", 0),
        ("bm25", "own", 1),
    ]


def test_groups_count_once_each_in_their_mean():
    found = summarize(
        [
            line("x", "a", 1, group="temporal"),
            line("x", "b", 1, group="temporal"),
            line("x", "c", 0, group="multi-hop"),
        ]
    )[0]
    assert {name: each.mean for name, each in found.groups.items()} == {
        "multi-hop": 0,
        "temporal": 1,
    }
    assert found.group_mean == 0.5


def test_parts_of_an_answer_are_agreed_on_one_by_one():
    lines = [
        line(judge, "ada", value, rubric="lamp-qa", question="aspect", about=about, **last)
        for judge, values in (("x", (0, 2)), ("y", (0, 2)))
        for about, value, last in (
            ("1. cost", values[0], {"left": 1, "scores": {}}),
            ("2. taste", values[1], {"scores": {"aspects": 0.5}}),
        )
    ]
    found = summarize(lines)[0]
    assert found.alphas == {"aspect": pytest.approx(1)}
    assert (found.score.mean, found.items) == (0.5, 1)


def test_where_judges_are_asked_different_things_their_scores_are_compared():
    lines = [
        line(
            judge,
            person,
            True,
            rubric="expert",
            question="style",
            scores={"average_f1": value, "style_f1": 0.1},
        )
        for judge in ("x", "y")
        for person, value in (("ada", 0.2), ("bob", 0.8))
    ]
    found = summarize(lines)[0]
    assert found.alphas == {"average_f1": pytest.approx(1)}
    assert list(found.scores) == ["average_f1", "style_f1"]


def test_with_no_readable_reply_there_is_no_score():
    found = summarize([line("x", "ada", None)])[0]
    assert (found.score, found.unparsable, found.group_mean, found.weakest) == (None, 1, None, None)
