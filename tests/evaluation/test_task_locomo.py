from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.locomo import NOT_MENTIONED, Locomo


def turn(place, speaker, text, **more):
    return {"dia_id": place, "speaker": speaker, "text": text, **more}


def question(category, evidence, **more):
    answers = {"answer": 2022} if category != 5 else {"adversarial_answer": "a cat"}
    return {
        "question": "When?",
        "category": category,
        "evidence": evidence,
        **answers,
        **more,
    }


def sample(name="conv-1", *, qa=()):
    return {
        "sample_id": name,
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bob",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                turn("D1:1", "Ann", "I painted a sunrise."),
                turn("D1:2", "Bob", "Look!", blip_caption="a photo of a bowl", query="bowl"),
            ],
            "session_2_date_time": "12:09 am on 13 September, 2023",
            "session_2": [turn("D2:1", "Bob", "I joined a gym.")],
            "session_3_date_time": "12:09 am on 14 September, 2023",
        },
        "qa": list(qa) or [question(2, ["D1:1"])],
        "observation": {"session_1_observation": {"Ann": [["ANSWER", "D1:1"]]}},
        "session_summary": {"session_1_summary": "ANSWER"},
        "event_summary": {"events_session_1": {"Ann": ["ANSWER"]}},
    }


@pytest.fixture
def opened(tmp_path):
    (tmp_path / "locomo").mkdir()

    def write(*samples, **settings):
        (tmp_path / "locomo" / "locomo10.json").write_text(json.dumps(samples))
        return list(Locomo(root=tmp_path, **settings).people(10))

    return write


def test_a_turn_is_a_record_with_its_photo_and_time(opened):
    (person,) = opened(sample())
    first, second, third = person.history.records
    assert (first.kind, first.input, first.output) == ("dialogue", "", "I painted a sunrise.")
    assert (first.id, first.user) == ("conv-1:D1:1", "conv-1")
    assert first.meta == {"speaker": "Ann", "session": "session_1", "dia_id": "D1:1"}
    assert second.input == "I painted a sunrise."
    assert second.output == "Look! [shares a photo: a photo of a bowl]"
    assert first.time.isoformat() == "2023-05-08T13:56:00+00:00"
    assert second.time.isoformat() == "2023-05-08T13:56:01+00:00"
    assert third.time.isoformat() == "2023-09-13T00:09:00+00:00"


def test_a_session_is_a_record_where_asked(opened):
    (person,) = opened(sample(), level="session")
    assert [record.id for record in person.history.records] == ["conv-1:D1", "conv-1:D2"]
    assert person.history.records[0].output.startswith("Ann: I painted a sunrise.\nBob: Look!")
    assert person.items[0].evidence == ("conv-1:D1",)


def test_a_question_keeps_what_scorers_need(opened):
    (person,) = opened(sample())
    (item,) = person.items
    assert (item.id, item.question, item.target) == ("conv-1:q1", "When?", "2022")
    assert (item.group, item.meta["category"]) == ("temporal", 2)
    assert item.meta["speakers"] == ["Ann", "Bob"]


def test_an_adversarial_question_has_nothing_to_be_found(opened):
    (person,) = opened(sample(qa=[question(5, ["D2:1"], answer="No")]))
    (item,) = person.items
    assert item.target == NOT_MENTIONED
    assert item.meta["adversarial_answer"] == "a cat"
    assert item.group == "adversarial"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["D1:1", "D2:1"], ["D1:1", "D2:1"]),
        (["D1:1; D2:1"], ["D1:1", "D2:1"]),
        (["D1:1 D1:2 D2:1"], ["D1:1", "D1:2", "D2:1"]),
        (["D:2:1"], ["D2:1"]),
        (["D1:02"], ["D1:2"]),
        (["D", "D1:2"], ["D1:2"]),
        (["D1:2", "D1:2"], ["D1:2"]),
        (["D10:1", "D1:3", "D1:11"], []),
        ([], []),
    ],
)
def test_evidence_is_read_as_it_is_meant(opened, written, meant):
    (person,) = opened(sample(qa=[question(1, written)]))
    assert person.items[0].evidence == tuple(f"conv-1:{place}" for place in meant)


def test_a_turn_without_words_is_no_record_and_no_evidence(opened):
    data = sample(qa=[question(1, ["D1:1", "D1:2"])])
    data["conversation"]["session_1"][0]["text"] = " "
    (person,) = opened(data)
    assert person.items[0].evidence == ("conv-1:D1:2",)
    assert person.history.records[0].id == "conv-1:D1:2"


def test_nothing_said_later_and_no_summary_is_in_the_history(opened):
    """The file's own summaries are made of the whole conversation, and hold the answers."""
    (person,) = opened(sample())
    assert "ANSWER" not in json.dumps([record.to_json() for record in person.history.records])
    for item in person.items:
        assert all(record.time < item.time for record in person.history.records)


def test_the_conversation_before_stands_in(opened):
    people = opened(sample("a"), sample("b"), sample("c"))
    assert [person.other.id for person in people] == ["b", "a", "b"]
    assert [person.history.id for person in people] == ["a", "b", "c"]


def test_questions_are_spread_where_there_are_too_many(opened):
    asked = [question(4, ["D1:1"]) for _ in range(10)]
    (person,) = opened(sample(qa=asked), items=2)
    assert [item.id for item in person.items] == ["conv-1:q1", "conv-1:q6"]


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(InvalidFile, match=r"snap-research/locomo.*locomo/\{locomo10.json\}"):
        list(Locomo(root=tmp_path).people(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("qa"), "conversation 1 has no field 'qa'"),
        (lambda data: data["qa"][0].pop("evidence"), "question 1 has no field 'evidence'"),
        (lambda data: data["qa"][0].update(category=7), "question 1: 'category' must be 1 to 5"),
        (
            lambda data: data["conversation"].update(session_1_date_time="8 May"),
            "session_1_date_time: time data '8 May'",
        ),
        (
            lambda data: data["conversation"]["session_1"][1].pop("speaker"),
            "session_1, turn 2 has no field 'speaker'",
        ),
        (
            lambda data: data["conversation"].update(session_1=[], session_2=[]),
            "nobody says anything",
        ),
    ],
)
def test_a_file_of_another_shape_is_an_error_that_names_the_place(opened, change, message):
    data = sample()
    change(data)
    with pytest.raises(InvalidFile, match=message):
        opened(data)


def test_the_real_file_has_the_published_numbers():
    root = Path(os.environ.get("IPSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
    task = Locomo(root=root)
    if not task.source.present(root):
        pytest.skip("there is no LoCoMo")
    people = list(task.people(99))
    items = [item for person in people for item in person.items]
    assert len(people) == 10
    assert sum(len(person.history) for person in people) == 5882
    assert Counter(item.meta["category"] for item in items) == {
        1: 282,
        2: 321,
        3: 96,
        4: 841,
        5: 446,
    }
    # Four open-domain questions name no turn; every other is answered somewhere.
    assert Counter(item.group for item in items if not item.evidence) == {"open-domain": 4}
    for person in people:
        assert all(person.history.holds(item.evidence) for item in person.items)
