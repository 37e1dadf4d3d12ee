"""Draw one token from a distribution, the same way on every machine and in every batch."""

from __future__ import annotations

import torch
from torch import Tensor

from ipse.plan import Sampling

__all__ = ["draw", "new_generator"]


def new_generator(seed: int) -> torch.Generator:
    """Give one answer's own source of chance; a seed may be any whole number."""
    return torch.Generator().manual_seed(seed % 2**63)


def draw(logprobs: Tensor, sampling: Sampling, chance: torch.Generator) -> int:
    """Draw a token: the likeliest at temperature 0, else by inverting the cumulative distribution.

    One uniform number a token, whatever the distribution, keeps an answer's chance in step.

    Args:
        logprobs: The distribution in nats, float32, (vocab,).
        sampling: Temperature and nucleus.
        chance: The answer's own source of chance.

    Returns:
        The token.
    """
    if sampling.temperature == 0:
        return int(logprobs.argmax())
    tempered = torch.softmax(logprobs.cpu().double() / sampling.temperature, dim=-1)  # (vocab,)
    point = torch.rand(1, generator=chance, dtype=torch.float64)
    if sampling.top_p == 1:
        return _invert(tempered, point)
    ordered, tokens = tempered.sort(descending=True, stable=True)  # (vocab,)
    # The nucleus is the fewest tokens whose mass reaches top_p (arXiv 1904.09751, eq. 2).
    inside = ordered.cumsum(0) - ordered < sampling.top_p
    return int(tokens[_invert(ordered[inside], point)])


def _invert(mass: Tensor, point: Tensor) -> int:
    steps = mass.cumsum(0)
    return min(int(torch.searchsorted(steps, point * steps[-1], right=True)), len(mass) - 1)
