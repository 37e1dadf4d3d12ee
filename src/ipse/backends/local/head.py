"""How likely given tokens are by a model's head, part by part, with gradients.

As `training.loss`, for losses in which what a place counts follows from how likely all of them are:
of each place its log-probability and its own gradient are kept, and no logits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipse.backends.local.network import Network
from ipse.backends.local.training.loss import CHUNK

__all__ = ["target_logprobs"]


def target_logprobs(core: Network, states: Tensor, targets: Tensor) -> Tensor:
    """Give the log-probability of one token a place, in nats.

    Args:
        core: The model.
        states: The final states, (places, hidden).
        targets: The tokens, (places,).

    Returns:
        Log-probabilities, float32, (places,).
    """
    found: Tensor = _Logprobs.apply(states, targets, core)  # type: ignore[no-untyped-call]
    return found


class _Logprobs(torch.autograd.Function):
    """The gradient of a place's log-probability is found at once, while its logits are there."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, targets: Tensor, core: Network) -> Tensor:
        logprobs, slopes = [], []
        wanted = ctx.needs_input_grad[0]
        for some, target in zip(
            torch.split(states, CHUNK), torch.split(targets, CHUNK), strict=True
        ):
            logits, places = core.logits(some), target[:, None]  # (places, vocab), (places, 1)
            total = logits.logsumexp(-1, keepdim=True)  # (places, 1)
            logprobs.append((logits.gather(-1, places) - total)[:, 0])
            if wanted:  # 1 at the target, minus what is thought likely
                slope = logits.sub_(total).exp_().neg_()
                slope.scatter_add_(-1, places, torch.ones_like(total))
                slopes.append(core.from_logits(slope))
        if wanted:
            ctx.save_for_backward(torch.cat(slopes))  # (places, hidden)
        return torch.cat(logprobs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return slopes * grads[0][:, None].to(slopes.dtype), None, None
