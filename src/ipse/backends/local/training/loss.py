"""Cross-entropy that never holds all logits.

A small model's vocabulary is wide: the logits of 4,096 tokens over 49,152 entries take 800 MB, and
their gradient as much again. So the head runs for some tokens at a time; loss and gradient are made
at once, and the logits are let go of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ipse.backends.local.network import Network

__all__ = ["CHUNK", "nats", "weighted_nats"]

CHUNK = 256
"""Tokens whose logits are in memory together."""


def nats(network: Network, states: Tensor, targets: Tensor) -> Tensor:
    """Give the negative log-likelihood of each target in nats, (tokens,), without a gradient."""
    found = []
    for some, wanted in _chunks(states, targets):
        logits = network.logits(some)  # (tokens, vocab)
        found.append(logits.logsumexp(-1) - logits.gather(-1, wanted[:, None])[:, 0])
    return torch.cat(found)


def weighted_nats(
    network: Network, states: Tensor, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Give the weighted sum of the targets' negative log-likelihoods, and those themselves.

    Args:
        network: Whose head it is; it is frozen.
        states: Final states, (tokens, hidden).
        targets: What comes next, (tokens,).
        weights: What each token counts, (tokens,) float32.

    Returns:
        The sum, which has a gradient, and the nats of each token, (tokens,), which have none.
    """
    found: tuple[Tensor, Tensor] = _Chunked.apply(  # type: ignore[no-untyped-call]
        states, network, targets, weights
    )
    return found


def _chunks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(torch.split(tensor, CHUNK) for tensor in tensors), strict=True)


class _Chunked(torch.autograd.Function):
    """The sum, with its gradient made on the way."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, network: Network, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        gradient = torch.empty_like(states)
        every = []
        begin = 0
        for some, wanted, weight in _chunks(states, targets, weights):
            logits = network.logits(some)  # (tokens, vocab)
            likely = logits.gather(-1, wanted[:, None])  # (tokens, 1)
            most = logits.amax(-1, keepdim=True)
            total = logits.sub_(most).exp_().sum(-1, keepdim=True)
            every.append((total.log() + most - likely)[:, 0])
            # d nats / d logits = softmax - 1 at the target
            slope = logits.mul_(weight[:, None] / total)
            slope.scatter_add_(-1, wanted[:, None], -weight[:, None])
            gradient[begin : begin + len(some)] = network.from_logits(slope)
            begin += len(some)
        ctx.save_for_backward(gradient)
        nats = torch.cat(every)
        ctx.mark_non_differentiable(nats)
        return (nats * weights).sum(), nats

    @staticmethod
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * slope.to(gradient.dtype), None, None, None
