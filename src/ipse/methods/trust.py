"""Whose weights to take in, and how much of each: for methods in which people learn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Score

__all__ = ["Trust", "mixed", "shares"]

Trust = Literal["perplexity", "predictions"]
"""How a person's trust in another's adapter is told: how well it does on what they wrote, or how
alike its predictions are to those of their own."""

_MOST = 50.0
"""The most nats a token that make a difference: a perplexity is their exponential."""


def shares(scores: Sequence[Sequence[Score]], trust: Trust) -> NDArray[np.float64]:
    """Say how much is taken of each adapter: a softmax of trust, which adds up to 1.

    Args:
        scores: Of each adapter, one's own first, the scores of the same texts.
        trust: How trust is told.

    Returns:
        The shares, (adapters,); all alike where there are no texts.
    """
    logprobs = np.array([[p for score in each for p in score.logprobs] for each in scores])
    if not logprobs.size:
        return np.full(len(scores), 1 / len(scores))
    if trust == "perplexity":
        told = -np.exp(np.minimum(-logprobs.mean(axis=1), _MOST))
    else:
        apart = np.abs(logprobs - logprobs[0]).mean(axis=1)
        told = -10 * apart / max(float(apart.sum()), 1e-12)
    found = np.exp(told - told.max())
    return np.asarray(found / found.sum())


def mixed(
    weights: Sequence[Mapping[str, NDArray[Any]]], share: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Mix adapters, array by array; all have the same scale."""
    found: dict[str, NDArray[Any]] = {}
    for name, first in weights[0].items():
        total = sum(
            float(part) * np.asarray(each[name], np.float32)
            for part, each in zip(share, weights, strict=True)
        )
        found[name] = first if name == "scale" else np.asarray(total, first.dtype)
    return found
