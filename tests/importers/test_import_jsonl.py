import json

import pytest

from ipse.importers import Problem, read
from ipse.records import MAX_CHARACTERS, Record

GOOD = {"user": "ada", "kind": "content", "time": "2024-05-01T09:00:00+00:00", "output": "Hello."}


def imported(tmp_path, *lines, **options):
    path = tmp_path / "records.jsonl"
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw))
    return list(read("jsonl", path, **options))


def test_records_come_back_equal(tmp_path):
    records = [
        Record(user="ada", kind="preference", output="a", rejected="b", meta={"tie": True}),
        Record(user="bob", kind="content", output="Grüße", uses=frozenset({"prompt"})),
    ]
    assert imported(tmp_path, *(record.to_json() for record in records)) == records


def test_a_user_is_given_to_lines_that_name_nobody(tmp_path):
    nameless = {"kind": "content", "output": "Hi."}
    records = imported(tmp_path, GOOD, nameless, nameless | {"user": None}, user="bob")
    assert [record.user for record in records] == ["ada", "bob", "bob"]


def test_without_times_the_order_is_time_and_a_second_import_is_the_same(tmp_path):
    nameless = {"user": "ada", "kind": "content", "output": "Hi."}
    once, again = (imported(tmp_path, nameless, b"", nameless) for _ in range(2))
    assert once == again
    assert once[0].time < once[1].time
    assert once[0].id != once[1].id


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path):
    (record,) = imported(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r", b"\r")
    assert record.output == "Hello."


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"user": "ada", ', "not JSON"),
        (b'{"user": "ad\xe9"}', "not UTF-8"),
        (b"[1, 2]", "one JSON object"),
        (b'{"a":' * 50_000, "not JSON"),
        ({"user": "ada", "kind": "content"}, "'output'"),
        (GOOD | {"output": None}, "'output'"),
        (GOOD | {"output": 5}, "output must be text"),
        (GOOD | {"output": "  "}, "say something"),
        (GOOD | {"output": "a\x00b"}, "U+0000"),
        (GOOD | {"output": "\ud800"}, "Unicode"),
        (GOOD | {"output": "x" * (MAX_CHARACTERS + 1)}, "at most 1,000,000"),
        (GOOD | {"kind": "poem"}, "unknown kind 'poem'"),
        (GOOD | {"colour": "red"}, "unknown field 'colour'"),
        (GOOD | {"time": "2024-05-01T09:00:00"}, "time zone"),
        (GOOD | {"time": "soon"}, "a time is"),
        (GOOD | {"time": "0001-01-01T00:00:00+14:00"}, ""),
        (GOOD | {"uses": "prompt"}, "uses"),
        (GOOD | {"uses": [["prompt"]]}, ""),
        (GOOD | {"meta": [1]}, "meta"),
        (GOOD | {"meta": {"a": float("nan")}}, "meta"),
        (GOOD | {"meta": {"a": "\ud800"}}, ""),
    ],
)
def test_a_malformed_line_is_a_problem_and_the_rest_is_read(tmp_path, line, reason):
    first, problem, last = imported(tmp_path, GOOD, line, GOOD)
    assert isinstance(problem, Problem)
    assert (problem.file, problem.line) == (str(tmp_path / "records.jsonl"), 2)
    assert reason in problem.reason
    assert first == last
