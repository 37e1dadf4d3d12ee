from __future__ import annotations

import json

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.perltqa import Perltqa


def asked(reference, anchors=("female",)):
    return {
        "Question": "What?",
        "Answer": "That.",
        "Reference Memory": reference,
        "Memory Anchors": [{anchor: [-1, -1]} for anchor in anchors],
    }


def life():
    return {
        "profile": {"Gender": "female", "Age": 28, "Nickname": "", "Employer": None},
        "profile_description": "PLANTED",
        "social_relationship": {
            "4_0": {
                "Supporting Characters": "Zhang Xiaoming",
                "Description": "Her brother.",
                "Relationship": "younger brother",
            }
        },
        "events": {
            "4_0_0": {
                "content": "They went to the Grand Canyon.",
                "summary": "A trip",
                "Creation Time": "during an election",
            }
        },
        "dialogues": {
            "4_0_0#0": {
                "events": "4_0_0",
                "contents": {
                    "2022-01-15 10:00": ["Ann: Hello.", "AI: Hi."],
                    "2022-01-18 10:00": ["Ann: Again."],
                },
            }
        },
    }


def sections():
    return {
        "profile": [asked("Gender")],
        "social_relationship": [{"4_0": [asked("['4_0']")]}],
        "events": [{"4_0_0": [asked("['4_0_0']"), asked("['4_0_0', '4_0']")]}],
        "dialogues": [{"4_0_0#0": [asked("['4_0_0#0']")]}],
    }


class Folder:
    def __init__(self, root):
        self.root = root
        (root / "perltqa").mkdir()

    def write(self, lives, entries):
        (self.root / "perltqa" / "perltmem_en_v2.json").write_text(json.dumps(lives))
        (self.root / "perltqa" / "perltqa_en_v2.json").write_text(json.dumps(entries))
        return self

    def people(self, **settings):
        return list(Perltqa(root=self.root, **settings).people(10))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_memories_are_records_of_their_kinds(folder):
    (person,) = folder.write({"Ann": life()}, [{"Ann": sections()}]).people()
    told = [(r.id, r.kind, r.input, r.output) for r in person.history.records]
    assert told == [
        ("Ann:Gender", "profile", "Gender", "female"),
        ("Ann:Age", "profile", "Age", "28"),
        ("Ann:4_0", "profile", "younger brother", "Zhang Xiaoming: Her brother."),
        ("Ann:4_0_0", "content", "A trip", "They went to the Grand Canyon."),
        (
            "Ann:4_0_0#0",
            "dialogue",
            "",
            "2022-01-15 10:00\nAnn: Hello.\nAI: Hi.\n2022-01-18 10:00\nAnn: Again.",
        ),
    ]
    assert person.history.record("Ann:4_0_0").meta == {
        "section": "events",
        "date": "during an election",
    }


def test_questions_name_the_memories_that_answer_them(folder):
    (person,) = folder.write({"Ann": life()}, [{"Ann": sections()}]).people()
    assert [(item.id, item.group, item.evidence) for item in person.items] == [
        ("Ann:q1", "profile", ("Ann:Gender",)),
        ("Ann:q2", "social_relationship", ("Ann:4_0",)),
        ("Ann:q3", "events", ("Ann:4_0_0",)),
        ("Ann:q4", "events", ("Ann:4_0_0", "Ann:4_0")),
        ("Ann:q5", "dialogues", ("Ann:4_0_0#0",)),
    ]
    assert person.items[0].target == "That."
    assert person.items[0].meta == {"anchors": ["female"]}


@pytest.mark.parametrize("reference", ["Hobbies", "Nickname", "['9_9']", "", None])
def test_a_memory_that_is_not_there_is_no_evidence(folder, reference):
    (person,) = folder.write(
        {"Ann": life()}, [{"Ann": sections() | {"profile": [asked(reference)]}}]
    ).people()
    assert person.items[0].evidence == ()


def test_questions_come_after_everything_and_nothing_else_is_read(folder):
    """The description retells the profile under no id; an answer planted there is not seen."""
    (person,) = folder.write({"Ann": life()}, [{"Ann": sections()}]).people()
    assert "PLANTED" not in json.dumps([record.to_json() for record in person.history.records])
    for item in person.items:
        assert all(record.time < item.time for record in person.history.records)
        assert not person.history.holds([item.id])


def test_the_person_before_stands_in_and_others_lives_are_not_mixed_in(folder):
    lives = {name: life() for name in ("Ann", "Bo", "Cy")}
    people = folder.write(lives, [{"Bo": sections()}, {"Ann": sections()}]).people()
    assert [(person.history.id, person.other.id) for person in people] == [
        ("Bo", "Ann"),
        ("Ann", "Bo"),
    ]
    assert {record.user for record in people[0].history.records} == {"Bo"}


def test_questions_are_spread_where_there_are_too_many(folder):
    (person,) = folder.write({"Ann": life()}, [{"Ann": sections()}]).people(items=2)
    assert [item.id for item in person.items] == ["Ann:q1", "Ann:q3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda life, _: life.pop("profile"), "'Ann' has no field 'profile'"),
        (lambda life, _: life.pop("events"), "'Ann' has no field 'events'"),
        (
            lambda life, _: life["events"]["4_0_0"].pop("content"),
            "event '4_0_0' has no field 'content'",
        ),
        (
            lambda life, _: life["dialogues"]["4_0_0#0"].update(contents=[]),
            "dialogue '4_0_0#0': 'contents' must be a dict",
        ),
        (lambda _, asked: asked.pop("dialogues"), "entry 1, 'Ann' has no field 'dialogues'"),
        (
            lambda _, asked: asked["profile"][0].pop("Question"),
            "question 1 has no field 'Question'",
        ),
        (
            lambda _, asked: asked["profile"][0].pop("Reference Memory"),
            "question 1 has no field 'Reference Memory'",
        ),
        (lambda _, asked: asked.update(events=["x"]), "'events' must hold questions by id"),
        (
            lambda _, asked: asked["profile"][0].update({"Memory Anchors": "x"}),
            "'Memory Anchors' must be a list of objects",
        ),
    ],
)
def test_a_file_of_another_shape_is_an_error_that_names_the_place(folder, change, message):
    known, questions = life(), sections()
    change(known, questions)
    with pytest.raises(InvalidFile, match=message):
        folder.write({"Ann": known}, [{"Ann": questions}]).people()


def test_someone_without_a_memory_is_an_error(folder):
    with pytest.raises(InvalidFile, match=r"perltmem_en_v2.json has no field 'Bo'"):
        folder.write({"Ann": life()}, [{"Bo": sections()}]).people()


@pytest.mark.parametrize(("lives", "entries"), [([], []), ({"Ann": life()}, {})])
def test_files_of_the_older_layout_are_an_error(folder, lives, entries):
    with pytest.raises(InvalidFile, match="must hold"):
        folder.write(lives, entries).people()


def test_a_missing_file_says_where_to_get_it(tmp_path):
    message = r"Elvin-Yiming-Du/PerLTQA.*\{perltmem_en_v2.json, perltqa_en_v2.json\}"
    with pytest.raises(InvalidFile, match=message):
        list(Perltqa(root=tmp_path).people(1))
