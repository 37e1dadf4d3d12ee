"""`prism`: on a few made-up conversations; and JSON lines read in any order."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from itertools import pairwise

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.prism import Prism
from ipse.importers.rows import Rows

USERS = ("ada", "bob", "eve")


def answer(user, talk, turn, within, score, chosen=False, text=""):
    name = f"{user}-{talk}-{turn}-{within}"
    return {
        "utterance_id": f"ut-{name}", "conversation_id": f"{user}-{talk}", "user_id": user,
        "turn": turn, "within_turn_id": within, "user_prompt": f"prompt {user} {talk} {turn}",
        "model_response": text or f"answer {name}", "score": score, "if_chosen": chosen,
    }  # fmt: skip


def talk(user, number, day):
    """An opening turn of four answers, one a tie; a second of two. The file's fields, cut short."""
    rows = [
        answer(user, number, 0, 0, 90, chosen=True),
        answer(user, number, 0, 1, 20),
        answer(user, number, 0, 2, 90),
        answer(user, number, 0, 3, 50),
        answer(user, number, 1, 0, 10),
        answer(user, number, 1, 1, 60, chosen=True),
    ]
    about = {
        "conversation_id": f"{user}-{number}", "user_id": user, "conversation_type": "unguided",
        "generated_datetime": f"2023-11-{day:02} 15:55:46",
    }  # fmt: skip
    return rows, about


def lay_out(root, talks, survey=None):
    folder = root / "prism"
    folder.mkdir(exist_ok=True)
    survey = survey or [
        {"user_id": user, "self_description": f"{user} is kind.", "system_string": "Be brief."}
        for user in USERS
    ]
    write(folder / "survey.jsonl", survey)
    write(folder / "conversations.jsonl", [about for _, about in talks])
    write(folder / "utterances.jsonl", [row for rows, _ in talks for row in rows])


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def root(tmp_path):
    """Three people of three conversations; in the file, people and times are out of order."""
    lay_out(tmp_path, [talk(user, n, 20 - n) for n in range(3) for user in USERS])
    return tmp_path


def task(root, **settings):
    return Prism(root=root, **{"fit": 0, "items": 0} | settings)


def people(task):
    return {person.history.id: person for person in task.people(99)}


def test_a_turn_pairs_the_chosen_with_all_that_scored_lower(root):
    ada = people(task(root))["ada"]
    # Completed on the 18th, 19th and 20th: 2, 1 and 0. Of three, the last is held out.
    assert [(r.input, r.output, r.rejected) for r in ada.history.of(["preference"]).records] == [
        ("prompt ada 2 0", "answer ada-2-0-0", "answer ada-2-0-1"),
        ("prompt ada 2 0", "answer ada-2-0-0", "answer ada-2-0-3"),
        ("prompt ada 2 1", "answer ada-2-1-1", "answer ada-2-1-0"),
        ("prompt ada 1 0", "answer ada-1-0-0", "answer ada-1-0-1"),
        ("prompt ada 1 0", "answer ada-1-0-0", "answer ada-1-0-3"),
        ("prompt ada 1 1", "answer ada-1-1-1", "answer ada-1-1-0"),
    ]
    assert [sorted(item.choices) for item in ada.items] == [
        ["answer ada-0-0-0", "answer ada-0-0-1"],
        ["answer ada-0-0-0", "answer ada-0-0-3"],
        ["answer ada-0-1-0", "answer ada-0-1-1"],
    ]
    assert [item.choices[item.right] for item in ada.items] == [
        "answer ada-0-0-0",
        "answer ada-0-0-0",
        "answer ada-0-1-1",
    ]
    assert {item.group for item in ada.items} == {"unguided"}


def test_a_later_turn_shows_what_came_before(root):
    first, _, last = people(task(root, words=3))["ada"].items
    assert first.question == "prompt ada 0 0"
    assert last.question == (
        "So far:\nPerson: prompt ada 0 …\nModel: answer ada-0-0-0\n\nNow: prompt ada 0 1"
    )


def test_the_survey_comes_before_all_else(root):
    ada = people(task(root))["ada"].history
    assert [(r.kind, r.input, r.output) for r in ada.records[:2]] == [
        ("profile", "values and beliefs", "ada is kind."),
        ("profile", "how a model should behave", "Be brief."),
    ]
    times = [record.time for record in ada.records]
    assert all(a < b for a, b in pairwise(times))


def test_what_the_survey_does_not_say_is_no_record(root):
    write(
        root / "prism" / "survey.jsonl",
        [{"user_id": "ada", "self_description": None, "system_string": "EMPTY STRING"}],
    )
    found = people(task(root))
    assert not found["ada"].history.of(["profile"]).records
    assert not found["bob"].history.of(["profile"]).records


def test_an_answer_planted_in_a_later_conversation_is_in_no_history(root):
    rows, about = talk("ada", 9, 30)
    rows.append(answer("ada", 9, 2, 0, 99, chosen=True, text="the planted answer"))
    rows.append(answer("ada", 9, 2, 1, 1))
    write(root / "prism" / "utterances.jsonl", [*rows, *read(root / "prism" / "utterances.jsonl")])
    write(
        root / "prism" / "conversations.jsonl",
        [about, *read(root / "prism" / "conversations.jsonl")],
    )
    found = people(task(root))
    assert any("the planted answer" in item.choices for item in found["ada"].items)
    for person in found.values():
        for view in (person.history, person.other):
            assert "planted" not in str(view)
        assert all(person.history.records[-1].time < item.time for item in person.items)


