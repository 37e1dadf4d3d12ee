import json

import pytest

from ipse.errors import InvalidFile, Unknown
from ipse.importers import Problem, lamp, read

ITEM = {
    "id": "9", "title": "T", "abstract": "A", "text": "X", "category": "crime", "score": 4,
    "tag": "comedy", "description": "D",
}  # fmt: skip


def written(tmp_path, data, name="questions.json"):
    path = tmp_path / name
    path.write_text(json.dumps(data))
    return path


def question(*profile, **more):
    return {"id": "110", "input": "Which?", "profile": list(profile)} | more


@pytest.mark.parametrize(
    ("task", "kind", "texts"),
    [
        ("lamp-1", "content", ("T", "A")),
        ("lamp-2", "interaction", ("D", "comedy")),
        ("lamp-2m", "interaction", ("D", "comedy")),
        ("lamp-2n", "content", ("X", "crime")),
        ("lamp-3", "interaction", ("X", "4")),
        ("lamp-4", "content", ("X", "T")),
        ("lamp-5", "content", ("A", "T")),
        ("lamp-6", "content", ("X", "T")),
        ("lamp-7", "content", ("", "X")),
    ],
)
def test_every_tasks_items_become_records(tmp_path, task, kind, texts):
    (record,) = read("lamp", written(tmp_path, [question(ITEM)]), task=task)
    assert (record.kind, record.user) == (kind, "110")
    assert (record.input, record.output) == texts
    assert (record.meta["profile_id"], record.meta["task"]) == ("9", task)
    assert ("labels" in record.meta) == (kind == "interaction")


def test_dates_users_and_the_order_where_there_are_no_dates(tmp_path):
    dated = question(ITEM | {"date": "2015-04-12"}, user_id=7)
    path = written(tmp_path, [dated, question(ITEM, ITEM)])
    first, second, third = read("lamp", path, task="lamp-4")
    assert (first.user, first.time.date().isoformat()) == ("7", "2015-04-12")
    assert second.time < third.time
    assert "date" not in first.meta


def test_questions_come_with_records_and_golds(tmp_path):
    path = written(tmp_path, [question(ITEM), question(id=2)])
    golds = {"task": "LaMP_4", "golds": [{"id": "110", "output": "Headline"}, {"id": "3"}]}
    first, second = lamp.read_questions(path, "lamp-4", written(tmp_path, golds, "golds.json"))
    assert (first.id, first.user, first.input, first.output) == ("110", "110", "Which?", "Headline")
    assert first.profile == tuple(read("lamp", path, task="lamp-4"))
    assert (second.id, second.profile, second.output) == ("2", (), None)


def test_golds_of_another_task_are_refused(tmp_path):
    golds = written(tmp_path, {"task": "LaMP_6", "golds": []}, "golds.json")
    with pytest.raises(InvalidFile, match="'lamp-6', not of 'lamp-4'"):
        lamp.read_questions(written(tmp_path, []), "lamp-4", golds)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", "profile item 2 of lamp-3 needs 'text' and 'score'"),
        ({"text": "X"}, "needs 'text' and 'score'"),
        (ITEM | {"text": 5}, "input must be text"),
        (ITEM | {"text": "a\x00"}, "U+0000"),
        (ITEM | {"score": " "}, "say something"),
        (ITEM | {"date": "soon"}, "profile item 2: a time is"),
    ],
)
def test_a_malformed_item_is_a_problem_and_the_question_keeps_the_rest(tmp_path, item, reason):
    path = written(tmp_path, [question(ITEM, item)])
    problem, kept = lamp.read_questions(path, "lamp-3")
    assert isinstance(problem, Problem)
    assert problem.line == 1
    assert reason in problem.reason
    assert len(kept.profile) == 1


@pytest.mark.parametrize("entry", [3, {}, {"id": "1"}, {"id": "1", "input": "", "profile": "x"}])
def test_a_malformed_question_is_a_problem(tmp_path, entry):
    problem, record = read("lamp", written(tmp_path, [entry, question(ITEM)]), task="lamp-3")
    assert (problem.line, record.output) == (1, "4")


def test_what_is_no_lamp_file_and_no_lamp_task_is_an_error(tmp_path):
    with pytest.raises(InvalidFile, match="not a list of questions"):
        list(read("lamp", written(tmp_path, {}), task="lamp-3"))
    with pytest.raises(Unknown, match="Did you mean 'lamp-2n'"):
        read("lamp", written(tmp_path, []), task="lamp_2n")
