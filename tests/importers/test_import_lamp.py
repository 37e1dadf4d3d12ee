import gzip
import json
from codecs import BOM_UTF8
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from ipse.errors import InvalidFile, Unknown
from ipse.importers import Problem, array, lamp, read
from ipse.importers.base import opened

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


@pytest.mark.parametrize(
    ("date", "day"),
    [("2015-4-2", "2015-04-02"), ("2015-12", "2015-12-01"), (2015, "2015-01-01")],
)
def test_dates_are_read_as_the_official_scripts_read_them(tmp_path, date, day):
    (record,) = read("lamp", written(tmp_path, [question(ITEM | {"date": date})]), task="lamp-4")
    assert record.time.date().isoformat() == day


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


def test_a_question_may_say_when_it_was_asked(tmp_path):
    path = written(tmp_path, [question(date="2020-05-01"), question(), question(date="soon")])
    dated, undated, problem = lamp.read_questions(path, "lamp-4")
    assert dated.time == datetime(2020, 5, 1, tzinfo=UTC)
    assert undated.time is None
    assert "the question's date: a time is" in problem.reason


@pytest.mark.parametrize(
    ("task", "entry", "other"),
    [
        ("lamp-2", question({"text": "X", "title": "T", "category": "crime"}), "lamp-2n"),
        ("lamp-2m", question(input="Which category does this article relate to?"), "lamp-2n"),
        ("lamp-2n", question({"description": "D", "tag": "comedy"}), "lamp-2"),
        ("lamp-2n", question(input="Which tag does this movie relate to?"), "lamp-2"),
    ],
)
def test_the_two_tasks_called_lamp_2_are_told_apart(tmp_path, task, entry, other):
    (problem,) = lamp.read_questions(written(tmp_path, [entry]), task)
    assert problem.reason.startswith(f"this question is of '{other}', not of '{task}'")


@pytest.mark.parametrize("nothing", ["", " \n", None])
def test_an_item_that_says_nothing_is_a_problem_or_left_out(tmp_path, nothing):
    path = written(tmp_path, [question(ITEM | {"title": nothing}, ITEM, {"text": "X"})])
    problems = [item for item in lamp.read_questions(path, "lamp-4") if isinstance(item, Problem)]
    assert len(problems) == 2
    missing, kept = lamp.read_questions(path, "lamp-4", blanks=False)
    assert "profile item 3 of lamp-4 needs" in missing.reason
    assert [record.output for record in kept.profile] == ["T"]


class Counted:
    """An open file that counts the bytes it gives."""

    def __init__(self, file):
        self.file, self.bytes, self.seek = file, 0, file.seek

    def read(self, size):
        data = self.file.read(size)
        self.bytes += len(data)
        return data


def test_a_file_is_read_no_further_than_its_questions_are_wanted(tmp_path, monkeypatch):
    path = tmp_path / "questions.json"
    entry = json.dumps(question(*[ITEM | {"text": "word " * 60}] * 70))
    with path.open("w") as file:  # 1,100 questions of 29 kB each
        file.write("[" + entry)
        file.writelines("," + entry for _ in range(1099))
        file.write("]")
    assert path.stat().st_size > 30_000_000
    files = []

    @contextmanager
    def counted(path):
        with opened(path) as file:
            files.append(Counted(file))
            yield files[-1]

    monkeypatch.setattr(array, "opened", counted)
    questions = lamp.read_questions(path, "lamp-4")
    for _ in range(3):
        assert len(next(questions).profile) == 70
    assert len(files) == 1
    assert files[0].bytes < 300_000


def test_a_list_may_be_packed_and_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "questions.json"
    text = json.dumps([question(ITEM | {"title": "Élan 🎈"})], ensure_ascii=False).encode()
    for data in (text, BOM_UTF8 + text, gzip.compress(BOM_UTF8 + text)):
        path.write_bytes(data)
        (record,) = read("lamp", path, task="lamp-4")
        assert record.output == "Élan 🎈"


def test_what_stands_before_a_break_in_the_file_is_given(tmp_path):
    path = tmp_path / "questions.json"
    for ending in (b"", b", {]", b"] x", b', "\xff"]'):
        path.write_bytes(json.dumps([question(ITEM)]).encode()[:-1] + ending)
        records = read("lamp", path, task="lamp-4")
        assert next(records).output == "T"
        with pytest.raises(InvalidFile, match=r"questions\.json is not a whole JSON file"):
            next(records)


def test_an_empty_file_and_a_deep_one_are_refused(tmp_path):
    path = tmp_path / "questions.json"
    for data, reason in ((b"", "not a whole JSON"), (b"[" * 100_000, "more than 64 levels")):
        path.write_bytes(data)
        with pytest.raises(InvalidFile, match=reason):
            list(read("lamp", path, task="lamp-4"))