def test_times_may_be_milliseconds_as_pandas_writes_them(root):
    plain = list(task(root).people(3))
    path = root / "prism" / "conversations.jsonl"
    rows = read(path)
    for row in rows:
        time = datetime.fromisoformat(row["generated_datetime"] + "+00:00")
        row["generated_datetime"] = int(time.timestamp() * 1000)
    write(path, rows)
    assert list(task(root).people(3)) == plain


def test_conversations_completed_at_once_stay_strictly_ascending(root):
    lay_out(root, [talk("ada", n, 20) for n in range(3)] + [talk("bob", n, 20) for n in range(3)])
    ada = people(task(root))["ada"]
    times = [thing.time for thing in (*ada.history.records, *ada.items)]
    assert len(times) == 2 + 6 + 3
    assert all(a < b for a, b in pairwise(times))


def test_who_had_one_conversation_is_not_asked_but_can_be_learned_from(root):
    lay_out(root, [talk("ada", 0, 1), talk("bob", 0, 1), talk("bob", 1, 2)])
    assert set(people(task(root))) == {"bob"}
    assert people(task(root))["bob"].other is None
    assert {user.id for user in task(root, fit=2).population()} == {"ada", "bob"}


def test_nobody_is_both_learned_from_and_asked(root):
    fitted = {user.id for user in task(root, fit=1).population()}
    assert len(fitted) == 1
    assert set(people(task(root, fit=1))) == set(USERS) - fitted


def test_the_first_of_many_are_those_of_few_and_the_one_before_stands_in(root):
    found = list(task(root).people(2))
    assert [person.history.id for person in found] == ["ada", "bob"]
    assert [person.other.id for person in found] == ["bob", "ada"]


def test_turns_without_a_choice_and_empty_answers_give_no_pair(root):
    rows, about = talk("ada", 0, 1)
    for row in rows:
        row["if_chosen"] = row["if_chosen"] and row["turn"] == 1
    rows[4]["model_response"] = " "
    later = talk("ada", 1, 2)
    lay_out(root, [(rows, about), later, talk("ada", 2, 3)])
    ada = people(task(root))["ada"].history
    assert {record.input for record in ada.of(["preference"]).records} == {
        "prompt ada 1 0",
        "prompt ada 1 1",
    }


def test_gzip_reads_the_same(root):
    plain = list(task(root).people(3))
    for path in list((root / "prism").iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert list(task(root).people(3)) == plain


@pytest.mark.parametrize(
    ("file", "field", "value", "reason"),
    [
        ("utterances", "score", "high", "'score' must be a number"),
        ("utterances", "score", None, "'score' must be a number"),
        ("utterances", "turn", None, "'turn' must be a int"),
        ("utterances", "conversation_id", "c9", "no conversation 'c9'"),
        ("utterances", "if_chosen", 1, "'if_chosen' must be a bool"),
        ("conversations", "generated_datetime", "soon", "'generated_datetime'"),
        ("survey", "user_id", 3, "'user_id' must be a str"),
    ],
)
def test_a_malformed_line_is_named(root, file, field, value, reason):
    path = root / "prism" / f"{file}.jsonl"
    rows = read(path)
    rows[0][field] = value
    write(path, rows)
    with pytest.raises(InvalidFile, match=f"{file}.jsonl:1.*{reason}"):
        list(task(root).people(3))


@pytest.mark.parametrize("name", ["survey", "conversations", "utterances"])
def test_a_missing_file_says_where_to_get_it(root, name):
    (root / "prism" / f"{name}.jsonl").unlink()
    with pytest.raises(InvalidFile, match=f"prism/{name}.jsonl. Get it from .*prism-alignment"):
        list(task(root).people(3))
    assert not Prism.source.present(root)


def test_rows_are_read_again_in_any_order(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": "é"}\n\n{"n": 2}\n{"n": 3}')
    with Rows.opened(path) as rows:
        found = list(rows.scan())
        assert [place.number for place, _ in found] == [1, 3, 4]
        assert [rows.at(place) for place, _ in found[::-1]] == [{"n": 3}, {"n": 2}, {"n": "é"}]
        assert list(rows.scan()) == found


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"n": 1}\n{"n"', "rows.jsonl:2 is not JSON"),
        (b'{"n": 1}\n[1]', r"rows.jsonl:2: a line holds one JSON object; got '\[1\]'"),
        (b"\xff\xfe", "rows.jsonl:1 is not JSON in UTF-8"),
        (gzip.compress(b'{"n": 1}\n' * 99, mtime=0)[:-9], "damaged or cut off"),
    ],
)
def test_damaged_rows_are_named(tmp_path, raw, reason):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(raw)
    with pytest.raises(InvalidFile, match=reason), Rows.opened(path) as rows:
        list(rows.scan())
