"""Causal attention of rows that lie end to end, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Causal"]


class Causal:
    """Attention within each row; a `network.Attend`.

    Neighbors of one length are attended to together. Rows are split off and not sliced out: the
    gradient of a split is made in one piece, that of a slice is as large as the whole batch.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        """Attend in rows of so many tokens."""
        self._groups = [(length, len(list(rows))) for length, rows in groupby(lengths)]
        self._sizes = [length * rows for length, rows in self._groups]

    def __call__(self, _: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend, as `network.Attend` says."""
        parts = zip(*(torch.split(each, self._sizes) for each in (q, k, v)), strict=True)
        found = []
        for (length, rows), part in zip(self._groups, parts, strict=True):
            heads = [each.view(rows, length, *each.shape[1:]).transpose(1, 2) for each in part]
            queries, keys, values = heads
            attended = functional.scaled_dot_product_attention(
                queries, keys, values, is_causal=length > 1, enable_gqa=True
            )  # (rows, heads, length, width)
            found.append(attended.transpose(1, 2).reshape(rows * length, -1))
        return found[0] if len(found) == 1 else torch.cat(found)
