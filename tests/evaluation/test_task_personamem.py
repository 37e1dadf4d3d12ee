from __future__ import annotations

import csv
import gzip
import json

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.personamem import Personamem

OPTIONS = "['(a) You like \"sushi\".', \"(b) You don't like sushi.\", '(c) Never\\nmentioned.']"


def row(name, context, end, persona="0", **changes):
    return {
        "persona_id": persona,
        "question_id": name,
        "question_type": "recalling_the_latest_user_preferences",
        "topic": "foodRecommendation",
        "context_length_in_tokens": "26000",
        "user_question_or_message": "I came across a sushi bar, again.",
        "correct_answer": "(b)",
        "all_options": OPTIONS,
        "shared_context_id": context,
        "end_index_in_shared_context": str(end),
        **changes,
    }


def talk(name):
    return [
        {"role": "system", "content": f"Current user persona: {name}"},
        {"role": "user", "content": f"User: {name} had sushi."},
        {"role": "assistant", "content": "Assistant: How was it?"},
        {"role": "user", "content": f"User: {name} hated it."},
        {"role": "assistant", "content": "PLANTED"},
    ]


class Folder:
    def __init__(self, root):
        self.root = root
        (root / "personamem").mkdir()

    def write(self, rows, contexts, size="32k"):
        with (self.root / "personamem" / f"questions_{size}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        lines = [json.dumps({name: messages}) for name, messages in contexts.items()]
        path = self.root / "personamem" / f"shared_contexts_{size}.jsonl"
        path.write_text("\n".join(lines) + "\n")
        return self

    def people(self, count=10, **settings):
        return list(Personamem(root=self.root, **settings).people(count))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_a_history_is_what_was_said_before_the_index(folder):
    (person,) = folder.write([row("q1", "c1", 4)], {"c1": talk("Ann")}).people()
    records = person.history.records
    assert [(record.kind, record.output) for record in records] == [
        ("profile", "Current user persona: Ann"),
        ("dialogue", "User: Ann had sushi."),
        ("dialogue", "Assistant: How was it?"),
        ("dialogue", "User: Ann hated it."),
    ]
    assert records[0].input == "persona"
    assert records[1].input == ""
    assert records[3].input == "Assistant: How was it?"
    assert person.history.id == "c1:4"


@pytest.mark.parametrize("end", [1, 2, 3, 4])
def test_an_answer_planted_after_the_index_is_not_seen(folder, end):
    (person,) = folder.write([row("q1", "c1", end)], {"c1": talk("Ann")}).people()
    told = json.dumps([record.to_json() for record in person.history.records])
    assert "PLANTED" not in told
    assert len(person.history) == end
    assert all(record.time < person.items[0].time for record in person.history.records)


def test_options_lose_their_labels_and_keep_their_order(folder):
    (person,) = folder.write([row("q1", "c1", 4)], {"c1": talk("Ann")}).people()
    (item,) = person.items
    assert item.choices == ('You like "sushi".', "You don't like sushi.", "Never\nmentioned.")
    assert (item.right, item.target) == (1, "You don't like sushi.")
    assert (item.id, item.group) == ("q1", "recalling_the_latest_user_preferences")
    assert item.meta == {"persona": "0", "topic": "foodRecommendation"}


def test_questions_at_one_index_share_a_person(folder):
    rows = [row("q1", "c1", 4), row("q2", "c1", 2), row("q3", "c1", 4)]
    people = folder.write(rows, {"c1": talk("Ann")}).people()
    assert [(p.history.id, [item.id for item in p.items]) for p in people] == [
        ("c1:2", ["q2"]),
        ("c1:4", ["q1", "q3"]),
    ]


def test_another_persona_stands_in_never_the_same_one(folder):
    """Of the contexts c1 and c2, both persona 0, neither may stand in for the other."""
    contexts = {name: talk(name) for name in ("c1", "c2", "c3")}
    rows = [
        row("q1", "c1", 4),
        row("q2", "c2", 4),
        row("q3", "c3", 2, "1"),
        row("q4", "c3", 4, "1"),
    ]
    people = folder.write(rows, contexts).people()
    assert [(person.history.id, person.other.id) for person in people] == [
        ("c1:4", "c3:4"),
        ("c2:4", "c3:4"),
        ("c3:2", "c2:4"),
        ("c3:4", "c2:4"),
    ]


def test_nobody_stands_in_where_there_is_one_persona(folder):
    contexts = {"c1": talk("Ann"), "c2": talk("Ann")}
    people = folder.write([row("q1", "c1", 4), row("q2", "c2", 4)], contexts).people()
    assert [person.other for person in people] == [None, None]


def test_the_order_of_the_contexts_decides_and_those_not_asked_about_are_read_over(folder):
    contexts = {name: talk(name) for name in ("c2", "unused", "c1")}
    people = folder.write([row("q1", "c1", 4), row("q2", "c2", 4)], contexts).people()
    assert [person.history.id for person in people] == ["c2:4", "c1:4"]
    assert [person.history.id for person in folder.people(count=1)] == ["c2:4"]


def test_every_system_message_begins_a_session(folder):
    messages = [
        talk("Ann")[1],
        *talk("Ann")[:2],
        {"role": "user", "content": " "},
        *talk("Ann")[:2],
    ]
    (person,) = folder.write([row("q1", "c1", 6)], {"c1": messages}).people()
    told = [(record.kind, record.meta.get("session")) for record in person.history.records]
    assert told == [
        ("dialogue", "0"),
        ("profile", None),
        ("dialogue", "1"),
        ("profile", None),
        ("dialogue", "4"),
    ]


def test_packed_files_and_other_sizes_are_read(folder):
    folder.write([row("q1", "c1", 4)], {"c1": talk("Ann")}, size="1M")
    for name in ("questions_1M.csv", "shared_contexts_1M.jsonl"):
        path = folder.root / "personamem" / name
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert len(folder.people(size="1M")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"correct_answer": "(d)"},
            r"question 1: correct_answer must be one of \(a\), \(b\), \(c\)",
        ),
        ({"all_options": "(a) x"}, "question 1: all_options must be a list of texts"),
        ({"all_options": "['(a) x', 'y']"}, "question 1: all_options must be a list of texts"),
        ({"all_options": "['(a) x', '(a) y']"}, "question 1: all_options must be a list of texts"),
        ({"all_options": "[1, 2]"}, "question 1: all_options must be a list of texts"),
        ({"end_index_in_shared_context": "-1"}, "must be a number; got '-1'"),
        ({"question_id": ""}, "question 1 has no 'question_id'"),
        ({"shared_context_id": "c9"}, "has no context 'c9'"),
    ],
)
def test_a_malformed_question_is_an_error(folder, changes, message):
    folder.write([row("q1", "c1", 4) | changes], {"c1": talk("Ann")})
    with pytest.raises(InvalidFile, match=message):
        folder.people()


def test_a_missing_column_is_named_with_those_there_are(folder):
    older = row("q1", "c1", 4)
    older["question"] = older.pop("user_question_or_message")
    folder.write([older], {"c1": talk("Ann")})
    with pytest.raises(InvalidFile, match="no column 'user_question_or_message'; its columns: per"):
        folder.people()


def test_a_message_of_another_shape_is_an_error(folder):
    folder.write([row("q1", "c1", 2)], {"c1": [{"role": "user"}, {"role": "user"}]})
    with pytest.raises(InvalidFile, match="jsonl:1, message 0 has no field 'content'"):
        folder.people()


@pytest.mark.parametrize("size", ["32k", "128k", "1M"])
def test_a_missing_file_says_where_to_get_it(tmp_path, size):
    message = rf"PersonaMem-v1.*\{{questions_{size}.csv, shared_contexts_{size}.jsonl\}}"
    with pytest.raises(InvalidFile, match=message):
        list(Personamem(root=tmp_path, size=size).people(1))
