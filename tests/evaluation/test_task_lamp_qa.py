import json

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.judging.lamp_qa import LAMP_QA
from ipse.evaluation.tasks.lamp_qa import LampQa

ASPECT = {"aspect": "Time away", "reason": "It decides all.", "evidence": "I am gone for weeks"}


def post(n, **more):
    return {"id": f"p{n}", "category": "cooking", "text": f"Post {n}? Body."} | more


def asked(name="q1", profile=2, **more):
    return {
        "id": name,
        "question": "How do I store a starter?",
        "narrative": "I am gone for weeks, so …",
        "category": "baking",
        "profile": [post(n) for n in range(profile)],
        "rubric_aspects": [ASPECT, {"aspect": "Cost", "reason": "Poor."}],
    } | more


def written(root, *questions, name="Lifestyle_and_Personal_Development_test.json"):
    path = root / "lamp-qa" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(questions, indent=4))
    return root


def test_a_question_comes_with_past_posts_and_its_aspects_for_the_judge(tmp_path):
    (person,) = LampQa(root=written(tmp_path, asked())).people(1)
    (item,) = person.items
    assert [r.output for r in person.history.records] == ["Post 0? Body.", "Post 1? Body."]
    assert {(r.user, r.kind, r.input) for r in person.history.records} == {("q1", "content", "")}
    assert (item.id, item.question, item.group) == ("q1", "How do I store a starter?", "baking")
    assert (item.target, item.choices, item.time) == ("", (), None)
    assert item.meta["aspects"] == [ASPECT, {"aspect": "Cost", "reason": "Poor."}]
    assert item.meta["narrative"] == "I am gone for weeks, so …"


def test_the_model_is_never_told_the_narrative_or_an_aspect(tmp_path):
    (person,) = LampQa(root=written(tmp_path, asked())).people(1)
    told = person.items[0].question + "".join(r.output for r in person.history.records)
    assert "gone for weeks" not in told
    assert "Time away" not in told


def test_it_is_written_and_judged_and_has_no_score_without_a_judge(tmp_path):
    task = LampQa()
    assert (task.measures, task.metrics, task.judge) == (("write",), (), LAMP_QA.name)
    (person,) = LampQa(root=written(tmp_path, asked())).people(1)
    assert set(LAMP_QA.meta) <= person.items[0].meta.keys()


def test_the_person_before_stands_in_and_nobody_is_left_to_learn_from(tmp_path):
    task = LampQa(root=written(tmp_path, *(asked(name) for name in "abc")))
    assert [(p.history.id, p.other and p.other.id) for p in task.people(2)] == [
        ("a", "b"),
        ("b", "a"),
    ]
    assert list(task.population()) == []


def test_each_category_and_part_has_a_file_of_its_own(tmp_path):
    task = LampQa(root=tmp_path, category="Society_and_Culture", part="validation")
    with pytest.raises(
        InvalidFile, match=r"Society_and_Culture_validation\.json.*LaMP-QA by utils"
    ):
        next(task.people(1))
    written(tmp_path, asked(), name="Society_and_Culture_validation.json")
    assert next(task.people(1)).history.id == "q1"


def test_a_post_that_says_nothing_is_left_out_and_someone_may_have_no_past(tmp_path):
    profile = [post(1, text=" "), post(2, text=None), post(3)]
    root = written(tmp_path, asked("a", profile=0), asked("b") | {"profile": profile})
    first, second = LampQa(root=root).people(9)
    assert first.history.records == ()
    assert [r.output for r in second.history.records] == ["Post 3? Body."]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("q", "must be an object"),
        ({"id": "q"}, "no field 'profile'"),
        (asked(id=""), "'id' is empty"),
        (asked(question=None), "'question' must be a str"),
        (asked(narrative=3), "'narrative' must be a str"),
        (asked(rubric_aspects=[]), "'rubric_aspects' is empty"),
        (asked(rubric_aspects=[ASPECT, "cost"]), "aspect 2 must be an object"),
        (asked(rubric_aspects=[{"aspect": " "}]), "aspect 1: 'aspect' is empty"),
        (asked() | {"profile": [{"id": "p"}]}, "profile item 1 needs 'text'"),
        (asked() | {"profile": [post(1), post(2, text="a\x00")]}, r"profile item 2: .*U\+0000"),
    ],
)
def test_a_malformed_question_is_refused_by_its_number(tmp_path, entry, reason):
    root = written(tmp_path, asked(), entry)
    with pytest.raises(InvalidFile, match=rf"_test\.json: question 2.*{reason}"):
        list(LampQa(root=root).people(9))


def test_questions_are_read_as_people_are_wanted(tmp_path):
    people = LampQa(root=written(tmp_path, asked("a"), asked("b"), "broken")).people(9)
    assert next(people).history.id == "a"
    with pytest.raises(InvalidFile, match="question 3"):
        list(people)
