"""Objectives: what they are, who wants what, and adapters that learn them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import Unknown, UsageError
from ipse.job import Loss, Trained
from ipse.lm import Reply, Train, Write
from ipse.methods import finish
from ipse.methods.objectives import Scale, adapters, names, wanted
from ipse.methods.ranking import Recipe, draw, learned, ranked
from ipse.plan import Adapter, Plan, Sampling
from ipse.records import Record, User
from tests.methods.test_steering import run
from tests.people import START, person, reason

BOTH = names("-length formality")
RECIPE = Recipe(people=2, prompts=3, answers=3, tokens=6, epochs=4, rate=5e-3, pairs=1)
SCALE = Scale(BOTH, np.array([2.0, 40.0]), np.array([0.5, 10.0]), np.array([0.1, -0.2]))
TEXTS = ("Short.", "It is rather a long answer to give, you know!", "The state of the art.")


class Writer:
    """Writes the same answers to everything, and learns how many examples there were."""

    def __init__(self):
        self.jobs = []

    def __call__(self, ask):
        if isinstance(ask, Write):
            assert {plan.candidates for plan in ask.plans} == {3}
            return [Reply(TEXTS[0], candidates=TEXTS) for _ in ask.plans]
        assert isinstance(ask, Train)
        self.jobs += ask.jobs
        return [Trained({"m.lora_A": np.full(1, len(j.examples))}, {"nats": [1.0], "seconds": 2.0})
                for j in ask.jobs]  # fmt: skip


def prefers(user, chosen, rejected, n=0):
    return Record(user=user, kind="preference", input="Why?", output=chosen, rejected=rejected,
                  time=START.replace(minute=n))  # fmt: skip


def test_objectives_are_attributes_with_a_sign():
    assert names(" -length  formality") == ("-length", "formality")
    with pytest.raises(Unknown, match="'shortness'"):
        names("length -shortness")
    for text in ("", "length -length"):
        with pytest.raises(UsageError, match="different attributes"):
            names(text)


def test_rewards_are_in_standard_deviations_of_what_the_model_writes():
    (drawn, scale), _ = run(draw([person()], BOTH, RECIPE), Writer())
    every = scale.rewards(["?"] * 3, TEXTS)
    np.testing.assert_allclose(every.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(every.std(axis=0), 1)
    assert every[0, 0] == every[:, 0].max()  # the shortest has the most of `-length`
    turned = Scale.of(names("length -formality"), ["?"] * 3, TEXTS, ["?"], ["a"])
    np.testing.assert_allclose(turned.rewards(["?"] * 3, TEXTS), -every)
    for each in drawn:
        assert each.texts == (*TEXTS, each.answer.text)
        assert each.rewards.shape == (4, 2)
    own = [each.rewards[-1] for each in drawn]
    np.testing.assert_allclose(scale.wrote, np.mean(own, axis=0))


def test_a_scale_is_read_back_from_facts():
    (_, scale), _ = run(draw([person()], BOTH, RECIPE), Writer())
    again = Scale.of_facts(scale.to_facts())
    assert again.objectives == scale.objectives
    for name in ("mean", "std", "wrote"):
        np.testing.assert_allclose(getattr(again, name), getattr(scale, name), atol=1e-6)


def test_where_all_is_alike_nothing_is_divided_by_zero():
    scale = Scale.of(BOTH, ["?"] * 2, ["the same"] * 2, ["?"], ["the same"])
    np.testing.assert_array_equal(scale.rewards(["?"], ["the same"]), [[0, 0]])
    assert np.isfinite(Scale.of(BOTH, [], [], ["?"], ["x"]).rewards(["?"], ["longer"])).all()


def test_the_best_is_preferred_to_the_worst_then_the_next():
    (drawn, _), _ = run(draw([person()], BOTH, RECIPE), Writer())
    rewards = np.array([0.0, 3.0, -1.0, 2.0])
    assert ranked(drawn[0], rewards, 2) == [(1, 2), (3, 0)]
    assert ranked(drawn[0], rewards, 9) == [(1, 2), (3, 0)]
    assert ranked(drawn[0], rewards, 1) == [(1, 2)]
    assert ranked(drawn[0], np.zeros(4), 2) == []


def test_each_objective_has_pairs_and_a_part_of_its_own():
    writer = Writer()
    bob = person("bob")
    state, asked = run(learned([bob], BOTH, RECIPE), writer)
    assert [type(ask) for ask in asked] == [Write, Train]
    short, formal = writer.jobs
    assert short.loss == Loss("dpo", beta=RECIPE.beta)
    assert {e.target for e in short.examples} == {TEXTS[0]}
    assert len(short.examples) == len(formal.examples) == 3
    assert sorted(state.arrays) == ["-length/m.lora_A", "formality/m.lora_A"]
    assert set(state.lineage) == {r.id for r in bob.latest(3)}
    assert state.facts["objectives"] == ["-length", "formality"]
    assert state.facts["training"]["-length"] == {"nats": [1.0]}
    again, _ = run(learned([bob], BOTH, RECIPE), Writer())
    assert (again.facts, again.lineage) == (state.facts, state.lineage)
    nobody = User("nobody", person().of(["profile"]).records)
    assert run(learned([nobody], BOTH, RECIPE), writer) == (None, [])


def test_a_recipe_is_read_from_a_setting():
    assert Recipe.read("") == Recipe()
    assert Recipe.read("people=3;modules=q v") == Recipe(people=3, modules="q v")
    with pytest.raises(Unknown, match="setting of 'recipe'"):
        Recipe.read("persons=3")


def test_what_a_person_prefers_says_what_they_want():
    user = User("ada", (prefers("ada", "Yes.", "Yes, and that is what I would always say of it"),))
    weights, lineage = wanted(user, SCALE, "", 60)
    assert lineage == (user.records[0].id,)
    assert weights[0] > 0.8
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    turned = User("ada", (prefers("ada", user.records[0].rejected, "Yes."),))
    assert wanted(turned, SCALE, "", 60)[0][0] < 0.5


def test_without_preferences_what_they_wrote_is_compared_with_what_others_did():
    brief = User("ada", (reason("ada", 1, output="Yes."), reason("ada", 2, output="No way.")))
    weights, lineage = wanted(brief, SCALE, "", 60)
    assert weights[0] > 0.5
    assert lineage == tuple(r.id for r in brief.records)
    assert wanted(User("ada"), SCALE, "", 60) is None


def test_weights_that_are_given_are_taken():
    assert wanted(User("ada"), SCALE, "1 3", 60) == ([0.25, 0.75], ())
    for text in ("1", "1 2 3", "0 0", "-1 2", "a b", "nan 1"):
        with pytest.raises(UsageError):
            wanted(User("ada"), SCALE, text, 60)


def test_an_objective_of_weight_0_is_not_attached():
    assert adapters("x", BOTH, [0.25, 0.75]) == [
        Adapter("x/-length", 0.25),
        Adapter("x/formality", 0.75),
    ]
    assert adapters("x", BOTH, [0.0, 1.0]) == [Adapter("x/formality", 1.0)]


def test_an_objectives_adapter_makes_its_best_answers_likelier(pico):
    people = [person("bob"), person("eve")]
    state = finish(learned(people, BOTH, RECIPE), pico)
    again = finish(learned(people, BOTH, RECIPE), pico)
    assert again.facts == state.facts
    drawn, _ = finish(draw(people, BOTH, RECIPE), pico)
    name = pico.hold(state.arrays)
    for column, objective in enumerate(BOTH):
        gains = []
        for each in drawn:
            for best, worst in ranked(each, each.rewards[:, column], 1):
                generic = Plan(each.answer.plan.main)
                plan = replace(generic, main=replace(generic.main, adapters=tuple(
                    adapters(name, BOTH, np.eye(2)[column].tolist()))))  # fmt: skip
                texts = [each.texts[best], each.texts[worst]]
                before, after = (pico.score([p] * 2, texts) for p in (generic, plan))
                gains.append(after[1].nats - before[1].nats - (after[0].nats - before[0].nats))
        assert np.mean(gains) > 0.5, objective
    answer = pico.generate([replace(plan, sampling=Sampling(max_tokens=4))])
    assert answer[0].tokens
