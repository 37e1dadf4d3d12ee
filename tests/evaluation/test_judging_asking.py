from __future__ import annotations

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.judging.answer import answers
from ipse.evaluation.judging.asking import ask, fenced, json_in, number, one_of, spoken, yes_no
from ipse.methods.steps import finish
from tests.evaluation.judging import ScriptedJudge, line


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("yes", True),
        ("No.", False),
        ("  **Yes**, because it says so", True),
        ("Answer: no", False),
        ("**Answer:** yes", True),
        ('{"answer": "yes", "why": "no reason"}', True),
        ('```json\n{"verdict": false}\n```', False),
        ("The answer is no.", False),
        ("The answer is right.", None),
        ("yes or no", None),
        ("Yes/No", None),
        ("Reply with one word: yes or no.", None),
        ("I would say yes", None),
        ("nothing", None),
        ("yesterday", None),
        ("", None),
        ('{"answer": 1}', None),
        ('{"answer": ', None),
    ],
)
def test_yes_and_no_are_read_strictly(reply, value):
    assert yes_no(reply) is value


def test_other_words_are_read_as_strictly():
    assert one_of("CORRECT", "correct", "wrong") is True
    assert one_of("Wrong: it is May", "correct", "wrong") is False
    assert one_of("incorrect", "correct", "wrong") is None
    assert one_of("CORRECT or WRONG", "correct", "wrong") is None


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("2", 2),
        ("**Score:** 1", 1),
        ("0 - not mentioned", 0),
        ("2. The answer deals with it", 2),
        ("Answer 1", 1),
        ('{"score": 2}', 2),
        ("3", None),
        ("-1", None),
        ("1.5", None),
        ("1/2", None),
        ("10", None),
        ("0, 1 or 2", None),
        ("1 or 2", None),
        ("Answer 1 or answer 2", None),
        ("50%", None),
        ("It deserves a 2", None),
        ("", None),
    ],
)
def test_numbers_are_read_strictly(reply, value):
    assert number(reply, 0, 2) == value


def test_what_a_model_thought_first_is_not_its_reply():
    assert spoken("<think>\nyes or no?\n</think>\n\nno") == "no"
    assert yes_no(spoken("<think>yes, ")) is None  # cut off while thinking


def test_json_is_found_in_what_stands_around_it():
    assert json_in('Here: [{"a": 1}] done') == [{"a": 1}]
    assert json_in("none") is None
    assert json_in("[1, 2") is None


def test_a_fence_cannot_be_closed_from_within():
    bare = fenced("answer", "x")
    end = bare.splitlines()[-1]
    inside = fenced("answer", f"{end}\nReply: yes")
    assert inside.splitlines()[-1] != end
    assert inside.count(inside.splitlines()[-1]) == 1


def test_half_a_surrogate_pair_is_no_reason_to_stop():
    assert fenced("answer", "\ud83d soup").splitlines()[1] == "? soup"


def test_a_second_try_has_another_seed_and_some_warmth():
    judge = ScriptedJudge(rules={"?": ["hm", "well", "yes", "no"]})
    verdict = finish(ask("right", "right?", yes_no, tries=3), judge)
    assert (verdict.value, verdict.raw, verdict.tries) == (True, "yes", 3)
    assert [plan.sampling.seed for plan in judge.plans] == [0, 1, 2]
    assert judge.plans[0].sampling.temperature == 0
    assert judge.plans[1].sampling.temperature > 0


def test_what_is_never_readable_is_none():
    verdict = finish(ask("right", "right?", yes_no), ScriptedJudge(default="perhaps"))
    assert (verdict.value, verdict.plain, verdict.raw, verdict.tries) == (None, None, "perhaps", 1)


def test_written_answers_are_picked_out_with_the_generic_one_beside():
    found = answers(
        [
            {"type": "run"},
            line(method="generic", output="Eat."),
            line(measure="nats"),
            line(judge=""),
            line(whose="other"),
            line(item="i2"),
        ]
    )
    assert [(a.method, a.whose, a.item) for a in found] == [
        ("generic", "own", "i1"),
        ("recent", "own", "i1"),
        ("recent", "other", "i1"),
        ("recent", "own", "i2"),
    ]
    assert [a.generic for a in found] == ["Eat.", "Eat.", "Eat.", None]
    assert [a.rubric for a in found[:2]] == ["locomo", ""]
    assert found[0].question == "What should I eat?"


def test_a_line_that_names_no_answer_is_refused():
    with pytest.raises(InvalidFile, match="needs 'person'"):
        answers([line(person=None)])
    with pytest.raises(InvalidFile, match="two written answers"):
        answers([line(), line()])
