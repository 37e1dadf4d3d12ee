"""The fusions: what each is by its equation, and what holds of all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ipse.backends.local.fusion import (
    FUSIONS,
    contrast,
    ftrl,
    fuse,
    jensen,
    linear,
    live_streams,
    power,
    regret_gain,
    shift,
)
from ipse.errors import InvalidPlan, Unknown
from ipse.plan import Fusion, Message, Plan, Stream

AMULET = {"alpha": 2.0, "beta": 2.0, "rate": 10.0, "pull": 2.0, "steps": 60, "start": 1.0}
COSTEER = {"alpha": 2.0, "beta": 1.0, "rate": 10.0, "pull": 2.0, "steps": 20}
SETTINGS = {
    "contrast": {},
    "ftrl": COSTEER,
    "jensen": {},
    "linear": {},
    "power": {"exponent": -1.0},
    "shift": {"beta": 0.5},
}
ANCHORED = ("contrast", "ftrl", "shift")
EVERY = pytest.mark.parametrize("kind", sorted(FUSIONS))


def streams(count=3, *shape, seed=0):
    """Some log-distributions, (count, *shape, 11)."""
    chance = torch.Generator().manual_seed(seed)
    return torch.log_softmax(torch.randn(count, *shape, 11, generator=chance) * 3, -1)


def run(kind, logprobs, weights):
    return fuse(kind, logprobs, weights, tuple(SETTINGS[kind].items()))


def close(a, b, tolerance=2e-6):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def normal(logits):
    return torch.log_softmax(logits, -1)


def test_there_are_settings_for_every_fusion():
    assert SETTINGS.keys() == FUSIONS.keys()


@EVERY
def test_it_gives_a_distribution_whatever_the_shape(kind):
    logprobs = streams(3, 2, 5)
    fused = run(kind, logprobs, (0.7, 0.3, 1.0))
    assert fused.shape == (2, 5, 11)
    assert fused.dtype == torch.float32
    close(fused.exp().sum(-1), torch.ones(2, 5))
    close(fused[1, 3], run(kind, logprobs[:, 1, 3], (0.7, 0.3, 1.0)))


@EVERY
def test_equal_streams_are_the_base(kind):
    base = streams(1, 4)[0]
    weights = (0.2, 0.5, 0.3) if kind in ("linear", "power") else (0.4, 0.6, 1.0)
    close(run(kind, torch.stack([base] * 3), weights), base)


@EVERY
def test_one_stream_is_itself_to_the_bit(kind):
    base = streams(1, 4)
    assert torch.equal(run(kind, base, (1.0,)), base[0])


@EVERY
def test_the_order_of_equal_weights_does_not_matter(kind):
    a, b, last = streams(3, 4)
    one = run(kind, torch.stack([a, b, last]), (0.5, 0.5, 1.0))
    close(one, run(kind, torch.stack([b, a, last]), (0.5, 0.5, 1.0)))


@EVERY
def test_what_is_ruled_out_stays_out_and_nothing_is_nan(kind):
    logprobs = streams(3, 2)
    logprobs[0, :, 1] = logprobs[2, :, 2] = -torch.inf
    logprobs[:, 0, 3] = -torch.inf
    for weights in ((2.5, 0.5, 1.0), (0.5, 0.5, 1.0)):
        fused = run(kind, logprobs, weights)
        assert not fused.isnan().any()
        assert (fused[:, 1:3] == -torch.inf).all()
        assert fused[0, 3] == -torch.inf
        close(fused.exp().sum(-1), torch.ones(2))


@EVERY
def test_streams_that_agree_on_nothing_leave_all_alike(kind):
    logprobs = torch.full((3, 11), -torch.inf)
    logprobs[0, 0] = logprobs[1, 1] = logprobs[2, 2] = 0.0
    close(run(kind, logprobs, (0.5, 0.5, 1.0)).exp(), torch.full((11,), 1 / 11))


@pytest.mark.parametrize("kind", ANCHORED)
def test_a_strength_is_a_factor_and_0_is_the_anchor(kind):
    logprobs = streams(3)
    close(run(kind, logprobs, (0.0, 0.0, 1.0)), logprobs[-1])
    whole, half = (run(kind, logprobs, (s * 0.8, s * -0.3, 1.0)) for s in (1, 0.5))
    close(half, normal((whole + logprobs[-1]) / 2))


@EVERY
def test_extreme_distributions_stay_finite(kind):
    logprobs = normal(streams(3) * 1e4)
    fused = run(kind, logprobs, (2.0, 0.5, 1.0))
    assert not fused.isnan().any()
    close(fused.exp().sum(), torch.tensor(1.0))


def test_linear_by_hand():
    a, b = streams(2)
    close(linear(torch.stack([a, b]), (0.7, 0.3)), normal(0.7 * a + 0.3 * b))
    close(linear(torch.stack([a, b]), (1.0, 0.0)), a)
    close(linear(torch.stack([a, b]), (0.0, 1.0)), b)


def test_contrast_is_both_anchorings_of_context_steering():
    context, plain = both = streams(2)
    one = normal(context + 1.5 * (context - plain))
    close(contrast(both, (2.5, 1.0)), one)
    close(linear(both, (2.5, -1.5)), one)
    first, second, plain = several = streams(3)
    close(
        contrast(several, (0.5, 2.0, 1.0)),
        normal(plain + 0.5 * (first - plain) + 2.0 * (second - plain)),
    )
    close(contrast(both, (1.0, 1.0)), both[0])


def screened_step_by_step(personal, plain, weight, top):
    """The next token's distribution where only the top of the plain one are weighed."""
    kept = sorted(range(11), key=lambda token: -plain[token])[:top]
    score = {t: (plain[t] + weight * (personal[t] - plain[t])).exp() for t in kept}
    mass = sum(plain[t].exp() for t in kept)
    found = plain.exp()
    for token in kept:
        found[token] = mass * score[token] / sum(score.values())
    return found.log()


