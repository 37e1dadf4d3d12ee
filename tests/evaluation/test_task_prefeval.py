from __future__ import annotations

import json
from collections import Counter

import pytest

from ipse.errors import InvalidFile, Unknown
from ipse.evaluation.tasks.prefeval import TOPICS, Prefeval
from ipse.spec import read_settings

TOPIC = "travel_restaurant"
OPTIONS = ["Gemma, gluten-free.", "Roscioli, a bakery.", "Bonci, a pizzeria.", "A pasta bar."]


def entry(n=1, **more):
    return {
        "preference": f"I avoid gluten {n}.",
        "question": f"Where do I eat in Rome {n}?",
        "explanation": "Pasta.",
        **more,
    }


CHOICE = {
    "query": "Lunch?",
    "assistant_options": "1. A salad bar. 2. A sandwich shop.",
    "user_selection": "The salad bar.",
    "assistant_acknowledgment": "Got it.",
}
PERSONA = {
    "0": {"user": "I plan a reading.", "assistant": "Lovely."},
    "1": {"user": "With a gluten-free snack.", "assistant": "Sure."},
    "2": None,
}


class Folder:
    """A data folder with one topic or more."""

    def __init__(self, root):
        self.root = root
        self.write("filtered_inter_turns.json", [{"conversation": filler(12)}])

    def write(self, name, data):
        path = self.root / "prefeval" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data))

    def topic(self, topic=TOPIC, count=1, options=OPTIONS):
        entries = [entry(n) for n in range(1, count + 1)]
        self.write(f"explicit_preference/{topic}.json", entries)
        for folder, talk in (("choice-based", CHOICE), ("persona-driven", PERSONA)):
            spoken = [entry(n, conversation=talk) for n in range(1, count + 1)]
            self.write(f"implicit_preference/{folder}/{topic}.json", spoken)
        choices = [{**row, "classification_task_options": options} for row in entries]
        self.write(f"mcq_options/{topic}.json", choices)

    def people(self, count=1000, topic=TOPIC, **settings):
        return list(Prefeval(root=self.root, topic=topic, **settings).people(count))


def filler(exchanges):
    return [
        {"role": role, "content": f"{role} {n}"}
        for n in range(exchanges)
        for role in ("user", "assistant")
    ]


@pytest.fixture
def folder(tmp_path):
    found = Folder(tmp_path)
    found.topic()
    return found


def test_a_preference_is_said_first_and_filler_follows(folder):
    (person,) = folder.people(turns=2)
    said = [(record.meta["speaker"], record.output) for record in person.history.records]
    assert said == [
        ("user", "I avoid gluten 1."),
        ("user", "user 0"),
        ("assistant", "assistant 0"),
        ("user", "user 1"),
        ("assistant", "assistant 1"),
    ]
    (item,) = person.items
    assert item.question == "Where do I eat in Rome 1?"
    assert person.history.record(item.evidence[0]).output == "I avoid gluten 1."
    assert item.meta["preference"] == "I avoid gluten 1."
    assert item.group == TOPIC


def test_a_preference_can_be_shown_by_choosing(folder):
    (person,) = folder.people(form="choice", turns=0)
    assert [record.output for record in person.history.records] == list(CHOICE.values())
    (evidence,) = person.items[0].evidence
    assert person.history.record(evidence).output == "The salad bar."
    assert person.history.record(evidence).input == CHOICE["assistant_options"]


def test_a_preference_can_be_said_in_passing(folder):
    (person,) = folder.people(form="persona", turns=1)
    assert [record.output for record in person.history.records] == [
        "I plan a reading.",
        "Lovely.",
        "With a gluten-free snack.",
        "Sure.",
        "user 0",
        "assistant 0",
    ]
    assert person.items[0].evidence == ()


@pytest.mark.parametrize("form", ["choice", "persona"])
def test_an_implicit_form_never_states_the_preference(folder, form):
    (person,) = folder.people(form=form)
    assert "I avoid" not in json.dumps([record.to_json() for record in person.history.records])


