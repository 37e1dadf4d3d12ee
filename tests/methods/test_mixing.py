"""Rewarded soups and multi-objective decoding: adapters of objectives, mixed by what one wants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.errors import UsageError
from ipse.methods import Learned, finish, parse, personalize
from ipse.methods.objectives import Scale, names
from ipse.plan import Adapter, Fusion, Plan, Sampling
from ipse.records import Record, User
from ipse.state import State
from tests.backends.attachments import lora
from tests.people import START, StandIn, echo, person

OBJECTIVES = names("-length formality")
SCALE = Scale(OBJECTIVES, np.array([2.0, 40.0]), np.array([0.5, 10.0]), np.array([0.1, -0.2]))
ASK = Plan.ask("What is in tea?", sampling=Sampling(max_tokens=8))
TEXT = ["plastic is bad"]
BOTH = pytest.mark.parametrize("name", ["mod", "rewarded-soup"])


@pytest.fixture(scope="module")
def held(pico):
    """Two made-up adapters on the pico model, as `fit` would keep them."""
    core = pico._place().model.core
    parts = {name: lora(core, n, 3) for n, name in enumerate(OBJECTIVES, 1)}
    return pico.hold({f"{n}/{key}": a for n, each in parts.items() for key, a in each.items()})


def state(held, *weights):
    return State(facts={"adapter": held, "objectives": [*OBJECTIVES], "weights": [*weights]})


def applied(name, known, plan=ASK):
    learned = [Learned(m, known if m.name != "recent" else None) for m in parse(name)]
    return personalize(plan, person(), learned, StandIn(echo()))


def alone(held, place):
    adapter = Adapter(f"{held}/{OBJECTIVES[place]}")
    return replace(ASK, main=replace(ASK.main, adapters=(adapter,)))


def logprobs(lm, *plans):
    return [np.array(score.logprobs) for score in lm.score(plans, TEXT * len(plans))]


@BOTH
@pytest.mark.parametrize("place", [0, 1])
def test_all_weight_on_one_objective_is_that_adapter_alone(name, place, held, pico):
    plan = applied(name, state(held, *np.eye(2)[place].tolist()))
    expected = alone(held, place)
    assert pico.generate([plan])[0].text == pico.generate([expected])[0].text
    found, wanted = (logprobs(pico, each)[0] for each in (plan, expected))
    np.testing.assert_array_equal(found, wanted)
    assert not np.allclose(found, logprobs(pico, ASK)[0], atol=0.01)


@BOTH
def test_strength_0_is_the_generic_model_and_between_is_on_the_way(name, held, pico):
    known = state(held, 0.4, 0.6)
    assert applied(name, known, replace(ASK, strength=0.0)).streams == ASK.streams
    base, tiny, near, whole = logprobs(
        pico,
        ASK,
        *(applied(name, known, replace(ASK, strength=s)) for s in (1e-7, 1 - 1e-7, 1.0)),
    )
    np.testing.assert_allclose(tiny, base, atol=1e-4)
    np.testing.assert_allclose(near, whole, atol=1e-4)


@BOTH
def test_a_batch_is_answered_as_one_by_one(name, held, pico):
    plans = [applied(name, state(held, w, 1 - w)) for w in (0.0, 0.3, 1.0)]
    assert pico.generate([*plans, ASK]) == [pico.generate([p])[0] for p in (*plans, ASK)]


@BOTH
def test_nobody_elses_pairs_change_ones_weights_and_the_lineage_names_ones_own(name):
    (method,) = parse(name)
    shared = State(facts=SCALE.to_facts(), artifact="everyones", lineage=("others",))
    ada, eve = (
        User(who, (Record(user=who, kind="preference", input="Why?", output=chosen,
                          rejected=rejected, time=START),))
        for who, chosen, rejected in (
            ("ada", "Yes.", "Yes, and that is what I would always say of it."),
            ("eve", "Yes, and that is what I would always say of it.", "Yes."),
        )
    )  # fmt: skip
    one, other = (method.enroll(user, shared) for user in (ada, eve))
    assert one.facts["weights"][0] > other.facts["weights"][0]
    assert one.lineage == (ada.records[0].id,)
    assert one.facts["adapter"] == "everyones"
    assert method.enroll(User("nobody"), shared) is None
    assert method.enroll(ada, None) is None


@BOTH
def test_weights_that_are_set_are_everyones(name):
    (method,) = parse(f"{name}:weights=1 3")
    shared = State(facts=SCALE.to_facts(), artifact="everyones")
    found = method.enroll(person(), shared)
    assert (found.facts["weights"], found.lineage) == ([0.25, 0.75], ())
    with pytest.raises(UsageError, match="needs a weight"):
        parse(f"{name}:weights=1")[0].enroll(person(), shared)


@BOTH
def test_what_earlier_methods_show_is_read_with_the_adapters(name, held):
    plan = applied(f"recent:k=2+{name}", state(held, 0.4, 0.6))
    known = applied("recent:k=2", None)
    read = [s for s in plan.streams if s.adapters]
    assert [replace(s, adapters=()) for s in read] == [known.main] * len(read)
    assert plan.evidence == known.evidence


def test_a_soup_is_one_reading_with_all_adapters(held):
    plan = applied("rewarded-soup", state(held, 0.4, 0.6))
    assert plan.others == ()
    assert plan.main.adapters == (
        Adapter(f"{held}/-length", 0.4),
        Adapter(f"{held}/formality", 0.6),
    )


def test_a_soup_is_the_average_of_the_whole_weights_and_not_of_their_factors(held, pico):
    """`theta_0 + sum_i w_i B_i A_i`, put into the model's own weights by hand."""
    model = pico._place().model
    arrays, weights = pico.arrays(held), dict(zip(OBJECTIVES, (0.4, 0.6), strict=True))
    changed = {}
    for module in {key.split("/")[1].removesuffix(".lora_A") for key in arrays if "lora_A" in key}:
        changed[f"{module}.weight"] = sum(
            w * 0.5 * arrays[f"{o}/{module}.lora_B"] @ arrays[f"{o}/{module}.lora_A"]
            for o, w in weights.items()
        )
    plan = applied("rewarded-soup", state(held, *weights.values()))
    from transformers import AutoModelForCausalLM

    soup = AutoModelForCausalLM.from_pretrained(pico.model)
    own = dict(soup.named_parameters())
    with torch.no_grad():
        for name, change in changed.items():
            own[name if name in own else f"model.{name}"] += torch.from_numpy(change)
        ids = model.prompt(ASK.main.messages) + model.tokens(TEXT[0])
        logits = torch.log_softmax(soup(torch.tensor([ids])).logits[0], -1)
    start = len(model.prompt(ASK.main.messages))
    expected = [logits[place - 1, ids[place]].item() for place in range(start, len(ids))]
    np.testing.assert_allclose(logprobs(pico, plan)[0], expected, atol=2e-3)


