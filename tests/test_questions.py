"""Asking a person which of two answers they like better."""

from datetime import timedelta

import pytest

from ipse import Ipse, Record
from ipse.errors import UsageError
from tests.people import START, StandIn, echo

SHORT, LONG = (
    "No.",
    "No, for many reasons, of which I shall give you all, one after the other, now.",
)
TEXTS = (SHORT, LONG, "Yes!", "Perhaps it might be so, I think.", "It is so.")
EVERYBODY = frozenset({"prompt", "train", "share"})


def chose(user, n, chosen, rejected, **fields):
    defaults = {"input": f"Is it so, {n}?", "time": START + timedelta(minutes=n)}
    return Record(
        user=user, kind="preference", output=chosen, rejected=rejected, **(defaults | fields)
    )


@pytest.fixture
def me(tmp_path):
    with Ipse(tmp_path / "ipse.db", StandIn(echo())) as engine:
        for person in range(6):
            pair = (SHORT, LONG) if person % 2 else (LONG, SHORT)
            told = [
                chose(f"p{person}", n, f"{pair[0]} {n}", f"{pair[1]} {n}", uses=EVERYBODY)
                for n in range(6)
            ]
            engine.add(told)
        yield engine


def test_one_of_whom_nothing_is_known_is_asked_as_anybody_would_be(me):
    me.fit("low-rank-reward")
    first, other = (me.question(name, "Is it so?", TEXTS) for name in ("ada", "bob"))
    assert first == other
    assert {first.first, first.second} <= set(TEXTS)
    assert first.unsure > 0
    assert not first.settled


def test_what_is_answered_makes_surer_and_is_not_asked_again(me):
    me.fit("low-rank-reward")
    asked, unsure = set(), []
    for _ in range(10):
        question = me.question("ada", "Is it so?", TEXTS)
        asked.add(frozenset((question.first, question.second)))
        unsure.append(question.unsure)
        liked, other = sorted((question.first, question.second), key=len)
        me.remember("ada", liked, kind="preference", input="Is it so?", rejected=other)
    assert len(asked) == 10
    assert unsure[-1] < unsure[0]
    assert len(me.question("ada", "Is it so?", TEXTS).best) < len(LONG)


def test_nobody_elses_private_answers_change_the_question(me):
    me.fit("low-rank-reward")
    before = me.question("ada", "Is it so?", TEXTS)
    me.add([chose("eve", n, f"{SHORT} {n}", f"{LONG} {n}") for n in range(9)])
    assert me.question("ada", "Is it so?", TEXTS) == before


def test_what_is_forgotten_is_not_known_when_asking(me):
    me.fit("low-rank-reward")
    before = me.question("ada", "Is it so?", TEXTS)
    record = me.remember("ada", SHORT, kind="preference", input="Is it so?", rejected=LONG)
    assert me.question("ada", "Is it so?", TEXTS) != before
    me.forget("ada", record.id)
    assert me.question("ada", "Is it so?", TEXTS) == before


def test_a_composition_that_cannot_say_how_unsure_it_is_has_the_method_as_it_comes(me):
    me.fit("low-rank-reward")
    as_it_comes = me.question("ada", "Is it so?", TEXTS, "hybrid")
    assert as_it_comes == me.question("ada", "Is it so?", TEXTS, "hybrid+low-rank-reward")
    me.fit("low-rank-reward:rank=2")
    assert me.question("ada", "Is it so?", TEXTS, "low-rank-reward:rank=2") != as_it_comes


def test_what_cannot_be_asked_says_what_to_do(me):
    with pytest.raises(UsageError, match="Run: ipse enroll --fit --method low-rank"):
        me.question("ada", "Is it so?", TEXTS)
    me.fit("low-rank-reward")
    with pytest.raises(UsageError, match="two different answers; got 1"):
        me.question("ada", "Is it so?", (SHORT, SHORT, " "))


def test_a_person_who_likes_it_short_is_given_the_shortest_of_several(me):
    methods = "best-of-n:n=4,reward=none+low-rank-reward"
    me.add([chose("ada", n, f"{SHORT} {n}", f"{LONG} {n}") for n in range(20)])
    me.fit(methods)
    (method,) = (m for m, _ in me.known("ada", methods) if m.name == "low-rank-reward")
    learned = me._views.learned(method, me.store.user("ada"))
    plan = me.plan("ada", "Is it so?", methods=methods)
    assert learned.state_id in plan.states
    assert learned.state.facts["pairs"] == 20
