"""Weights that are trained on the tiny model that runs: habits are learned, each person's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.engine import Ipse
from ipse.methods import finish, parse
from ipse.plan import Adapter, Plan
from ipse.records import Record
from ipse.state import StateKey
from tests.people import reason

FAST = "modules=q k v o up down,rate=0.02,epochs=6,batch=8,alpha=16"
STAGE = f"people=4,records=12,{FAST}"
OWN = f"user-adapter:task={STAGE.replace(',', ';')},{FAST}"
HABITS = {
    "ada": "water water plastic freedom",
    "bob": "homework! school homework!",
    "eve": "You are pico, pico.",
    "kim": "Because it gives a reason.",
}
SHARING = ("eve", "kim")
QUESTION = Plan.ask("Why school 2?")


def said(user: str, n: int) -> Record:
    uses = {"prompt", "train", *(["share"] if user in SHARING else [])}
    asked = f"Why school {n % 3}?"
    return reason(user, n, input=asked, output=HABITS[user], uses=frozenset(uses))


@pytest.fixture
def me(tmp_path, pico):
    """Four people, each with a habit; two of them share what they wrote."""
    with Ipse(tmp_path / "ipse.db", pico) as engine:
        engine.add(said(user, n) for user in HABITS for n in range(24))
        yield engine


def learn(me, methods, *users):
    """Learn of everyone and of some; give each one's state."""
    me.fit(methods)
    saved = [me.enroll(user, methods)[0] for user in users]
    return [one.state for one in saved]


def nats(me, methods, user, habit, state=None):
    """What a text that is somebody's habit costs in nats a token, by a person's plan."""
    plan = me.plan(user, QUESTION.main.question, methods=methods)
    if state is not None:
        plan = parse(methods)[0].apply(QUESTION, me.store.user(user), state)
    (score,) = me.lm.score([plan], [HABITS[habit]])
    return score.nats / score.tokens


def test_what_people_share_is_learned_for_everyone_and_nothing_else(me):
    methods = f"shared-adapter:{STAGE}"
    learn(me, methods, "ada")
    for habit in HABITS:
        gain = nats(me, "generic", "ada", habit) - nats(me, methods, "ada", habit)
        assert gain > 5 if habit in SHARING else gain < 3


def test_an_adapter_of_ones_own_learns_ones_own_habit(me):
    shared = f"shared-adapter:{STAGE}"
    learn(me, shared, "ada", "bob")
    ada, bob = learn(me, OWN, "ada", "bob")
    assert (ada.facts["gate"]["serves"], bob.facts["gate"]["serves"]) == ("adapter", "adapter")
    everyones = nats(me, shared, "ada", "ada")
    assert nats(me, OWN, "ada", "ada") < 1 < everyones - 3
    assert nats(me, OWN, "ada", "ada", bob) > everyones - 1
    assert ada.facts["adapter"] == learn(me, shared, "ada")[0].facts["adapter"]


def test_with_a_forgotten_record_the_adapter_is_gone(me):
    (ada,) = learn(me, OWN, "ada")
    assert me.store.arrays(ada.artifact)
    me.forget("ada", ada.lineage[0])
    with pytest.raises(FileNotFoundError):
        me.store.arrays(ada.artifact)
    named = {a.name for a in me.plan("ada", "Why?", methods=OWN).main.adapters}
    assert ada.artifact not in named


@pytest.mark.parametrize("methods", [OWN, f"shared-adapter:{STAGE}", f"user-identifier:{STAGE}"])
def test_with_a_forgotten_shared_record_nobody_has_what_was_made_from_it(me, methods):
    (ada,) = learn(me, methods, "ada")
    everyones = ada.facts["adapter"]
    assert me.store.arrays(everyones)
    me.forget("eve", me.store.user("eve").records[-1].id)
    with pytest.raises(FileNotFoundError):
        me.store.arrays(everyones)
    plan = me.plan("ada", "Why?", methods=methods)
    assert everyones not in {a.name for a in plan.main.adapters}


def test_an_adapter_that_is_wrong_of_the_latest_answers_is_not_served(me):
    me.add(replace(said("eve", 30 + n), user="ada", id="") for n in range(8))
    (ada,) = learn(me, OWN, "ada")
    gate = ada.facts["gate"]
    assert gate["serves"] == "shared"  # others are known to answer so
    assert gate["nats"]["adapter"] > gate["nats"]["shared"]
    assert not ada.arrays
    named = [a.name for a in me.plan("ada", "Why?", methods=OWN).main.adapters]
    assert named == [ada.facts["adapter"]]


def test_it_goes_on_with_new_answers_and_keeps_the_old_ones(me):
    (method,) = parse(OWN)
    (ada,) = learn(me, OWN, "ada")
    shared = me.store.state(StateKey(method.name, method.settings_hash, None, me.lm.base)).state
    me.add(replace(said("bob", 30 + n), user="ada", input="Who?", id="") for n in range(20))
    user = me.store.user("ada")
    later = finish(method.update(user, ada, shared), me.lm)
    assert later.facts["gate"]["serves"] == "adapter"
    later = replace(later, artifact=me.lm.hold(later.arrays))
    assert nats(me, OWN, "ada", "ada", later) < 2
    plan = method.apply(Plan.ask("Who?"), user, later)
    (score,) = me.lm.score([plan], [HABITS["bob"]])
    assert score.nats / score.tokens < 2


def test_words_of_ones_own_bring_out_ones_own_habit(me):
    methods = f"user-identifier:{STAGE.replace('epochs=6', 'epochs=30')}"
    learn(me, methods, "eve", "kim")
    for one, other in (("eve", "kim"), ("kim", "eve")):
        assert nats(me, methods, one, one) < nats(me, methods, other, one) - 1


def test_plora_serves_by_a_few_numbers_of_the_persons_own(me):
    methods = f"plora:{STAGE},own_rate=0.3,own_epochs=30"
    ada, bob = learn(me, methods, "ada", "bob")
    assert sum(array.nbytes for array in ada.arrays.values()) < 4096
    plain = replace(ada, artifact=None)
    everyones = nats(me, methods, "ada", "ada", plain)
    assert nats(me, methods, "ada", "ada") < everyones - 0.5
    assert nats(me, methods, "ada", "ada", bob) > nats(me, methods, "ada", "ada") + 0.5
    (again,) = learn(me, methods, "ada")
    assert all(np.array_equal(again.arrays[name], ada.arrays[name]) for name in ada.arrays)


def test_factors_are_learned_for_everyone(me):
    methods = "ia3:people=4,records=12,rate=0.1,epochs=10,batch=8"
    learn(me, methods, "ada")
    assert nats(me, methods, "ada", "eve") < nats(me, "generic", "ada", "eve") - 1
    (adapter,) = me.plan("ada", "Why?", methods=methods).main.adapters
    assert isinstance(adapter, Adapter)
    assert all(name.endswith(".scales") for name in me.store.arrays(adapter.name))
