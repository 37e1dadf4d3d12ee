"""Drift: weights in closed form, and what is read by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import Unknown, UsageError
from ipse.lm import Likelihood, Reply, Score, Write
from ipse.methods import Learned, finish, finish_all, parse, personalize
from ipse.methods.drift import PROMPTS, Drift
from ipse.plan import Fusion, Message, Plan, Sampling
from ipse.preferences import pairs
from ipse.records import Record, User
from ipse.state import State
from tests.methods.test_steering import run
from tests.people import START, StandIn, echo, person, reason
from tests.pico import save_pico

ASK = Plan.ask("What is in tea?", sampling=Sampling(max_tokens=8))
TWO = "drift:attributes=concise vivid"
HALVES = State(facts={"weights": {"concise": 0.6, "vivid": -0.8}, "records": 4})


def prefers(n, chosen="Leaves.", rejected="Leaves of a plant, dried.", user="ada"):
    return Record(user=user, kind="preference", input=f"Question {n}?", output=chosen,
                  rejected=rejected, time=START.replace(hour=n))  # fmt: skip


ADA = User("ada", tuple(prefers(n) for n in range(3)))


def applied(text=TWO, plan=ASK, state=HALVES):
    known = [Learned(m, state if m.name == "drift" else None) for m in parse(text)]
    return personalize(plan, person(), known, StandIn(echo()))


def under(name, stream=ASK.main):
    return stream.with_context(PROMPTS[name])


class Fond:
    """Finds an answer likelier by some nats under each prompt; by how many, depends on its text."""

    def __init__(self, **nats):
        self.nats = {PROMPTS[name]: each for name, each in nats.items()}

    def __call__(self, ask):
        if isinstance(ask, Write):
            return [Reply("The model's own.") for _ in ask.plans]
        assert isinstance(ask, Likelihood)
        return [self._score(p, t) for p, t in zip(ask.plans, ask.targets, strict=True)]

    def _score(self, plan, text):
        system = next((m.content for m in plan.main.messages if m.role == "system"), "")
        gain = self.nats.get(system, 0.0) if text == "Leaves." else 0.0
        return Score((gain - len(text),))


def test_weights_are_the_papers_closed_form():
    state, asked = run(
        Drift(attributes="concise vivid").enroll(ADA, None), Fond(concise=3, vivid=-4)
    )
    assert [type(ask) for ask in asked] == [Likelihood]
    assert len(asked[0].plans) == 3 * 2 * 3  # three readings of both texts of three pairs
    assert state.facts["weights"] == pytest.approx({"concise": 0.6, "vivid": -0.8})
    assert state.lineage == tuple(record.id for record in ADA.records)


@pytest.mark.parametrize("per_token", [False, True])
def test_weights_are_what_the_model_itself_says(per_token, pico):
    """By hand, from the rewards of the paper: one score after the other."""
    method = Drift(attributes="concise vivid", per_token=per_token)
    state = finish(method.enroll(ADA, None), pico)

    def logprob(plan, text):
        (score,) = pico.score([plan], [text])
        return -score.nats / (score.tokens if per_token else 1)

    expected = []
    for name in ("concise", "vivid"):
        total = 0.0
        for pair in pairs(ADA):
            plain = Plan.ask(pair.prompt)
            told = replace(plain, main=under(name, plain.main))
            for sign, text in ((1, pair.chosen), (-1, pair.rejected)):
                total += sign * (logprob(told, text) - logprob(plain, text))
        expected.append(total)
    expected = np.array(expected) / np.linalg.norm(expected)
    assert [*state.facts["weights"].values()] == pytest.approx(expected, abs=1e-3)
    assert np.linalg.norm([*state.facts["weights"].values()]) == pytest.approx(1)


def test_to_prefer_the_opposite_is_the_opposite_weights(pico):
    turned = User("ada", tuple(prefers(n, r.rejected, r.output) for n, r in enumerate(ADA.records)))
    one, other = (finish(Drift().enroll(user, None), pico).facts for user in (ADA, turned))
    for name, weight in one["weights"].items():
        assert other["weights"][name] == pytest.approx(-weight, abs=1e-5)


def test_where_there_are_too_few_pairs_own_answers_stand_over_the_models():
    user = User("ada", (*ADA.records, reason("ada", 9), reason("ada", 11)))
    state, asked = run(Drift(pairs=4).enroll(user, None), Fond(concise=1))
    assert [type(ask) for ask in asked] == [Write, Likelihood]
    (write, likelihood) = asked
    assert len(write.plans) == 1
    assert set(likelihood.targets[6:8]) == {user.records[-1].output, "The model's own."}
    assert state.lineage == tuple(r.id for r in (*ADA.records, user.records[-1]))
    none = User("ada", (reason("ada", 1),))
    assert run(Drift(tokens=0).enroll(none, None), Fond()) == (None, [])


def test_a_person_who_prefers_nothing_has_no_weights():
    assert run(Drift().enroll(ADA, None), Fond())[0] is None


def test_nobodys_pairs_change_anothers_weights(pico):
    eve = User("eve", tuple(prefers(n, f"Long {n} answers.", "No.", "eve") for n in range(3)))
    (method,) = parse(TWO)
    together = finish_all([method.enroll(user, None) for user in (ADA, eve)], pico)
    alone = [finish(method.enroll(user, None), pico) for user in (ADA, eve)]
    assert [s.facts for s in together] == [s.facts for s in alone]
    assert set(together[0].lineage) == {r.id for r in ADA.records}


def test_weights_are_kept_until_enough_has_changed():
    (method,) = parse("drift:refresh=2")
    state = State(facts={"records": 2, "weights": {}})
    assert method.update(ADA, state, None) is state
    grown = User("ada", tuple(prefers(n) for n in range(4)))
    anew, _ = run(method.update(grown, state, None), Fond(vivid=1))
    assert anew.lineage == tuple(record.id for record in grown.records)


def test_each_attribute_is_a_reading_beside_the_generic_one():
    plan = applied()
    assert plan.streams == (under("concise"), under("vivid"), ASK.main)
    assert plan.fusion == Fusion("shift", (0.6, -0.8, 1.0), (("beta", 1.0),))
    assert plan.needs == {"fusion"}
    assert applied(plan=replace(ASK, strength=0.5)).fusion.weights == (0.3, -0.4, 1.0)
    assert applied(state=None) is ASK


def test_an_attribute_joins_the_deployments_own_system_message():
    asked = Plan.ask("What is in tea?", system="You sell tea.")
    assert applied(plan=asked).main.messages[0] == Message(
        "system", f"You sell tea.\n\n{PROMPTS['concise']}"
    )


def test_what_a_method_before_shows_counts_in_full(pico):
    plan = applied(f"recent:k=2+{TWO},beta=0.5")
    known = applied("recent:k=2").main
    assert plan.streams == (known, under("concise"), under("vivid"), ASK.main)
    only = replace(plan, fusion=replace(plan.fusion, weights=(0.5, 0.0, 0.0, 1.0)))
    found, expected = pico.score([only, replace(ASK, main=known)], ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_it_is_the_papers_shift(pico):
    plan = applied("drift:beta=0.5")
    linear = replace(plan, fusion=Fusion("linear", (1.2, -1.6, 1.4)))
    found, expected = pico.score([plan, linear], ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_at_strength_0_the_generic_model_answers_to_the_bit(pico):
    plan = Drift().apply(replace(ASK, strength=0.0), person(), HALVES)
    assert plan.others
    assert pico.generate([plan]) == pico.generate([ASK])
    assert pico.score([plan], ["plastic"]) == pico.score([ASK], ["plastic"])


def test_a_small_model_reads_the_attributes(pico, tmp_path):
    path = save_pico(tmp_path / "small", seed=3, hidden=16, layers=1)
    plan = applied(f"{TWO},small={path}")
    assert [stream.model for stream in plan.streams] == [str(path)] * 3 + [None]
    assert plan.fusion.weights == pytest.approx((0.6, -0.8, 0.2, 1.0))
    same = applied(f"{TWO},small={pico.model}")
    found, expected = pico.score([same, applied()], ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
    state = finish(Drift(small=str(path)).enroll(ADA, None), pico)
    assert state.facts["weights"] != finish(Drift().enroll(ADA, None), pico).facts["weights"]


def test_attributes_are_known_names_each_once():
    with pytest.raises(Unknown, match=r"unknown attribute 'concize'.*'concise'"):
        run(Drift(attributes="concize").enroll(ADA, None), Fond())
    for text in ("", "vivid vivid"):
        with pytest.raises(UsageError, match="different names"):
            run(Drift(attributes=text).enroll(ADA, None), Fond())


def test_what_is_preferred_gets_likelier_by_the_length_of_w_less_l(pico):
    """Between two tokens, the log-odds of what was chosen rise by `strength ||W - L|| / beta`."""
    user, texts = User("ada", (prefers(1, "a", "b"),)), ("a", "b")
    method, asked = Drift(beta=0.5), Plan.ask("Question 1?")
    state = finish(method.enroll(user, None), pico)

    def odds(plan):
        chosen, rejected = pico.score([plan] * 2, texts)
        assert chosen.tokens == rejected.tokens == 1
        return rejected.nats - chosen.nats

    base = odds(asked)
    gains = [odds(replace(asked, main=under(n, asked.main))) - base for n in method._names()]
    for strength in (0.25, 1.0):
        moved = odds(method.apply(replace(asked, strength=strength), user, state))
        expected = base + strength * np.linalg.norm(gains) / 0.5
        assert moved == pytest.approx(expected, abs=1e-3)
