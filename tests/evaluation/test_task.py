from __future__ import annotations

from datetime import timedelta

import pytest

from ipse.errors import InvalidFile, Unknown, UsageError
from ipse.evaluation.task import Item, Person, Source, rotated, split, spread
from ipse.evaluation.tasks import FAMILIES, TASKS, open_task, task_spec
from ipse.records import User
from tests.evaluation.judgements import JUDGED, USERS
from tests.people import person


@pytest.fixture
def task(root):
    return open_task("ukpconvarg-reason:items=2,words=5,fit=2", root)


def test_the_past_is_strictly_before_what_is_asked(task):
    for one in task.people(3):
        assert len(one.history) == JUDGED * 8 // 10
        assert len(one.items) == 2
        assert all(record.time < one.items[0].time for record in one.history.records)


def test_a_planted_answer_in_the_future_is_not_seen(task):
    for one in task.people(3):
        answers = {item.target for item in one.items}
        assert not answers & {record.output for record in one.history.records}


def test_one_person_alone_has_nobody_to_stand_in(task):
    with pytest.raises(UsageError, match="needs at least 2 people; got 1"):
        list(task.people(1))


def test_the_other_person_is_another_and_shares_the_topics(root):
    everyone = list(open_task("ukpconvarg-reason:items=2,fit=0", root).people(5))
    for one in everyone:
        assert one.other.id != one.history.id
    others = {one.history.id: one.other.id for one in everyone}
    assert (others["ada"], others["bob"]) == ("bob", "ada")


def test_nobody_is_both_learned_from_and_reported_on(task):
    reported = {one.history.id for one in task.people(9)}
    learned_from = {user.id for user in task.population()}
    assert (len(reported), len(learned_from)) == (3, 2)
    assert not reported & learned_from


def test_the_split_does_not_depend_on_the_order_of_people():
    assert split(USERS, 2) == split(reversed(USERS), 2)


def test_a_question_has_its_arguments_cut(task):
    question = next(task.people(2)).items[0].question
    assert "argument 0 word word …" in question
    assert question.endswith("Say why, in one sentence.")


def test_a_history_that_reaches_to_the_question_is_refused():
    ada = person("ada", 3)
    late = Item("q", "Why?", time=ada.records[-1].time)
    with pytest.raises(UsageError, match="is not before the item 'q'"):
        Person(ada, (late,))
    Person(ada, (Item("q", "Why?", time=late.time + timedelta(seconds=1)),))


def test_a_history_that_holds_the_answer_is_refused():
    ada = person("ada", 3)
    with pytest.raises(UsageError, match="holds the item"):
        Person(ada, (Item(ada.records[0].id, "Why?"),))


def test_nobody_stands_in_for_themselves():
    with pytest.raises(UsageError, match="cannot stand in for themselves"):
        Person(person("ada", 1), (), person("ada", 2))


def test_the_one_before_stands_in_and_the_second_for_the_first():
    views = [User(name) for name in ("ada", "bob", "eve")]
    people = list(rotated((view, ()) for view in views))
    assert [(p.history.id, p.other.id) for p in people] == [
        ("ada", "bob"),
        ("bob", "ada"),
        ("eve", "bob"),
    ]
    assert [p.other for p in rotated([(views[0], ())])] == [None]


def test_rotation_reads_one_person_ahead_and_no_more():
    read = []

    def views():
        for name in ("ada", "bob", "eve", "joe"):
            read.append(name)
            yield User(name), ()

    next(rotated(views()))
    assert read == ["ada", "bob"]


def test_things_are_taken_at_even_distances():
    assert spread("abcdef", 3) == ("a", "c", "e")
    assert spread("ab", 3) == ("a", "b")
    assert spread("ab", 0) == ("a", "b")


def test_a_missing_file_says_where_to_get_it_and_where_it_goes(tmp_path):
    source = Source("corpus", ("a.json",), "example.org/corpus", "CC0")
    with pytest.raises(
        InvalidFile, match=r"example\.org/corpus \(CC0\).*corpus/\{a\.json\}.*--data"
    ):
        source.find(tmp_path, "a.json")
    assert not source.present(tmp_path)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.json.gz").touch()
    assert source.find(tmp_path, "a.json").name == "a.json.gz"
    assert source.present(tmp_path)


@pytest.mark.parametrize("name", [*TASKS, *FAMILIES])
def test_a_task_is_written_as_it_is_read(name):
    task = open_task(name)
    assert open_task(task_spec(task)) == task
    changed = open_task(f"{name}:items=7")
    assert changed.items == 7
    assert open_task(task_spec(changed)) == changed


def test_a_family_keeps_its_name_beside_other_settings():
    assert task_spec(open_task("lamp-5:items=3")) == "lamp-5:items=3"
    assert task_spec(open_task("lamp:number=2n")) == "lamp-2n"
    assert task_spec(open_task("lamp:items=3")) == "lamp-4:items=3"


def test_what_is_not_known_is_named():
    with pytest.raises(Unknown, match="Did you mean 'locomo'"):
        open_task("locomoo")
    with pytest.raises(Unknown, match="setting of 'locomo'"):
        open_task("locomo:k=3")
    with pytest.raises(Unknown, match="unknown setting of 'locomo' 'root'"):
        open_task("locomo:root=x")


@pytest.mark.parametrize("name", [*TASKS, *FAMILIES])
def test_a_task_says_what_it_is(name):
    task = open_task(name)
    assert task.name == name or name in FAMILIES
    assert task.measures
    assert (type(task).__doc__ or "").strip()


def test_settings_are_chosen_on_people_that_no_result_is_of(root):
    reported = {p.history.id for p in open_task("ukpconvarg-reason:fit=3", root).people(9)}
    tuned = open_task("ukpconvarg-reason:fit=3,part=tune", root)
    asked = {p.history.id for p in tuned.people(9)}
    learned_from = {user.id for user in tuned.population()}
    assert (len(reported), len(asked), len(learned_from)) == (2, 3, 0)
    assert not reported & asked
    wide = open_task("ukpconvarg-reason:fit=5,part=tune", root)
    assert len({user.id for user in wide.population()}) == 1
    assert not {p.history.id for p in wide.people(9)} & {user.id for user in wide.population()}


def test_a_past_can_be_cut_to_its_latest_records_with_the_same_people_and_items(root):
    """So that one run says what ten records are worth, and another what a hundred are."""
    whole = {p.history.id: p for p in open_task("ukpconvarg-reason:fit=0", root).people(5)}
    short = {p.history.id: p for p in open_task("ukpconvarg-reason:fit=0,latest=3", root).people(5)}
    assert whole.keys() == short.keys()
    for name, one in short.items():
        assert one.history.records == whole[name].history.records[-3:]
        assert one.items == whole[name].items
        assert len(one.other) == 3
    with pytest.raises(UsageError, match="got 0"):
        list(open_task("ukpconvarg-reason:fit=0,least=17", root).people(5))
    assert len(list(open_task("ukpconvarg-reason:fit=0,least=16", root).people(5))) == 5
