from __future__ import annotations

import json

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.longmemeval import Longmemeval


def turn(role, content, answers=None):
    return {"role": role, "content": content} | ({} if answers is None else {"has_answer": answers})


def entry(name="q1", **changes):
    return {
        "question_id": name,
        "question_type": "single-session-user",
        "question": "What degree did I graduate with?",
        "answer": "Business Administration",
        "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/19 (Fri) 10:00"],
        "haystack_session_ids": ["answer_7", "sharegpt_1"],
        "haystack_sessions": [
            [
                turn("user", "I graduated in Business Administration.", answers=True),
                turn("assistant", "Congratulations!", answers=False),
                turn("user", "Thanks.", answers=False),
            ],
            [turn("user", "Write a poem."), turn("assistant", "Roses are red.")],
        ],
        "answer_session_ids": ["answer_7"],
        **changes,
    }


@pytest.fixture
def opened(tmp_path):
    (tmp_path / "longmemeval").mkdir()

    def write(*entries, name="longmemeval_s.json", **settings):
        (tmp_path / "longmemeval" / name).write_text(json.dumps(entries))
        return list(Longmemeval(root=tmp_path, **settings).people(10))

    return write


def test_only_the_users_turns_are_records_in_order_of_time(opened):
    (person,) = opened(entry())
    assert [(record.input, record.output) for record in person.history.records] == [
        ("", "Write a poem."),
        ("", "I graduated in Business Administration."),
        ("", "Thanks."),
    ]
    assert person.items[0].evidence == ("q1:1:1",)


def test_both_sides_are_records_where_asked(opened):
    (person,) = opened(entry(), speakers="both")
    assert [record.output for record in person.history.records][:2] == [
        "Write a poem.",
        "Roses are red.",
    ]
    assert person.history.record("q1:1:3").input == "Congratulations!"
    assert len(person.history) == 5


def test_a_session_is_a_record_where_asked(opened):
    (person,) = opened(entry(), level="session")
    assert [record.id for record in person.history.records] == ["q1:2", "q1:1"]
    assert person.items[0].evidence == ("q1:1",)


def test_records_do_not_tell_which_hold_the_answer(opened):
    (person,) = opened(entry())
    told = json.dumps([record.to_json() for record in person.history.records])
    assert "has_answer" not in told
    assert "answer_7" not in told


def test_what_only_the_assistant_said_is_evidence_only_where_it_is_a_record(opened):
    said = [turn("user", "Name one.", answers=False), turn("assistant", "Oslo.", answers=True)]
    asked = entry(haystack_sessions=[said, [turn("user", "Hi.")]])
    for level in ("turn", "session"):
        (person,) = opened(asked, level=level)
        assert person.items[0].evidence == ()
    (person,) = opened(asked, speakers="both")
    assert person.items[0].evidence == ("q1:1:2",)


def test_a_mark_in_a_session_that_is_no_answer_is_not_evidence(opened):
    sessions = [[turn("user", "I graduated.", answers=True)], [turn("user", "x", answers=True)]]
    (person,) = opened(entry(haystack_sessions=sessions))
    assert person.items[0].evidence == ("q1:1:1",)


def test_an_abstention_has_no_evidence(opened):
    (person,) = opened(entry("q1_abs"))
    (item,) = person.items
    assert item.evidence == ()
    assert (item.group, item.meta["abstention"]) == ("abstention", True)
    assert item.meta["question_type"] == "single-session-user"


@pytest.mark.parametrize("date", ["2023/05/30 (Tue) 23:40", "2023/05/31 (Wed) 08:00"])
@pytest.mark.parametrize("level", ["turn", "session"])
def test_an_answer_planted_when_the_question_is_asked_or_later_is_not_seen(opened, date, level):
    planted = entry(haystack_dates=[date, "2023/05/19 (Fri) 10:00"])
    (person,) = opened(planted, level=level)
    assert "Business" not in json.dumps([record.to_json() for record in person.history.records])
    assert len(person.history) == 1
    assert person.items[0].evidence == ()


