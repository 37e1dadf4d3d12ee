"""Adapters that are put together from the pieces of several (Per-Pcs, arXiv 2406.10471, eq. 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.errors import InvalidPlan

__all__ = ["assembled"]

_INDEX, _WEIGHT = "pieces.index", "pieces.weight"
_PARTS = (".lora_A", ".lora_B")


def assembled(arrays: Mapping[str, NDArray[Any]], name: str) -> Mapping[str, NDArray[Any]]:
    """Put an adapter together, as `ipse.lm.Loader` says; one without a recipe is as it is.

    Args:
        arrays: A pool, and a recipe.
        name: The pool's name, for messages.

    Returns:
        The adapter's arrays.

    Raises:
        InvalidPlan: If the recipe is for another pool.
    """
    if _INDEX not in arrays:
        return arrays
    end = _PARTS[0]
    modules = sorted(key.removesuffix(end) for key in arrays if key.endswith(end))
    index, weight = arrays[_INDEX], np.asarray(arrays[_WEIGHT], np.float32)
    pieces = min((len(arrays[module + part]) for module in modules for part in _PARTS), default=0)
    if index.shape != weight.shape or len(index) != len(modules) or np.any(index >= pieces):
        raise InvalidPlan(
            f"the recipe is for another pool than {name!r}, which has {pieces} pieces of each of "
            f"{len(modules)} modules: it is {index.shape}, up to piece {index.max(initial=0)}"
        )
    made = {
        module + part: np.tensordot(shares, arrays[module + part][chosen].astype(np.float32), 1)
        for module, chosen, shares in zip(modules, index, weight, strict=True)
        for part in _PARTS
    }
    return {**made, "scale": arrays["scale"]} if "scale" in arrays else made
