from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.dialogues import (
    Session,
    Turn,
    session_records,
    turn_records,
)
from ipse.importers.rows import need, need_text

NOON = datetime(2024, 5, 8, 12, tzinfo=UTC)


def session(name, start, *said):
    turns = [Turn(f"{name}:{n}", who, text) for n, (who, text) in enumerate(said, start=1)]
    return Session(name, name, start, turns)


TALK = [
    session("one", NOON, ("Ann", "Hello."), ("Bob", "Hi."), ("Bob", "Tea?"), ("Ann", "Yes!")),
    session(
        "two", NOON + timedelta(seconds=1), ("Bob", "More tea?"), ("Ann", "  "), ("Ann", "No.")
    ),
]


def test_a_turn_answers_what_another_said_last_in_its_session():
    records = list(turn_records("ann", TALK, "test"))
    assert [(record.input, record.output) for record in records] == [
        ("", "Hello."),
        ("Hello.", "Hi."),
        ("Hello.", "Tea?"),
        ("Tea?", "Yes!"),
        ("", "More tea?"),
        ("More tea?", "No."),
    ]
    assert records[1].meta == {"speaker": "Bob", "session": "one"}
    assert [record.id for record in records][-2:] == ["two:1", "two:3"]


def test_turns_are_a_second_apart_even_where_sessions_overlap():
    times = [record.time for record in turn_records("ann", TALK, "test")]
    assert times == [NOON + timedelta(seconds=second) for second in range(6)]


def test_a_session_is_one_record_of_a_line_a_turn():
    first, second = session_records("ann", TALK, "test")
    assert first.output == "Ann: Hello.\nBob: Hi.\nBob: Tea?\nAnn: Yes!"
    assert (second.id, second.output) == ("two", "Bob: More tea?\nAnn: No.")
    assert first.time < second.time


def test_sessions_that_begin_at_the_same_time_stay_in_order():
    both = [session("b", NOON, ("Ann", "1")), session("a", NOON, ("Ann", "2"))]
    assert [record.output for record in session_records("ann", both, "test")] == [
        "Ann: 1",
        "Ann: 2",
    ]
    times = [record.time for record in session_records("ann", both, "test")]
    assert times[0] < times[1]


def test_a_missing_field_is_named_with_those_there_are():
    with pytest.raises(InvalidFile, match="entry 3 has no field 'question'; its fields: id, text"):
        need("entry 3", {"id": 1, "text": "x"}, "question", str)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"n": "1"}, "entry 3: 'n' must be a int; got '1'"),
        ({"n": True}, "entry 3: 'n' must be a int; got True"),
        ([1], "entry 3 must be an object with the field 'n'"),
        (None, "entry 3 must be an object"),
    ],
)
def test_a_field_of_another_type_is_an_error(data, message):
    with pytest.raises(InvalidFile, match=message):
        need("entry 3", data, "n", int)


def test_an_empty_text_is_an_error_where_one_is_needed():
    assert need_text("entry 3", {"text": "ä"}, "text") == "ä"
    with pytest.raises(InvalidFile, match="'text' is empty"):
        need_text("entry 3", {"text": " "}, "text")
