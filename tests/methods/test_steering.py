"""Methods that add a vector to hidden states, on a stand-in that hashes what it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import InvalidPlan, UsageError
from ipse.lm import FitSteering, Hidden, Hold, Likelihood, Reply, Score, Write
from ipse.methods import finish, parse
from ipse.plan import Plan, Steering
from ipse.records import Record, User
from ipse.state import State
from tests.people import StandIn, echo, person, reason

QUESTION = Plan.ask("Which argument about plastic bottles is better?")


def run(steps, answer):
    """Run steps, answering each by its type; give the result and what was asked."""
    asked = []
    try:
        ask = next(steps)
        while True:
            asked.append(ask)
            ask = steps.send(answer(ask))
    except StopIteration as stop:
        return stop.value, asked


def neutral(ask):
    """A model that always says the same, and whose states tell how long a text is."""
    if isinstance(ask, Write):
        return [Reply("neutral") for _ in ask.plans]
    assert isinstance(ask, Hidden)
    return np.array([[(len(t), layer) for layer in ask.layers] for t in ask.targets], np.float32)


def test_a_style_vector_is_the_mean_difference_to_what_the_model_writes():
    (method,) = parse("style-vector:records=4,layers=3,scales=2")
    user = person()
    state, asked = run(method.enroll(user, None), neutral)
    own = [r for r in user.records if r.kind in ("content", "dialogue")][-4:]
    mean = np.mean([len(r.output) for r in own]) - len("neutral")
    np.testing.assert_allclose(state.arrays["vector"], [mean, 0])
    assert state.lineage == tuple(r.id for r in own)
    assert (state.facts["layer"], state.facts["scale"]) == (3, 2.0)
    assert [plan.sampling.max_tokens for plan in asked[0].plans] == [40] * 4
    assert asked[0].plans[0].main.question == own[0].input


def test_an_answer_left_empty_makes_no_difference():
    (method,) = parse("style-vector:layers=3")

    def silent(ask):
        return [Reply("") for _ in ask.plans] if isinstance(ask, Write) else neutral(ask)

    state, _ = run(method.enroll(person(), None), silent)
    assert not state.arrays["vector"].any()


def test_it_is_added_from_the_last_token_of_the_prompt_on():
    (method,) = parse("style-vector")
    state = State(facts={"layer": 5, "scale": 0.5}, artifact="hash")
    plan = method.apply(QUESTION, person(), state)
    assert plan.main.steering == (Steering("hash", 5, 0.5, start=-1),)
    assert replace(plan, main=replace(plan.main, steering=())) == QUESTION
    with pytest.raises(InvalidPlan, match="keep the state"):
        method.apply(QUESTION, person(), replace(state, artifact=None))


class Others:
    """Finds later answers likeliest at one layer and scale."""

    def __init__(self, layer, scale):
        self.best = (layer, scale)

    def __call__(self, ask):
        if isinstance(ask, Hold):
            self.held = ask.arrays
            return "held"
        if isinstance(ask, Likelihood):
            chosen = [plan.main.steering[0] for plan in ask.plans]
            assert {s.name.removeprefix("held/") for s in chosen} <= self.held.keys()
            return [Score((-float((s.layer, s.scale) != self.best),)) for s in chosen]
        return neutral(ask)


@pytest.mark.parametrize(("layer", "scale"), [(2, 0.5), (9, 0.5), (9, 3.0)])
def test_layer_and_scale_are_the_ones_that_serve_others_best(layer, scale):
    (method,) = parse("style-vector:layers=2 9,scales=0.5 1 3,items=2,records=5,people=3")
    others = [person(name, 10) for name in ("bob", "eve", "zoe", "kim")]
    shared, asked = run(method.fit(others), Others(layer, scale))
    assert (shared.facts["layer"], shared.facts["scale"]) == (layer, scale)
    assert len(shared.facts["nats"]) == 6
    users = {r.user for o in others for r in o.records if r.id in shared.lineage}
    assert users == {"bob", "eve", "zoe"}
    later = set(next(ask for ask in asked if isinstance(ask, Likelihood)).targets)
    (read,) = (ask for ask in asked if isinstance(ask, Hidden))
    assert read.layers == (2, 9)
    assert not later & set(read.targets)
    state, _ = run(method.enroll(person(), shared), neutral)
    assert (state.facts["layer"], state.facts["scale"]) == (layer, scale)
    assert state.arrays["vector"][1] == 0


def test_with_nobody_to_choose_by_the_middle_is_taken():
    (method,) = parse("style-vector")
    assert finish(method.fit([]), StandIn(echo())) is None
    few = User("ada", (reason("ada", 1), reason("ada", 2)))
    assert finish(method.fit([few]), StandIn(echo())) is None
    state = finish(method.enroll(person(), None), StandIn(echo()))
    assert (state.facts["layer"], state.facts["scale"]) == (14, 1.0)


@pytest.mark.parametrize(
    ("setting", "said"), [("layers=two", "got 'two'"), ("scales= ", "at least one number")]
)
def test_lists_of_no_numbers_are_refused(setting, said):
    with pytest.raises(UsageError, match=said):
        finish(parse(f"style-vector:{setting}")[0].enroll(person(), None), StandIn(echo()))


def trained(ask):
    return [Reply("generic") for _ in ask.plans] if isinstance(ask, Write) else np.ones(2)


def test_steering_is_trained_from_preferences_first_and_then_from_own_words():
    (method,) = parse("steer:pairs=4,layer=3,steps=7")
    user = person()
    state, (asked, fit) = run(method.enroll(user, None), trained)
    assert isinstance(fit, FitSteering)
    assert fit.chosen == ("green", *(r.output for r in user.records[-3:]))
    assert fit.rejected == ("black", "generic", "generic", "generic")
    assert fit.plans == (Plan.ask("Tea?"), *(Plan.ask(r.input) for r in user.records[-3:]))
    assert (fit.layer, fit.steps) == (3, 7)
    assert len(asked.plans) == 3
    assert set(state.lineage) == {r.id for r in user.records if r.output in fit.chosen}


def test_enough_preferences_need_no_words_of_ones_own():
    pairs = tuple(
        Record(user="ada", kind="preference", output=f"yes {n}", rejected="no", input="?",
               time=reason("ada", n).time)
        for n in range(9)
    )  # fmt: skip
    (method,) = parse("steer:pairs=4")
    _, (fit,) = run(method.enroll(User("ada", pairs), None), trained)
    assert fit.chosen == ("yes 5", "yes 6", "yes 7", "yes 8")


def test_the_vector_is_added_to_every_token():
    (method,) = parse("steer:layer=3,scale=0.5")
    state = State(artifact="hash")
    assert method.apply(QUESTION, person(), state).main.steering == (Steering("hash", 3, 0.5),)
    assert method.apply(QUESTION, person(), None) is QUESTION
    with pytest.raises(InvalidPlan, match="keep the state"):
        method.apply(QUESTION, person(), State())


@pytest.mark.parametrize("name", ["steer", "style-vector"])
def test_nothing_is_learned_of_who_said_nothing(name):
    (method,) = parse(name)
    told = Record(
        user="ada", kind="profile", input="home", output="Paris", time=reason("ada", 1).time
    )
    assert finish(method.enroll(User("ada", (told,)), None), StandIn(echo())) is None


@pytest.mark.parametrize("name", ["steer", "style-vector"])
def test_a_vector_is_kept_until_enough_has_changed(name):
    (method,) = parse(f"{name}:refresh=3")
    state = State(facts={"records": 16})
    assert method.update(person(), state, None) is state
    assert method.update(person(count=15), state, None) is not state


def scaled(plan, scale):
    steering = tuple(replace(each, scale=scale) for each in plan.main.steering)
    return replace(plan, main=replace(plan.main, steering=steering))


def test_a_style_vector_is_chosen_made_and_added_on_a_model_that_runs(pico):
    (method,) = parse("style-vector:layers=0 1,scales=0.5 1,people=2,items=1,records=3,tokens=4")
    shared = finish(method.fit([person("bob", 5), person("eve", 5)]), pico)
    state = finish(method.enroll(person(), shared), pico)
    assert state.arrays["vector"].any()
    kept = replace(state, artifact=pico.hold(state.arrays))
    plan = method.apply(QUESTION, person(), kept)
    target = ["ada finds plastic bottles convincing!"]
    (own,), (off,), (base,) = (
        pico.score([each], target) for each in (plan, scaled(plan, 0.0), QUESTION)
    )
    assert own.nats != base.nats
    assert off.logprobs == base.logprobs


def test_a_trained_vector_makes_what_is_preferred_likelier_and_its_opposite_less(pico):
    pairs = tuple(
        Record(user="ada", kind="preference", output="green tea", rejected="black coffee",
               input=f"What {n}?", time=reason("ada", n).time)
        for n in range(4)
    )  # fmt: skip
    (method,) = parse("steer:layer=0,steps=30,rate=0.05,pairs=4")
    state = finish(method.enroll(User("ada", pairs), None), pico)
    kept = replace(state, artifact=pico.hold(state.arrays))
    plan = method.apply(Plan.ask("What else?"), person(), kept)

    def margin(scale):
        chosen, rejected = pico.score([scaled(plan, scale)] * 2, ["green tea", "black coffee"])
        return rejected.nats - chosen.nats

    assert margin(1.0) > margin(0.0) > margin(-1.0)
