"""What a text is described by for rewards that are learned: attributes, an embedding, or both.

One place for all of them, so that what one learns can be compared with what another does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipse.errors import UsageError, unknown
from ipse.lm import Embed
from ipse.methods.base import Steps
from ipse.rewards import ATTRIBUTES, Arrays, measure

__all__ = ["FEATURES", "described", "scale", "scaled"]

FEATURES = ("attributes", "embedding")
"""What a text may be described by; a setting names them, parted by blanks."""

_EMBEDDED = 0.25
"""What embeddings are divided by: so the directions in which they differ most are as wide as a
standardized attribute."""


def described(
    features: str, prompts: Sequence[str], texts: Sequence[str]
) -> Steps[NDArray[np.float64]]:
    """Describe texts in numbers, as they are measured.

    Args:
        features: Some of `FEATURES`, parted by blanks.
        prompts: What each text answers.
        texts: The texts; each is embedded once, however often it occurs.

    Returns:
        (texts, width): attributes first, by name, then the embedding.

    Raises:
        Unknown: If there is no such feature.
        UsageError: If none is named.
    """
    names = _names(features)
    parts: list[NDArray[np.float64]] = []
    if "attributes" in names:
        parts.append(measure(sorted(ATTRIBUTES), prompts, texts))
    if "embedding" in names:
        different = list(dict.fromkeys(texts))
        vectors = (yield Embed(tuple(different))) if different else np.zeros((0, 1))
        places = {text: place for place, text in enumerate(different)}
        parts.append(np.asarray(vectors, np.float64)[[places[text] for text in texts]])
    return np.hstack(parts)


def scale(features: str, found: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Give what makes numbers comparable: `centre` and `spread`, (width,) each.

    Args:
        features: Some of `FEATURES`, parted by blanks.
        found: What `described` gave of many texts, (texts, width).

    Returns:
        For attributes the mean and the standard deviation over these texts, for embeddings the
        mean and one number.
    """
    spread = np.full(found.shape[1], _EMBEDDED)
    if "attributes" in _names(features):
        wide = found[:, : len(ATTRIBUTES)].std(0)
        spread[: len(ATTRIBUTES)] = np.where(wide > 1e-9, wide, 1.0)
    return {"centre": found.mean(0), "spread": spread}


def scaled(arrays: Arrays, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what `described` gave, made comparable by what `scale` gave."""
    return np.asarray((found - arrays["centre"]) / arrays["spread"], np.float64)


def _names(features: str) -> tuple[str, ...]:
    names = tuple(features.split())
    for name in names:
        if name not in FEATURES:
            raise unknown("feature", name, FEATURES)
    if not names:
        raise UsageError(f"a text is described by at least one of {', '.join(FEATURES)}; got none")
    return names
