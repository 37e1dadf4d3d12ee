"""Simulated people: mixtures of rewards who choose."""

from __future__ import annotations

import numpy as np
import pytest

from ipse.construct import choices, simulated, standardized
from ipse.errors import UsageError
from ipse.preferences import pairs
from ipse.records import User

REWARDS = {
    "length": lambda prompt, text: len(text.split()),
    "questions": lambda prompt, text: text.count("?"),
}
PROMPTS = ["Tea?", "Coffee?", "Water?"]
ANSWERS = [
    ["Yes.", "Yes, with a lot of milk.", "Why? When?", "No thanks, why?"],
    ["No.", "Never in the evening, it keeps me up.", "Is there any?", "Sure? Really?"],
    ["Please.", "A large glass of it, cold.", "From the tap?", "Ice? Lemon? Both?"],
]


def test_the_first_people_stay_the_same_however_many_follow():
    assert simulated(3, ["a", "b"], 1.0, seed=5) == simulated(9, ["a", "b"], 1.0, seed=5)[:3]
    assert simulated(3, ["a", "b"], 1.0, seed=5) != simulated(3, ["a", "b"], 1.0, seed=6)


def test_weights_are_of_a_mixture_and_alpha_says_how_mixed():
    for alpha in (1e-3, 0.05, 1.0, 50.0):
        for person in simulated(40, ["a", "b", "c"], alpha):
            assert min(person.weights) >= 0
            assert sum(person.weights) == pytest.approx(1)
    one = np.mean([max(p.weights) for p in simulated(200, ["a", "b", "c"], 0.05)])
    all_alike = np.mean([max(p.weights) for p in simulated(200, ["a", "b", "c"], 50.0)])
    assert one > 0.9
    assert all_alike < 0.45


def test_rewards_are_standardized_over_all_answers():
    scores = np.concatenate(
        standardized({**REWARDS, "same": lambda prompt, text: 3.0}, PROMPTS, ANSWERS)
    )
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scores.std(0), [1, 1, 0], atol=1e-12)


def test_who_weighs_one_reward_alone_prefers_most_of_it_to_least():
    scores = standardized(REWARDS, PROMPTS, ANSWERS)
    person = next(p for p in simulated(50, [*REWARDS], 1e-4) if p.weights[0] > 0.999)
    records = choices(person, PROMPTS, ANSWERS, scores)
    assert [r.output for r in records] == [max(a, key=lambda t: len(t.split())) for a in ANSWERS]
    assert [r.rejected for r in records] == [texts[0] for texts in ANSWERS]


@pytest.mark.parametrize("rule", ["ends", "drawn"])
def test_without_temperature_nobody_prefers_what_is_worth_less_to_them(rule):
    scores = standardized(REWARDS, PROMPTS, ANSWERS)
    for person in simulated(30, [*REWARDS], 1.0):
        for record in choices(person, PROMPTS, ANSWERS, scores, rule=rule):
            place = PROMPTS.index(record.input)
            worth = dict(zip(ANSWERS[place], person.values(scores[place]), strict=True))
            assert worth[record.output] > worth[record.rejected]


def test_temperature_makes_choices_as_likely_as_bradley_and_terry_say():
    prompts, answers = ["Tea?"] * 4000, [["Yes.", "Yes, please, with milk."]] * 4000
    scores = standardized({"length": REWARDS["length"]}, prompts, answers)
    (person,) = simulated(1, ["length"])
    records = choices(person, prompts, answers, scores, temperature=2.0)
    share = np.mean([record.output == answers[0][1] for record in records])
    assert share == pytest.approx(1 / (1 + np.exp(-2 / 2.0)), abs=0.02)


def test_records_are_preferences_that_say_nobody_said_them():
    scores = standardized(REWARDS, PROMPTS, ANSWERS)
    (person,) = simulated(1, [*REWARDS], seed=3)
    records = choices(person, PROMPTS, ANSWERS, scores)
    assert {record.user for record in records} == {person.id} == {"constructed-simulated-0"}
    assert all(r.source.startswith("constructed:simulated:alpha=0.05,seed=3") for r in records)
    assert not any("share" in record.uses for record in records)
    assert len(pairs(User(person.id, tuple(records)))) == len(records)
    assert records == choices(person, PROMPTS, ANSWERS, scores)


@pytest.mark.parametrize(("names", "alpha"), [([], 1.0), (["a", "a"], 1.0), (["a"], 0.0)])
def test_people_who_cannot_be_are_refused(names, alpha):
    with pytest.raises(UsageError):
        simulated(1, names, alpha)
