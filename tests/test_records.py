from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipse.errors import InvalidRecord, UnknownRecord
from ipse.records import KINDS, MAX_CHARACTERS, USES, Record, User
from tests.people import START, person, reason

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(
    kind=st.sampled_from([kind for kind in KINDS if kind != "preference"]),
    output=TEXT.filter(str.strip),
    given_=TEXT,
    meta=st.dictionaries(TEXT, JSON, max_size=3),
    time=st.datetimes(
        datetime(1, 1, 2),
        datetime(9999, 12, 30),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))]),
    ),
    uses=st.frozensets(st.sampled_from(USES)),
)
def test_a_record_survives_json(kind, output, given_, meta, time, uses):
    record = Record(
        user="ada", kind=kind, output=output, input=given_, meta=meta, time=time, uses=uses
    )
    assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user": ""}, "needs a user"),
        ({"user": "a\nb"}, "printable"),
        ({"user": 3}, "must be text; got 3"),
        ({"user": "x" * 300}, "at most 256 characters; got 300"),
        ({"kind": "rumor"}, "unknown kind 'rumor'. Known: profile"),
        ({"output": " "}, "must say something"),
        ({"output": None}, "must be text; got None"),
        ({"input": None}, "must be text; got None"),
        ({"output": "a\x00b"}, "U+0000"),
        ({"output": "\ud800"}, "not valid Unicode"),
        ({"output": "x" * (MAX_CHARACTERS + 1)}, "Split it"),
        ({"time": datetime(2024, 1, 1)}, "time zone"),
        ({"time": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9)))}, "years 1 to 9999"),
        ({"uses": {"sell"}}, "unknown use 'sell'. Known: prompt, train, share"),
        ({"uses": [["prompt"]]}, "unknown use ['prompt']"),
        ({"meta": {"x": float("nan")}}, "must be JSON"),
        ({"meta": {"x": "\ud800"}}, "must be JSON"),
        ({"meta": {"x": object()}}, "must be JSON"),
        ({"meta": {"x": "y" * (MAX_CHARACTERS + 1)}}, "meta is at most 1,000,000 bytes"),
        ({"rejected": "no"}, "only a preference"),
        ({"kind": "preference"}, "needs a rejected text"),
        ({"kind": "preference", "rejected": "yes"}, "chosen and rejected are the same"),
    ],
)
def test_a_broken_rule_is_named_with_its_value(fields, said):
    with pytest.raises(InvalidRecord, match=said.replace("[", r"\[").replace("+", r"\+")):
        Record(**({"user": "ada", "kind": "content", "output": "yes"} | fields))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"user": "ada", "kind": "content"}, "needs the field 'output'"),
        ({"user": "ada", "kind": "content", "output": "x", "outptu": 1}, "unknown field 'outptu'"),
        ({"user": "ada", "kind": "content", "output": "x", "time": "soon"}, "ISO 8601"),
        ({"user": "ada", "kind": "content", "output": "x", "time": float("inf")}, "ISO 8601"),
        ({"user": "ada", "kind": "content", "output": "x", "uses": "prompt"}, "must be a list"),
    ],
)
def test_broken_json_is_named(data, said):
    with pytest.raises(InvalidRecord, match=said):
        Record.from_json(data)


def test_the_same_content_is_the_same_record():
    assert reason("ada", 1).id == reason("ada", 1).id
    assert reason("ada", 1).id != reason("ada", 1, source="mail").id
    assert reason("ada", 1).id != reason("bob", 1).id


def test_meta_is_kept_as_json_gives_it_back():
    record = reason("ada", 1, meta={"tags": ("a", "b"), 2: "two"})
    assert record.meta == {"tags": ["a", "b"], "2": "two"}


def test_a_record_is_frozen():
    with pytest.raises(FrozenInstanceError):
        reason("ada", 1).output = "changed"


def test_a_view_is_strictly_before():
    user = User("ada", tuple(reason("ada", n) for n in range(5)))
    assert user.before(START + timedelta(hours=2)).records == user.records[:2]
    assert user.before(START) == User("ada")
    assert user.before(START + timedelta(days=9)) is user


def test_views_narrow_by_kind_and_use():
    user = person()
    assert {record.kind for record in user.of(("content", "profile")).records} == {
        "content",
        "profile",
    }
    assert len(user.allowing("share")) == 13
    assert user.allowing("share") is user.allowing("share")
    assert user.latest(3) == user.records[-3:]
    assert user.latest(99) == user.records


def test_a_record_outside_the_view_is_unknown():
    with pytest.raises(UnknownRecord, match="user 'ada' has no record 'x'"):
        person().record("x")
