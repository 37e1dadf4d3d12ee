"""Hidden states, and vectors trained from preference pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.errors import InvalidPlan
from ipse.lm import FitSteering, Hidden
from ipse.plan import Plan, Steering

PLANS = tuple(Plan.ask(text) for text in ("Why?", "School or water?", "Is it so?"))
TARGETS = ("Because.", "", "It is, it is")


@pytest.mark.parametrize("layer", [0, 1, -1])
@pytest.mark.parametrize("position", ["last", "mean"])
def test_hidden_states_are_those_of_transformers(pico, layer, position):
    found = pico.hidden(Hidden(PLANS, TARGETS, layer, position))
    assert found.shape == (3, 32)
    assert found.dtype == np.float32
    model, states = pico._language_model(), []
    layers = model.network.model.layers
    hook = layers[layer].register_forward_hook(lambda _m, _i, output: states.append(output))
    for plan, target, line in zip(PLANS, TARGETS, found, strict=True):
        prompt, ids = model.prompt(plan.main.messages), model.tokens(target)
        with torch.no_grad():
            model.network(torch.tensor([prompt + ids]))
        every = states.pop()[0]
        start = len(prompt) if ids else 0
        expected = every[-1] if position == "last" else every[start:].mean(0)
        np.testing.assert_allclose(line, expected, atol=1e-5)
    hook.remove()


def test_hidden_states_of_a_steered_stream(pico):
    vector = np.linspace(-1, 1, 32, dtype=np.float32)
    name = pico.hold({"vector": vector})
    steered = replace(PLANS[0], main=replace(PLANS[0].main, steering=(Steering(name, 1, 2.0),)))
    found = pico.hidden(Hidden((PLANS[0], steered), ("x", "x"), 1))
    np.testing.assert_allclose(found[1] - found[0], 2 * vector, atol=1e-5)


def test_steering_learns_what_is_preferred(pico):
    chosen, rejected = ("yes, water", "yes, school", "yes"), ("no, plastic", "no, home", "no")
    ask = FitSteering(PLANS, chosen, rejected, layer=0, steps=30, batch=2, rate=0.05)
    vector = pico.fit_steering(ask)
    assert vector.shape == (32,)
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, pico.fit_steering(ask))
    assert not np.allclose(vector, pico.fit_steering(replace(ask, seed=1)))
    name = pico.hold({"vector": vector})

    def margin(scale: float) -> float:
        plans = [
            replace(p, main=replace(p.main, steering=(Steering(name, 0, scale),))) for p in PLANS
        ]
        likes, dislikes = pico.score(plans, chosen), pico.score(plans, rejected)
        return sum(d.nats - c.nats for c, d in zip(likes, dislikes, strict=True))

    assert margin(1.0) > margin(0.0) + 0.5
    assert margin(-1.0) < margin(0.0) - 0.5
    grads = [p.grad for p in pico._language_model().network.parameters()]
    assert not any(grad is not None for grad in grads)


def test_steering_asks_that_make_no_sense(pico):
    with pytest.raises(InvalidPlan, match="no layer 2: the model has 2"):
        pico.hidden(Hidden(PLANS, TARGETS, 2))
    with pytest.raises(InvalidPlan, match="got 3 plans and 1 texts"):
        pico.hidden(Hidden(PLANS, TARGETS[:1], 0))
    with pytest.raises(InvalidPlan, match="got 0 plans"):
        pico.fit_steering(FitSteering((), (), (), 0))
