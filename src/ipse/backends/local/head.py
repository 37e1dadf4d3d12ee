"""How likely given tokens are by a model's head, part by part, with gradients.

A head over 50,000 tokens takes more memory than the layers below it: so many places at a time are
taken, and of each only its log-probability and its gradient are kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ipse.backends.local.network import Network

__all__ = ["target_logprobs"]

_HEAD = 256
"""Places at which the head runs in one go; each takes 4 bytes a vocabulary entry."""


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
        for part, target in zip(
            torch.split(states, _HEAD), torch.split(targets, _HEAD), strict=True
        ):
            with torch.set_grad_enabled(wanted):
                x = part.detach().requires_grad_(wanted)
                each = -functional.cross_entropy(core.logits(x), target, reduction="none")
                if wanted:
                    slopes.append(torch.autograd.grad(each.sum(), x)[0])
            logprobs.append(each.detach())
        if wanted:
            ctx.save_for_backward(torch.cat(slopes))  # (places, hidden)
        return torch.cat(logprobs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return slopes * grads[0][:, None].to(slopes.dtype), None, None