@pytest.mark.parametrize("top", [1, 3, 10])
def test_a_screened_contrast_weighs_only_the_likeliest_of_the_anchor(top):
    personal, plain = both = streams(2)
    expected = screened_step_by_step(personal, plain, 0.8, top)
    close(contrast(both, (0.8, 1.0), top=top), expected, 1e-5)
    close(contrast(torch.stack([both] * 4, 1), (0.8, 1.0), top=top)[2], expected, 1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_greedy_decoding_under_a_screen_is_that_of_pad(seed):
    """PAD takes the best score among the top, however likely the others are."""
    personal, plain = both = streams(2, seed=seed)
    for weight in (0.8, 5.0, 50.0):
        score = plain + weight * (personal - plain)
        best = max(plain.topk(4).indices.tolist(), key=lambda token: score[token])
        assert contrast(both, (weight, 1.0), top=4).argmax() == best


def test_a_screen_of_everything_or_of_one_token_is_none():
    both = streams(2, 3)
    plain = contrast(both, (2.0, 1.0))
    for top in (0, 11, 99):
        assert torch.equal(contrast(both, (2.0, 1.0), top=top), plain)
    close(contrast(both, (2.0, 1.0), top=1), both[1])


def test_under_a_screen_what_is_ruled_out_stays_out():
    both = streams(2)
    first, second, last = both[1].topk(11).indices[torch.tensor([0, 1, 10])].tolist()
    both[0, first] = both[0, last] = -torch.inf
    found = contrast(both, (2.0, 1.0), top=2)
    assert (found[[first, last]] == -torch.inf).all()
    close(found.exp().sum(), torch.tensor(1.0))
    both[0, second] = -torch.inf
    found = contrast(both, (2.0, 1.0), top=2)
    assert not found.isnan().any()


def test_linear_alignment_is_a_contrast():
    preferred, plain = streams(2)
    close(
        contrast(torch.stack([preferred, plain]), (3.0, 1.0)),
        normal(preferred + 2 * (preferred - plain)),
    )


def amulet_step_by_step(preferred, plain, alpha, pull, rate, steps):
    """The update as Amulet's paper has it, on distributions over the whole vocabulary."""
    policy, utilities = preferred, torch.zeros_like(preferred)
    for t in range(1, steps + 1):
        utilities = utilities + alpha * (policy - plain)
        mean = utilities / t
        policy = normal((pull * preferred + mean + policy / (rate * t)) / (pull + 1 / (rate * t)))
    return policy


def costeer_step_by_step(large, delta, alpha, beta, pull, rate, steps):
    """The update as CoSteer's paper has it."""
    policy, utilities = large, torch.zeros_like(large)
    for t in range(1, steps + 1):
        utilities = utilities + alpha * (policy - large) + beta * delta
        policy = normal((t * pull * large + utilities + policy / rate) / (t * pull + 1 / rate))
    return policy


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 60])
def test_ftrl_is_amulet(steps):
    preferred, plain = both = streams(2).double()
    expected = amulet_step_by_step(preferred, plain, 2.0, 2.0, 10.0, steps)
    close(ftrl(both, (1.0, 1.0), **(AMULET | {"steps": steps})), expected)


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 20])
def test_ftrl_is_costeer(steps):
    with_context, without, large = every = streams(3).double()
    expected = costeer_step_by_step(large, with_context - without, 2.0, 1.0, 2.0, 10.0, steps)
    close(ftrl(every, (1.0, -1.0, 1.0), **(COSTEER | {"steps": steps})), expected)