def test_mod_reads_with_each_adapter_and_the_generic_one_only_below_strength_1(held):
    plan = applied("mod", state(held, 0.4, 0.6))
    assert [s.adapters for s in plan.streams] == [
        (Adapter(f"{held}/-length"),),
        (Adapter(f"{held}/formality"),),
        (),
    ]
    assert plan.fusion == Fusion("linear", (0.4, 0.6, 0.0))
    half = applied("mod", state(held, 0.4, 0.6), replace(ASK, strength=0.5))
    assert half.fusion == Fusion("linear", (0.2, 0.3, 0.5))


def test_mod_is_the_geometric_mean_of_the_models(held, pico):
    """At the first token, from each model's own distribution over the whole vocabulary."""
    place = pico._place().model
    letters = [place.tokenizer.decode([token]) for token in range(40, 90)]
    one, other, mixed = (
        np.array([s.logprobs[0] for s in pico.score([plan] * len(letters), letters)])
        for plan in (alone(held, 0), alone(held, 1), applied("mod", state(held, 0.4, 0.6)))
    )
    apart = mixed - (0.4 * one + 0.6 * other)
    np.testing.assert_allclose(apart, apart[0], atol=1e-4)
    assert apart[0] > 0  # a geometric mean has less than all mass before it is renormalized


def test_forward_divergence_is_the_harmonic_mean(held, pico):
    place = pico._place().model
    letters = [place.tokenizer.decode([token]) for token in range(40, 90)]
    known = state(held, 0.4, 0.6)
    one, other, mixed = (
        np.exp([s.logprobs[0] for s in pico.score([plan] * len(letters), letters)])
        for plan in (alone(held, 0), alone(held, 1), applied("mod:divergence=forward", known))
    )
    ratio = mixed * (0.4 / one + 0.6 / other)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


@BOTH
def test_what_is_learned_of_everyone_is_served(name, pico):
    """From people's shared prompts to an answer, all on the tiny model."""
    recipe = "people=2;prompts=1;answers=3;tokens=4;epochs=1;rank=2"
    (method,) = parse(f"{name}:recipe={recipe.replace('=', '%3D')}")
    shared = finish(method.fit([person("bob"), person("eve")]), pico)
    kept = replace(shared, artifact=pico.hold(shared.arrays))
    known = method.enroll(person(), kept)
    plan = personalize(ASK, person(), [Learned(method, known)], pico)
    assert pico.generate([plan])[0].tokens
    assert set(shared.lineage) <= {r.id for who in ("bob", "eve") for r in person(who).records}
