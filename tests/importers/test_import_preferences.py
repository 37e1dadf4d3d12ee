"""Preference data as others keep it; what is wrong with a line is said, and the rest is taken."""

from __future__ import annotations

import json

import pytest

from ipse.importers import Problem, read
from ipse.ingest import ingest
from ipse.preferences import pairs, rated
from ipse.records import User
from ipse.store import Store

PAIR = {"prompt": "A title?", "chosen": "Tea", "rejected": "On the drinking of tea", "user": "ada"}


def said(role, *contents):
    return [{"role": role, "content": content} for content in contents]


def written(tmp_path, *rows):
    path = tmp_path / "pairs.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def taken(tmp_path, *rows, **options):
    return list(read("preferences", written(tmp_path, *rows), **options))


def one(tmp_path, row, **options):
    (found,) = taken(tmp_path, row, **options)
    return found


def test_a_pair_is_a_preference(tmp_path):
    record = one(tmp_path, PAIR | {"time": "2024-05-01"})
    assert (record.kind, record.user, record.time.year) == ("preference", "ada", 2024)
    (pair,) = pairs(User("ada", (record,)))
    assert (pair.prompt, pair.chosen, pair.rejected) == tuple(PAIR.values())[:3]
    assert (pair.how, pair.tie) == ("choice", False)


def test_a_tie_stays_a_tie(tmp_path):
    record = one(tmp_path, PAIR | {"tie": True})
    assert pairs(User("ada", (record,))) == []
    assert pairs(User("ada", (record,)), ties=True)[0].tie


ASKED = said("user", "A title?")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "chosen": said("assistant", "Tea"), "rejected": said("assistant", "No")},
        {"chosen": [*ASKED, *said("assistant", "Tea")], "rejected": [*ASKED, *said("assistant",
         "No")]},
        {"prompt": "A title?", "chosen": [*ASKED, *said("assistant", "Tea")],
         "rejected": [*ASKED, *said("assistant", "No")]},
        {"chosen": "\n\nHuman: A title?\n\nAssistant: Tea",
         "rejected": "\n\nHuman: A title?\n\nAssistant: No"},
        {"prompt": "A title?", "chosen": "Tea", "rejected": "No"},
    ],
    ids=["conversational", "implicit", "both", "one text", "standard"],
)  # fmt: skip
def test_the_forms_of_a_pair_say_the_same(tmp_path, row):
    record = one(tmp_path, row, user="ada")
    assert (record.input, record.output, record.rejected) == ("A title?", "Tea", "No")


def test_of_several_turns_each_is_said_by_someone(tmp_path):
    talk = [*said("system", "Be brief."), *ASKED, *said("assistant", "Tea"), *said("user", "More?")]
    row = {"prompt": talk, "chosen": said("assistant", "Yes"), "rejected": said("assistant", "No")}
    record = one(tmp_path, row, user="ada")
    assert record.input.splitlines() == [
        "system: Be brief.", "user: A title?", "assistant: Tea", "user: More?",
    ]  # fmt: skip
    head = "\n\nHuman: A\n\nAssistant: B\n\nHuman: C\n\nAssistant: "
    record = one(tmp_path, {"chosen": head + "D", "rejected": head + "E"}, user="ada")
    assert record.input == "user: A\nassistant: B\nuser: C"
    assert (record.output, record.rejected) == ("D", "E")


@pytest.mark.parametrize(
    ("fields", "output", "value"),
    [
        ({"response": "Tea", "rating": 4}, "4", 4.0),
        ({"completion": "Tea", "label": True}, "up", 1.0),
        ({"completion": said("assistant", "Tea"), "label": False}, "down", 0.0),
        ({"reply": "Tea", "score": -1.5}, "-1.5", -1.5),
        ({"answer": "Tea", "thumb": "up"}, "up", 1.0),
    ],
)
def test_a_rating_is_of_an_answer(tmp_path, fields, output, value):
    record = one(tmp_path, {"prompt": "A title?", "user_id": "ada", **fields})
    assert (record.kind, record.input, record.output) == ("interaction", "A title?", output)
    assert rated(record) == ("Tea", value)


