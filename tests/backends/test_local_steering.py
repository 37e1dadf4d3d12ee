"""Hidden states, and vectors trained from preference pairs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.backends.local import head, reading, sharing, steering
from ipse.errors import InvalidPlan
from ipse.lm import FitSteering, Hidden
from ipse.plan import Plan, Steering

PLANS = tuple(Plan.ask(text) for text in ("Why?", "School or water?", "Is it so?"))
TARGETS = ("Because.", "", "It is, it is")


@pytest.mark.parametrize("layer", [0, 1, -1])
@pytest.mark.parametrize("position", ["last", "mean"])
def test_hidden_states_are_those_of_transformers(pico, layer, position):
    found = pico.hidden(Hidden(PLANS, TARGETS, (layer,), position))
    assert found.shape == (3, 1, 32)
    assert found.dtype == np.float32
    model, states = pico._language_model(), []
    layers = model.network.model.layers
    hook = layers[layer].register_forward_hook(lambda _m, _i, output: states.append(output))
    for plan, target, line in zip(PLANS, TARGETS, found[:, 0], strict=True):
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
    found = pico.hidden(Hidden((PLANS[0], steered), ("x", "x"), (1, 0)))
    np.testing.assert_allclose(found[1, 0] - found[0, 0], 2 * vector, atol=1e-5)
    np.testing.assert_allclose(found[1, 1], found[0, 1], atol=1e-5)


@pytest.mark.parametrize("position", ["last", "mean"])
def test_many_texts_and_layers_at_once_are_as_one_by_one(pico, monkeypatch, position):
    name = pico.hold({"vector": np.linspace(-1, 1, 32, dtype=np.float32)})
    plans = tuple(
        replace(plan, main=replace(plan.main, steering=steering))
        for plan in PLANS
        for steering in ((), (Steering(name, 0, 1.0),), (Steering(name, 0, 2.0, start=-1),))
    )
    targets = ("It is.", "It is not, for it is not.", "") * 3
    one_by_one = [
        pico.hidden(Hidden((plan,), (target,), (layer,), position))[0, 0]
        for plan, target in zip(plans, targets, strict=True)
        for layer in (1, 0, -1)
    ]
    ask = Hidden(plans, targets, (1, 0, -1), position)
    expected = np.reshape(one_by_one, (9, 3, 32))
    np.testing.assert_allclose(pico.hidden(ask), expected, atol=1e-4)
    monkeypatch.setattr(reading, "_READ", 1)
    monkeypatch.setattr(sharing, "_WORTH", 1)
    np.testing.assert_allclose(pico.hidden(ask), expected, atol=1e-4)


def slow_steering(model, ask, states=()):
    """Train as the paper says: every text alone, through every layer, by transformers.

    `states` are layers and what a stream of its own adds behind them, from a place on.
    """
    added, vector = {}, torch.zeros(32, requires_grad=True)

    def add(number):
        def hook(_module, _inputs, output):
            for layer, first, value in states:
                if layer == number:
                    output = torch.cat([output[:, :first], output[:, first:] + value], dim=1)
            return output + added["v"] if number == ask.layer and "v" in added else output

        return hook

    layers = model.network.model.layers
    hooks = [layer.register_forward_hook(add(number)) for number, layer in enumerate(layers)]

    def nats(pair, text):
        prompt, ids = model.prompt(ask.plans[pair].main.messages), model.tokens(text)
        logits = model.network(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        return torch.log_softmax(logits, -1)[range(len(ids)), ids].sum()

    def margin(pair):
        return nats(pair, ask.chosen[pair]) - nats(pair, ask.rejected[pair])

    update = torch.optim.AdamW([vector], lr=ask.rate, weight_decay=ask.decay)
    chance, order = torch.Generator().manual_seed(ask.seed), []
    for step in range(ask.steps):
        while len(order) < ask.batch:
            order += torch.randperm(len(ask.plans), generator=chance).tolist()
        batch, order = order[: ask.batch], order[ask.batch :]
        sign = 1.0 if torch.rand(1, generator=chance) < 0.5 else -1.0
        warm = max(1, round(0.1 * ask.steps))
        falling = 0.5 * (1 + math.cos(math.pi * (step - warm) / (ask.steps - warm)))
        update.param_groups[0]["lr"] = ask.rate * ((step + 1) / warm if step < warm else falling)
        frozen = [margin(pair).detach() for pair in batch]
        added["v"] = sign * vector
        losses = [
            -torch.nn.functional.logsigmoid(sign * ask.beta * (margin(pair) - before))
            for pair, before in zip(batch, frozen, strict=True)
        ]
        del added["v"]
        update.zero_grad()
        (sum(losses) / len(batch)).backward()
        update.step()
    for hook in hooks:
        hook.remove()
    return vector.detach().numpy()


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("budget", [2048, 1])
def test_steering_is_what_the_slow_way_trains(pico, monkeypatch, layer, budget):
    monkeypatch.setattr(steering, "_READ", budget)
    monkeypatch.setattr(head, "CHUNK", 3)
    chosen, rejected = ("yes, water", "yes, it is so", ""), ("yes, plastic", "no", "no, home")
    ask = FitSteering(PLANS, chosen, rejected, layer=layer, steps=12, batch=4, rate=0.01)
    expected = slow_steering(pico._language_model(), ask)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(pico.fit_steering(ask), expected, atol=1e-5)
    monkeypatch.setattr(steering, "_KEPT", 0)  # nothing is remembered: all is computed anew
    np.testing.assert_allclose(pico.fit_steering(ask), expected, atol=1e-5)


def test_steering_is_trained_on_top_of_what_a_stream_adds_itself(pico):
    vector = np.linspace(-1, 1, 32, dtype=np.float32)
    own = (Steering(pico.hold({"vector": vector}), 0, 2.0, start=30),)
    plans = tuple(replace(p, main=replace(p.main, steering=own)) for p in PLANS)
    chosen, rejected = ("water, water, water", "school", "yes"), ("no", "no, no, no", "it is no")
    ask = FitSteering(plans, chosen, rejected, layer=0, steps=6, batch=3, rate=0.01)
    model = pico._language_model()
    assert any(len(model.prompt(p.main.messages)) < 30 for p in PLANS)
    expected = slow_steering(model, ask, [(0, 30, 2 * torch.from_numpy(vector))])
    np.testing.assert_allclose(pico.fit_steering(ask), expected, atol=1e-5)


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
        pico.hidden(Hidden(PLANS, TARGETS, (0, 2)))
    with pytest.raises(InvalidPlan, match="got 3 plans and 1 texts"):
        pico.hidden(Hidden(PLANS, TARGETS[:1], (0,)))
    with pytest.raises(InvalidPlan, match="name one at least"):
        pico.hidden(Hidden(PLANS, TARGETS, ()))
    other = replace(PLANS[0], main=replace(PLANS[0].main, model="other"))
    with pytest.raises(InvalidPlan, match="one model's; got the models None, other"):
        pico.hidden(Hidden((PLANS[0], other), ("", ""), (0,)))
    with pytest.raises(InvalidPlan, match="got 0 plans"):
        pico.fit_steering(FitSteering((), (), (), 0))
