"""Causal attention of rows that lie end to end, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Causal"]


@dataclass(frozen=True)
class _Group:
    """Neighbors that are attended to together.

    Attributes:
        length: The lines of each row.
        rows: How many rows.
        shared: How many tokens come before them, all the first of the row they stand behind.
        mask: What each line attends to, (length, shared + length); None where causal will do.
    """

    length: int
    rows: int
    shared: int
    mask: Tensor | None


class Causal:
    """Attention within each row; a `network.Attend`.

    A row may begin behind tokens that it shares with an earlier one, whose keys and values it then
    attends to. Neighbors of one length are attended to together. Rows are split off and not sliced
    out: the gradient of a split is made in one piece, that of a slice is as large as the batch.
    """

    def __init__(self, rows: Sequence[tuple[int, int]]) -> None:
        """Attend in rows.

        Args:
            rows: The lines of each, and how many tokens it shares, which are the first of the
                latest row that shares none; those are not among its lines.
        """
        self._groups = [
            _Group(length, len(list(members)), shared, _mask(length, shared))
            for (length, shared), members in groupby(rows)
        ]
        self._sizes = [group.length * group.rows for group in self._groups]

    def __call__(self, _: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend, as `network.Attend` says."""
        parts = zip(*(torch.split(each, self._sizes) for each in (q, k, v)), strict=True)
        found = []
        trunk: tuple[Tensor, Tensor] = (k, v)
        for group, (queries, keys, values) in zip(self._groups, parts, strict=True):
            if group.shared:
                begun = [each[: group.shared] for each in trunk]
            else:
                begun = []
                trunk = (keys[-group.length :], values[-group.length :])
            found.append(_attend(group, queries, keys, values, begun))
        return found[0] if len(found) == 1 else torch.cat(found)


def _attend(group: _Group, q: Tensor, k: Tensor, v: Tensor, begun: Sequence[Tensor]) -> Tensor:
    """Attend in the rows of a group, (lines, heads * width)."""
    q, k, v = (each.view(group.rows, group.length, *each.shape[1:]) for each in (q, k, v))
    if begun:
        before = [each.expand(group.rows, *each.shape) for each in begun]
        k, v = (torch.cat(pair, dim=1) for pair in zip(before, (k, v), strict=True))
    found = functional.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        attn_mask=None if group.mask is None else group.mask.to(q),
        is_causal=group.mask is None and group.length > 1,
        enable_gqa=True,
    )  # (rows, heads, length, width)
    return found.transpose(1, 2).reshape(group.rows * group.length, -1)


def _mask(length: int, shared: int) -> Tensor | None:
    """Give what is added to the logits of attention, (length, shared + length)."""
    if not shared or length == 1:
        return None
    later = torch.ones(length, shared + length, dtype=torch.bool).triu_(shared + 1)
    return torch.zeros(length, shared + length).masked_fill_(later, -torch.inf)
