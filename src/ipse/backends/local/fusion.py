"""How the next-token distributions of a plan's streams become one: pure functions.

Each takes log-probabilities of shape (streams, ..., vocab) and gives (..., vocab), both float32 and
in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ipse.errors import InvalidPlan, unknown
from ipse.plan import Plan, Stream

__all__ = ["FUSIONS", "fuse", "linear", "live_streams"]


def linear(logprobs: Tensor, weights: Sequence[float]) -> Tensor:
    """Mix log-linearly: `log p = sum_i w_i log p_i`, renormalised (arXiv 2406.18853, eq. 7).

    Args:
        logprobs: One distribution a stream, (streams, ..., vocab).
        weights: One weight a stream.

    Returns:
        The mixture, (..., vocab).
    """
    factors = torch.tensor(weights, dtype=torch.float32, device=logprobs.device)  # (streams,)
    return torch.log_softmax(torch.tensordot(factors, logprobs, dims=1), dim=-1)


FUSIONS: dict[str, Callable[[Tensor, Sequence[float]], Tensor]] = {
    "linear": linear,
}


def live_streams(plan: Plan) -> tuple[tuple[Stream, ...], tuple[float, ...]]:
    """Give the streams that bear on the answer, and their weights.

    A stream of weight 0 says nothing and is not read: strength 0 is the generic model to the bit.

    Args:
        plan: The plan.

    Returns:
        Streams and weights; equal weights where the plan gives none.

    Raises:
        InvalidPlan: If every weight is 0.
    """
    if plan.fusion is None:
        return plan.streams, (1.0,)
    if plan.fusion.kind not in FUSIONS:
        raise unknown("fusion", plan.fusion.kind, FUSIONS)
    weights = plan.fusion.weights or (1 / len(plan.streams),) * len(plan.streams)
    live = [(s, w) for s, w in zip(plan.streams, weights, strict=True) if w != 0]
    if not live:
        raise InvalidPlan("every weight of the fusion is 0; at least one stream must bear on it")
    return tuple(s for s, _ in live), tuple(w for _, w in live)


def fuse(kind: str, logprobs: Tensor, weights: Sequence[float]) -> Tensor:
    """Fuse by the rule of that name; a single stream of weight 1 is left as it is.

    Args:
        kind: A name in `FUSIONS`.
        logprobs: One distribution a stream, (streams, ..., vocab).
        weights: One weight a stream.

    Returns:
        The fused distribution, (..., vocab).
    """
    if tuple(weights) == (1.0,):
        return logprobs[0]
    return FUSIONS[kind](logprobs, weights)
