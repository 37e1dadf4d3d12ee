"""Many small tensors as one long one, so that an optimizer has one thing to change."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["Layout"]


class Layout:
    """Where tensors lie in one vector."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Lay tensors of some shapes end to end, in their order."""
        self._shapes = dict(shapes)
        self._sizes = [math.prod(shape) for shape in self._shapes.values()]

    def join(self, pieces: Mapping[str, Tensor]) -> Tensor:
        """Give tensors as one vector."""
        return torch.cat([pieces[name].reshape(-1) for name in self._shapes])

    def cut(self, vector: Tensor) -> dict[str, Tensor]:
        """Give a vector's tensors: views, whose gradients become one in a single step."""
        parts = torch.split(vector, self._sizes)
        return {
            name: part.view(shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