def test_ftrl_without_steps_is_its_start():
    both = streams(2)
    close(ftrl(both, (1.0, 1.0), **(AMULET | {"steps": 0})), both[0])
    close(ftrl(both, (1.0, 1.0), **(COSTEER | {"steps": 0})), both[1])


def test_ftrl_of_any_number_of_steps_is_one_contrast():
    both = streams(2)
    gain = 1 + regret_gain(2.0, 2.0, 10.0, 2.0, 60)
    close(ftrl(both, (1.0, 1.0), **AMULET), contrast(both, (gain, 1.0)))


def test_shift_by_hand():
    first, second, base, large = every = streams(4)
    expected = normal(large + (0.6 * (first - base) - 0.8 * (second - base)) / 0.5)
    close(shift(every, (0.6, -0.8, 0.2, 1.0), beta=0.5), expected, 1e-5)
    close(shift(every, (0.0, 0.0, 0.0, 1.0), beta=0.5), large)


def test_power_is_every_mean_of_its_family():
    a, b = both = streams(2)
    close(power(both, (0.3, 0.7), exponent=0), linear(both, (0.3, 0.7)))
    close(power(both, (3, 7), exponent=1e-4), linear(both, (0.3, 0.7)), 1e-2)
    close(power(both, (0.3, 0.7), exponent=1), (0.3 * a.exp() + 0.7 * b.exp()).log())
    harmonic = 1 / (0.3 / a.exp() + 0.7 / b.exp())
    close(power(both, (3, 7), exponent=-1), (harmonic / harmonic.sum()).log(), 1e-5)
    close(power(both, (1.0, 0.0), exponent=-1), a)


def test_jensen_by_hand():
    a, b, reference = every = streams(3).double()
    product = (1 + (reference - a).exp()) ** 0.3 * (1 + (reference - b).exp()) ** 0.7
    close(jensen(every, (0.3, 0.7, 1.0)), normal(reference - (product - 1).log()))
    close(jensen(every, (3.0, 7.0, 1.0)), jensen(every, (0.3, 0.7, 1.0)))


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.integers(0, 99))
def test_anchored_rules_are_linear_ones(weights, seed):
    logprobs = streams(4, seed=seed)
    whole = (*weights, 1 - sum(weights))
    close(contrast(logprobs, (*weights, 1.0)), linear(logprobs, whole), 1e-4)


MAIN, OTHER = (Stream((Message("user", text),)) for text in ("one", "two"))


def plan(kind, weights, settings=()):
    return Plan(MAIN, (OTHER,), Fusion(kind, weights, tuple(settings)))


def test_a_stream_of_weight_0_is_not_read():
    assert live_streams(plan("contrast", (0.0, 1.0))) == ((OTHER,), (1.0,))
    assert live_streams(plan("linear", (1.0, 0.0))) == ((MAIN,), (1.0,))
    assert live_streams(plan("linear", ())) == ((MAIN, OTHER), (0.5, 0.5))
    assert live_streams(replace(plan("linear", ()), others=(), fusion=None)) == ((MAIN,), (1.0,))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (plan("contrast", (1.0, 0.5)), "the last stream of contrast.* its weight must be 1"),
        (plan("shift", (), [("beta", 1.0)]), "its weight must be 1"),
        (plan("power", (1.0, -1.0), [("exponent", 1.0)]), "no weight of power.* below 0"),
        (plan("linear", (0.0, 0.0)), "every weight"),
        (plan("ftrl", (1.0, 1.0), [("alpha", 2.0)]), "'ftrl' takes the settings alpha, beta"),
        (plan("shift", (1.0, 1.0), [("beta", 0.0)]), "beta of shift.* must be above 0"),
        (plan("contrast", (1.0, 1.0), [("top", -1.0)]), "top of contrast.* whole number from 0 on"),
        (plan("contrast", (1.0, 1.0), [("top", 2.5)]), "top of contrast.* whole number from 0 on"),
        (plan("linear", (1.0, 1.0), [("alpha", 2.0)]), "'linear' takes the settings none"),
    ],
)
def test_what_a_rule_cannot_run_is_refused(bad, said):
    with pytest.raises(InvalidPlan, match=said):
        live_streams(bad)


def test_an_unknown_rule_is_refused_with_the_known():
    with pytest.raises(Unknown, match=r"unknown fusion 'mean'.*contrast, ftrl, jensen, linear"):
        live_streams(plan("mean", (1.0, 1.0)))