def test_a_long_session_just_before_the_question_is_kept_whole(opened):
    """The seconds of turns are made up, so 90 of them must not run into the question."""
    said = [turn("user", f"Turn {n}.") for n in range(90)]
    asked = entry(
        haystack_dates=["2023/05/30 (Tue) 23:39"],
        haystack_session_ids=["a"],
        haystack_sessions=[said],
    )
    (person,) = opened(asked)
    assert len(person.history) == 90
    assert person.history.records[-1].time < person.items[0].time


def test_the_same_filler_twice_is_two_records(opened):
    asked = entry(haystack_session_ids=["sharegpt_1", "sharegpt_1"])
    (person,) = opened(asked)
    assert len({record.id for record in person.history.records}) == 3


def test_a_question_keeps_its_answer_and_date(opened):
    (person,) = opened(entry(answer=3))
    (item,) = person.items
    assert (item.id, item.target, item.group) == ("q1:q", "3", "single-session-user")
    assert item.meta["question_date"] == "2023/05/30 (Tue) 23:40"
    assert item.time.isoformat() == "2023-05-30T23:40:00+00:00"


def test_each_question_is_a_person_and_the_one_before_stands_in(opened):
    people = opened(entry("a"), entry("b"), entry("c"))
    assert [(person.history.id, person.other.id) for person in people] == [
        ("a", "b"),
        ("b", "a"),
        ("c", "b"),
    ]


def test_the_cleaned_file_is_read_under_its_own_name(opened):
    assert len(opened(entry(), name="longmemeval_oracle_cleaned.json", size="oracle")) == 1


def test_reading_stops_with_the_people_that_are_wanted(tmp_path):
    """The large file is never read to its end for a few people; here its end is damaged."""
    (tmp_path / "longmemeval").mkdir()
    filler = json.dumps([entry(f"q{n}") for n in range(200)])
    (tmp_path / "longmemeval" / "longmemeval_m.json").write_text(filler[:-500])
    task = Longmemeval(root=tmp_path, size="m")
    assert len(list(task.people(3))) == 3
    with pytest.raises(InvalidFile, match="not a whole JSON array"):
        list(task.people(500))


@pytest.mark.parametrize("size", ["oracle", "s", "m"])
def test_a_missing_file_says_where_to_get_it(tmp_path, size):
    message = rf"xiaowu0162/LongMemEval.*longmemeval/\{{longmemeval_{size}.json\}}"
    with pytest.raises(InvalidFile, match=message):
        list(Longmemeval(root=tmp_path, size=size).people(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("question_date"), "question 1 has no field 'question_date'"),
        (lambda e: e.pop("answer_session_ids"), "question 1 has no field 'answer_session_ids'"),
        (lambda e: e["haystack_dates"].pop(), "must be equally long; got 2, 1, 2"),
        (lambda e: e.update(question_date="May"), "a date is like .* got 'May'"),
        (lambda e: e.update(question_date="2023/02/30"), "'2023/02/30' is no date"),
        (lambda e: e["haystack_sessions"].__setitem__(1, "x"), "session 2 must be a list of turns"),
        (
            lambda e: e["haystack_sessions"][0][2].pop("content"),
            "session 1, turn 3 has no field 'content'",
        ),
    ],
)
def test_a_file_of_another_shape_is_an_error_that_names_the_place(opened, change, message):
    data = entry()
    change(data)
    with pytest.raises(InvalidFile, match=message):
        opened(data)


def test_a_file_that_is_no_list_is_an_error(tmp_path):
    (tmp_path / "longmemeval").mkdir()
    (tmp_path / "longmemeval" / "longmemeval_s.json").write_text('{"a": 1}')
    with pytest.raises(InvalidFile, match="must hold a list of questions"):
        list(Longmemeval(root=tmp_path).people(1))