def test_two_ratings_are_a_pair(tmp_path):
    rows = [{"prompt": "A?", "response": text, "rating": n} for text, n in (("B", 2), ("C", 5))]
    user = User("ada", tuple(taken(tmp_path, *rows, user="ada")))
    (pair,) = pairs(user)
    assert (pair.chosen, pair.rejected) == ("C", "B")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (PAIR | {"rejected": "Tea"}, "chosen and rejected are the same: 'Tea'"),
        (PAIR | {"rejected": " Tea\n"}, "chosen and rejected are the same"),
        (PAIR | {"rejected": "Tea", "tie": True}, "chosen and rejected are the same"),
        (PAIR | {"user": None}, "a record needs the field 'user'"),
        (PAIR | {"user": ""}, "a record needs the field 'user'"),
        (PAIR | {"tie": "yes"}, "'tie' is true or false; got 'yes'"),
        (PAIR | {"chosen": "x" * 1_000_001}, "at most 1,000,000 characters; got 1,000,001"),
        (PAIR | {"prompt": "x" * 1_000_001}, "at most 1,000,000 characters; got 1,000,001"),
        (PAIR | {"chosen": " "}, "output must say something"),
        (PAIR | {"chosen": None}, "'chosen' is a text, or a list of messages"),
        (PAIR | {"chosen": []}, "'chosen' is a text, or a list of messages"),
        (PAIR | {"chosen": [{"role": "assistant"}]}, "with 'role' and 'content'"),
        (PAIR | {"chosen": ASKED}, "must end with what the assistant said"),
        (PAIR | {"prompt": 5}, "'prompt' is a text, or a list of messages"),
        (PAIR | {"prompt": None}, "a line needs 'prompt'"),
        (PAIR | {"time": "yesterday"}, "a time is ISO 8601"),
        ({k: v for k, v in PAIR.items() if k != "rejected"}, "'rejected' is a text"),
        ({"prompt": "A?", "user": "ada"}, "a line has 'chosen' and 'rejected', or an answer"),
        ({"prompt": "A?", "user": "ada", "response": "B", "rating": "5"}, "finite number; got '5'"),
        ({"prompt": "A?", "user": "ada", "response": "B", "thumb": "high"}, "finite number"),
        ({"prompt": "A?", "user": "ada", "response": "x" * 1_000_001, "rating": 1}, "at most"),
        ({"chosen": [*ASKED, *said("assistant", "Tea")], "rejected": [*said("user", "B?"),
          *said("assistant", "No")], "user": "ada"}, "answer different conversations"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_line_is_said_and_the_rest_is_taken(tmp_path, row, reason):
    first, problem, last = taken(tmp_path, PAIR, row, PAIR | {"chosen": "Coffee"})
    assert isinstance(problem, Problem)
    assert problem.line == 2
    assert reason in problem.reason
    assert (first.output, last.output) == ("Tea", "Coffee")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    "line",
    [
        '{"prompt": "A?", "user": "ada", "response": "B", "rating": %s}',
        '{"prompt": "A?", "user": "ada", "chosen": "B", "rejected": "C", "score_chosen": %s}',
        '{"prompt": "A?", "user": "ada", "chosen": "B", "rejected": "C", "score_rejected": %s}',
    ],
)
def test_a_score_that_is_not_finite_is_refused(tmp_path, line, value):
    (problem,) = taken(tmp_path, line % value)
    assert "must be a finite number" in problem.reason


def test_scores_stay_beside_the_pair(tmp_path):
    record = one(tmp_path, PAIR | {"score_chosen": 8, "score_rejected": 3.5})
    assert record.meta == {"score_chosen": 8.0, "score_rejected": 3.5}


def test_reading_twice_gives_the_same_records_in_the_order_of_the_lines(tmp_path):
    rows = [PAIR | {"chosen": str(n)} for n in range(5)]
    first, again = taken(tmp_path, *rows), taken(tmp_path, *rows)
    assert first == again
    assert [record.time for record in first] == sorted({record.time for record in first})


def test_a_pair_that_was_rated_both_ways_is_kept_twice_counted_and_the_latest_counts(tmp_path):
    other = PAIR | {"chosen": PAIR["rejected"], "rejected": PAIR["chosen"]}
    path = written(tmp_path, PAIR, other, PAIR | {"rejected": "Else"}, PAIR | {"rejected": "Tea"})
    with Store.open(tmp_path / "ipse.db") as store:
        found = ingest(store, "preferences", path)
        assert (found.new, found.malformed, found.disputed) == (3, 1, 1)
        assert found.problems[0].line == 4
        user = store.user("ada")
        assert len(user) == 3
        assert pairs(user)[0].chosen == PAIR["rejected"]
        again = ingest(store, "preferences", path)
        assert (again.new, again.known, again.disputed) == (0, 3, 1)
        strict = ingest(store, "preferences", path, strict=True)
        assert (strict.written, strict.disputed) == (False, 0)