def test_the_right_answer_is_spread_evenly_over_the_places(folder):
    """400 items, 4 places: 100 each expected, with a standard deviation of 8.7."""
    folder.topic(count=400)
    items = [person.items[0] for person in folder.people(turns=0)]
    assert all(item.choices[item.right] == OPTIONS[0] for item in items)
    assert all(sorted(item.choices) == sorted(OPTIONS) for item in items)
    places = Counter(item.right for item in items)
    assert sorted(places) == [0, 1, 2, 3]
    assert all(70 <= count <= 130 for count in places.values())


def test_options_are_shuffled_by_the_seed_alone(folder):
    folder.topic(count=20)

    def order(**settings):
        return [person.items[0].choices for person in folder.people(turns=0, **settings)]

    assert order() == order()
    assert order() == order(form="choice")
    assert order() != order(seed=1)
    assert order(count=5) == order()[:5]


def test_people_of_all_topics_come_in_turn(folder):
    for topic in TOPICS:
        folder.topic(topic, count=2 if topic == TOPIC else 1)
    groups = [person.items[0].group for person in folder.people(topic="all")]
    assert groups == [*TOPICS, TOPIC]


def test_who_asked_before_stands_in(folder):
    folder.topic(count=3)
    people = folder.people(turns=0)
    assert [person.other.records[0].output for person in people] == [
        "I avoid gluten 2.",
        "I avoid gluten 1.",
        "I avoid gluten 2.",
    ]


def test_the_question_and_its_options_are_never_in_the_history(folder):
    """An answer planted among the options of the question must not be readable before it."""
    folder.topic(options=["PLANTED", "x", "y", "z"])
    for form in ("explicit", "choice", "persona"):
        (person,) = folder.people(form=form)
        told = json.dumps([record.to_json() for record in person.history.records])
        assert "PLANTED" not in told
        assert "Rome" not in told
        assert all(record.time < person.items[0].time for record in person.history.records)


def test_more_filler_than_there_is_is_an_error(folder):
    with pytest.raises(InvalidFile, match="has 12 exchanges; turns must be at most that, got 13"):
        folder.people(turns=13)


def test_options_that_do_not_go_with_the_questions_are_an_error(folder):
    folder.write(f"mcq_options/{TOPIC}.json", [{"classification_task_options": OPTIONS}] * 2)
    with pytest.raises(InvalidFile, match="must go together; they have 1 and 2 entries"):
        folder.people()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("explicit_preference", [{"question": "?"}], "entry 1 has no field 'preference'"),
        ("explicit_preference", [{"preference": "p"}], "entry 1 has no field 'question'"),
        ("explicit_preference", {}, "must hold a list of entries"),
        ("mcq_options", [{}], "entry 1 has no field 'classification_task_options'"),
        ("mcq_options", [{"classification_task_options": ["a", 2]}], "must be two texts or more"),
        ("mcq_options", [{"classification_task_options": ["a"]}], "must be two texts or more"),
    ],
)
def test_a_file_of_another_shape_is_an_error(folder, name, data, message):
    folder.write(f"{name}/{TOPIC}.json", data)
    with pytest.raises(InvalidFile, match=message):
        folder.people()


def test_a_choice_without_a_selection_is_an_error(folder):
    talk = {key: value for key, value in CHOICE.items() if key != "user_selection"}
    folder.write(f"implicit_preference/choice-based/{TOPIC}.json", [entry(conversation=talk)])
    with pytest.raises(InvalidFile, match="entry 1 has no field 'user_selection'"):
        folder.people(form="choice")


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(InvalidFile, match=r"amazon-science/PrefEval.*filtered_inter_turns.json"):
        list(Prefeval(root=tmp_path).people(1))


def test_an_unknown_topic_names_those_there_are():
    with pytest.raises(
        Unknown, match=r"topic of 'prefeval'.*Known: all, education_learning_styles"
    ):
        read_settings(Prefeval, "prefeval", "topic=cars")
