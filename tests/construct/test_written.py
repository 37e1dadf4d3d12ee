"""What a model makes up: of values, of conversations, of personas."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ipse.construct import Personas, Recall, Values
from ipse.construct.asking import lines
from ipse.errors import UsageError
from ipse.lm import Reply
from ipse.methods import finish
from ipse.preferences import pairs
from ipse.records import Record, User
from tests.people import START


class Writer:
    """Answers with the start of what it read and the seed, or always the same."""

    def __init__(self, answer=""):
        self.answer, self.read = answer, []

    def generate(self, plans, progress=None):
        self.read += plans
        return [Reply(self.answer or self._told(plan)) for plan in plans]

    def _told(self, plan):
        system = plan.main.messages[0].content if len(plan.main.messages) > 1 else "nobody"
        return f"{system[:30]} {plan.sampling.seed}"


def said(user, n, text, **fields):
    time = START + timedelta(hours=n)
    return Record(user=user, kind="dialogue", input="Hi", output=text, time=time, **fields)


PEOPLE = [
    User("ada", (said("ada", 1, "We moved to Lisbon."), said("ada", 2, "I like tea."))),
    User("bob", (said("bob", 1, "I sold the car."),)),
]


@pytest.fixture(params=["values", "recall", "personas"])
def made(request):
    steps = {
        "values": lambda: Values(people=3).make(["Tea?", "Car?"], "echo"),
        "recall": lambda: Recall().make(PEOPLE, "echo"),
        "personas": lambda: Personas(people=3, turns=2).make("echo"),
    }
    return lambda: finish(steps[request.param](), Writer())


def test_every_record_says_that_nobody_said_it(made):
    records = made()
    assert records
    for record in records:
        assert record.user.startswith("constructed-")
        assert record.source.startswith("constructed:")
        assert "seed=0,model=echo" in record.source
        assert "share" not in record.uses
    assert len({record.id for record in records}) == len(records)


def test_the_same_seed_makes_the_same(made):
    assert made() == made()


def test_what_is_answered_under_ones_own_values_is_preferred_to_anothers():
    records = finish(Values(people=3).make(["Tea?", "Car?"], "m"), Writer())
    assert len(records) == 6
    systems = {r.user: r.meta["system"] for r in records}
    assert {tuple(r.meta["values"]) for r in records} == {
        ("style", "background knowledge", "informativeness", "harmlessness")
    }
    for record in records:
        assert record.output.startswith(systems[record.user][:30])
        assert not record.rejected.startswith(systems[record.user][:30])


def test_values_that_no_model_words_are_told_plainly():
    blank = Writer(" ")
    assert finish(Values(people=2).make(["Tea?"], "m"), blank) == []
    assert blank.read[-1].main.messages[0].content.startswith("Keep to this. style: ")


def test_who_has_values_needs_another_to_differ_from():
    with pytest.raises(UsageError, match="from 2 to"):
        finish(Values(people=1).make(["Tea?"], "m"), Writer())


def test_every_turn_becomes_an_open_a_yes_and_a_no_question():
    records = finish(Recall().make(PEOPLE, "m"), Writer("- Where do they live?\nHm."))
    own = [r for r in records if r.user == "constructed-recall-ada"]
    assert [r.meta["form"] for r in own] == ["open", "yes", "no"] * 2
    assert own[0].input == "Where do they live?"
    assert own[0].output == "We moved to Lisbon."
    assert own[1].output == "Yes. They said: We moved to Lisbon."
    assert own[2].input == "Did this person say: I sold the car."
    assert own[2].output.startswith("No")
    assert {r.meta["of"] for r in own} == {r.id for r in PEOPLE[0].records}


def test_with_nobody_else_nothing_is_asked_that_was_not_said():
    records = finish(Recall().make(PEOPLE[:1], "m"), Writer())
    assert {r.meta["form"] for r in records} == {"open", "yes"}


def test_what_may_not_be_trained_on_becomes_no_question():
    hidden = User("eve", (said("eve", 1, "My secret.", uses=frozenset({"prompt"})),))
    assert finish(Recall().make([hidden], "m"), Writer()) == []


def test_conversations_go_on_from_what_was_chosen():
    lm = Writer()
    records = finish(Personas(people=2, turns=3).make("m"), lm)
    assert [r.meta["turn"] for r in records] == [0, 1, 2] * 2
    first, second, third = records[:3]
    assert first.meta["before"] == []
    assert second.meta["before"] == [[first.input, first.output]]
    assert third.meta["before"] == [*second.meta["before"], [second.input, second.output]]
    assert all(r.output.startswith("You talk with") for r in records)
    assert all(r.rejected.startswith("nobody") for r in records)
    user = User(first.user, tuple(records[:3]))
    assert len(pairs(user)) == 3


def test_answers_that_read_the_same_prefer_nothing():
    assert finish(Personas(people=2).make("m"), Writer("Yes.")) == []
    assert finish(Values(people=2).make(["Tea?"], "m"), Writer("Yes.")) == []


def test_lists_are_read_without_their_marks():
    assert lines('1. a nurse\n- "a nurse"\n\n* **b**\n', 5) == ["a nurse", "b"]
    assert lines("a\nb\nc", 2) == ["a", "b"]
