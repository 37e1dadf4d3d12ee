"""`user-dpo`, on a stand-in that answers as told, and on a model that runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.job import Loss, Trained
from ipse.lm import Hold, Likelihood, Reply, Score, Train, Write
from ipse.methods import finish, parse
from ipse.methods.gate import examined_pairs
from ipse.plan import Adapter, Plan, Sampling
from ipse.records import Record, User
from ipse.state import State
from tests.methods.test_steering import run
from tests.people import START, reason

QUESTION = Plan.ask("Which argument about plastic bottles is better?")
NOBODY = {"others": np.frombuffer(b"{}", np.uint8)}
EVERYONES = State(arrays=NOBODY, artifact="everyone")
BETTER = {"adapter": (1.0, 3.0)}


class Teacher:
    """Finds chosen and rejected texts as likely as it is told, by the kind of plan."""

    def __init__(self, **nats):
        self.nats = {"shared": (2.0, 2.5), "retrieval": (2.0, 2.5), "adapter": (2.0, 2.5)} | nats
        self.jobs = []

    def __call__(self, ask):
        if isinstance(ask, Train):
            self.jobs += ask.jobs
            return [Trained({"m.lora_A": len(j.examples)}, {"updates": 2, "seconds": 9.0})
                    for j in ask.jobs]  # fmt: skip
        if isinstance(ask, Hold):
            return "held"
        if isinstance(ask, Write):
            return [Reply("The model says so.") for _ in ask.plans]
        assert isinstance(ask, Likelihood)
        half = len(ask.plans) // 2
        assert ask.plans[:half] == ask.plans[half:]
        kinds = ["retrieval" if p.evidence else "shared" for p in ask.plans]
        kinds = ["adapter" if Adapter("held") in p.main.adapters else kind
                 for kind, p in zip(kinds, ask.plans, strict=True)]  # fmt: skip
        return [Score((-self.nats[kind][i >= half],) * 2) for i, kind in enumerate(kinds)]


def prefers(user, n, **fields):
    return Record(user=user, kind="preference", input=f"Tea {n}?", output=f"green {n}",
                  rejected=f"black {n}", time=START.replace(day=2, hour=n // 60, minute=n % 60),
                  **fields)  # fmt: skip


def drinker(count=40, **fields):
    return User("ada", tuple(prefers("ada", n, **fields) for n in range(count)))


def writer(user="ada", count=30):
    return User(user, tuple(reason(user, n) for n in range(count)))


def test_preferences_are_learned_by_dpo_on_everyones_adapter():
    (method,) = parse("user-dpo:pairs=30,beta=0.3,sft=0")
    user, teacher = drinker(), Teacher(**BETTER)
    state, asked = run(method.enroll(user, EVERYONES), teacher)
    (job,) = teacher.jobs
    assert job.loss == Loss("dpo", beta=0.3)
    assert job.start == ""
    assert [(e.target, e.rejected) for e in job.examples] == [
        (f"green {n}", f"black {n}") for n in range(10, 32)
    ]
    assert {e.stream.adapters for e in job.examples} == {(Adapter("everyone/adapter"),)}
    (tested,) = [ask for ask in asked if isinstance(ask, Likelihood)]
    held = [f"green {n}" for n in range(32, 40)]
    assert [*tested.targets] == held * 3 + [text.replace("green", "black") for text in held] * 3
    gate = state.facts["gate"]
    assert gate["serves"] == "adapter"
    assert "8 held-out pairs the adapter beats shared" in gate["why"]
    assert gate["accuracy"] == {"shared": 1.0, "retrieval": 1.0, "adapter": 1.0}
    assert gate["apart"]["adapter"] == -2.0
    assert gate["nats"]["adapter"] == 1.0
    assert set(state.lineage) == {r.id for r in user.records[10:]}
    plan = method.apply(QUESTION, user, replace(state, artifact="own"))
    assert plan.main.adapters == (Adapter("everyone/adapter"), Adapter("own"))


@pytest.mark.parametrize(
    ("nats", "why"),
    [
        ({}, "does not beat shared (p = 1.000)"),
        ({"adapter": (3.0, 9.0)}, "but finds what was chosen less likely than shared does"),
    ],
)
def test_an_adapter_that_fails_either_test_is_not_served(nats, why):
    (method,) = parse("user-dpo")
    state, _ = run(method.enroll(drinker(), EVERYONES), Teacher(**nats))
    assert why in state.facts["gate"]["why"]
    assert state.facts["gate"]["serves"] == "shared"
    assert not state.arrays
    assert method.apply(QUESTION, drinker(), state).main.adapters == (Adapter("everyone/adapter"),)


def test_a_tie_has_an_even_target_and_tests_nothing():
    (method,) = parse("user-dpo:held_out=0.5")
    user = drinker(24, meta={"tie": True})
    user = User("ada", (*user.records, *(prefers("ada", n) for n in range(30, 40))))
    state, asked = run(method.enroll(user, EVERYONES), teacher := Teacher(**BETTER))
    assert {e.belief for e in teacher.jobs[0].examples} == {0.5}
    (tested,) = [ask for ask in asked if isinstance(ask, Likelihood)]
    assert len(tested.plans) == 2 * 3 * 10
    assert state.facts["gate"]["records"] == 10


def test_what_others_share_of_the_same_prompt_is_what_ones_own_is_preferred_to():
    (method,) = parse("user-dpo:pairs=30,others=60")
    teacher = Teacher(**BETTER)
    bob, ada = writer("bob"), writer("ada", 32)
    shared, _ = run(method.fit([bob, writer("ada", 30)]), teacher)
    assert len(shared.lineage) == 60
    shared = replace(shared, artifact="everyone")
    teacher.jobs.clear()
    state, asked = run(method.enroll(ada, shared), teacher)
    told = {e.target: e.rejected for e in teacher.jobs[0].examples}
    assert all(text.startswith("ada finds") for text in told)
    assert all(text.startswith("bob finds") for text in told.values())
    assert not any(isinstance(ask, Write) for ask in asked)
    assert set(state.lineage) == {r.id for r in ada.records[2:]}
    lone, asked = run(method.enroll(ada, EVERYONES), teacher)
    (write,) = [ask for ask in asked if isinstance(ask, Write)]
    assert {plan.main.adapters for plan in write.plans} == {(Adapter("everyone/adapter"),)}
    assert {e.rejected for e in teacher.jobs[1].examples} == {"The model says so."}
    assert lone.facts["gate"]["serves"] == "adapter"


def test_without_own_only_preferences_count():
    (method,) = parse("user-dpo:own=false")
    teacher = Teacher()
    everyone, _ = run(method.fit([writer("bob")]), teacher)
    assert everyone.arrays["others"].tobytes() == b"{}"
    assert sorted(everyone.arrays) == ["adapter/m.lora_A", "others"]
    state = method.enroll(writer(), EVERYONES)
    assert state.facts["gate"]["why"] == "there is no pair to learn from"
    assert method.enroll(writer(), None) is None
    assert method.apply(QUESTION, writer(), state).main.adapters == (Adapter("everyone/adapter"),)


def test_too_few_pairs_get_no_adapter():
    (method,) = parse("user-dpo:least=20")
    state, _ = run(method.enroll(drinker(19), EVERYONES), teacher := Teacher(**BETTER))
    assert teacher.jobs == []
    assert "too few pairs" in state.facts["gate"]["why"]
    assert method.update(drinker(38), state, EVERYONES) is state
    later, _ = run(method.update(drinker(39), state, EVERYONES), teacher)
    assert later.facts["gate"]["serves"] == "adapter"


def test_accuracy_is_the_share_of_pairs_in_which_the_chosen_is_likelier():
    def answer(ask):
        return [Score((-cost,)) for cost in (1.0, 2.0, 3.0, 4.0, 2.0, 1.0, 3.0, 5.0)]

    plans = [QUESTION] * 4
    verdict, _ = run(examined_pairs({"none": plans}, list("abcd"), list("efgh"), 0.05, 9), answer)
    assert verdict["accuracy"] == {"none": 0.5}
    assert verdict["nats"] == {"none": 2.5}
    assert verdict["apart"] == {"none": -0.25}
    assert verdict["serves"] == "none"


def test_it_tells_a_persons_own_words_from_anothers(pico):
    (method,) = parse("user-dpo:gate=false,rate=0.003,epochs=6,task=epochs=1;records=6")
    shared = finish(method.fit([writer("bob", 12), writer("eve", 12)]), pico)
    shared = replace(shared, artifact=pico.hold(shared.arrays))
    ada = writer("ada", 12)
    state = finish(method.enroll(ada, shared), pico)
    state = replace(state, artifact=pico.hold(state.arrays))
    ask = replace(Plan.ask(ada.records[3].input), sampling=Sampling(max_tokens=4))
    texts = [f"{name} finds point 20 on tv and books convincing!" for name in ("ada", "bob")]

    def apart(*adapters):
        plan = replace(ask, main=replace(ask.main, adapters=adapters))
        own, other = pico.score([plan] * 2, texts)
        return own.nats - other.nats

    plan = method.apply(ask, ada, state)
    assert apart(*plan.main.adapters) < apart(plan.main.adapters[0]) - 0.5
    assert pico.generate([plan])[0].tokens
