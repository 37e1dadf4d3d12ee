"""Gradients written by hand are those of autograd."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ipse.backends.local.slopes import gated, normed, turned
from ipse.backends.local.training.loss import CHUNK, nats, weighted_nats


def both(ours, theirs, *inputs):
    """Compare values and gradients."""
    results = []
    for call in (ours, theirs):
        leaves = [each.clone().requires_grad_() for each in inputs]
        found = call(*leaves)
        every = found if isinstance(found, tuple) else (found,)
        chance = torch.Generator().manual_seed(1)
        sum((f * torch.randn(f.shape, generator=chance)).sum() for f in every).backward()
        results.append((*every, *(leaf.grad for leaf in leaves)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.fixture
def chance():
    return torch.Generator().manual_seed(0)


def test_normed(chance):
    scale = torch.randn(32, generator=chance)
    x = torch.randn(7, 32, generator=chance)
    both(
        lambda x: normed(x, scale, 1e-2),
        lambda x: functional.rms_norm(x, (32,), scale, 1e-2),
        x,
    )


def test_gated(chance):
    def plain(x):
        gate, up = x.chunk(2, dim=-1)
        return functional.silu(gate) * up

    both(gated, plain, torch.randn(5, 24, generator=chance))


def test_turned(chance):
    angles = torch.randn(6, 1, 4, generator=chance)
    cos = torch.cat([angles.cos()] * 2, -1)
    sin = torch.cat([-angles.sin(), angles.sin()], -1)

    def plain(qkv):
        heads = qkv.view(6, -1, 8)
        every = heads[:, :6] * cos + heads[:, :6].roll(4, dims=-1) * sin
        return every[:, :4], every[:, 4:], heads[:, 6:]

    both(lambda qkv: turned(qkv, cos, sin, 4, 2), plain, torch.randn(6, 64, generator=chance))


@pytest.mark.parametrize("tokens", [1, CHUNK, 2 * CHUNK + 3])
def test_chunked_loss_is_cross_entropy(pico, chance, tokens):
    core = pico._language_model().core
    states = torch.randn(tokens, core.hidden, generator=chance)
    targets = torch.randint(0, 300, (tokens,), generator=chance)
    weights = torch.rand(tokens, generator=chance)

    def plain(states):
        every = functional.cross_entropy(core.logits(states), targets, reduction="none")
        return (every * weights).sum()

    both(lambda s: weighted_nats(core, s, targets, weights)[0], plain, states)
    every = functional.cross_entropy(core.logits(states), targets, reduction="none")
    torch.testing.assert_close(nats(core, states, targets), every)
    torch.testing.assert_close(weighted_nats(core, states, targets, weights)[1], every)
