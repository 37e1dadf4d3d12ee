"""The adapters of rows that are being written, one token a step each.

They lie stacked slot by slot like the rows of a lane, padded to the largest rank, so that two
batched products and a multiplication serve everybody, whoever has what. This file knows nothing of
plans or stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ipse.backends.local.lora import Lora, Weighted
from ipse.backends.local.network import Site

__all__ = ["Bank"]


@dataclass(eq=False)
class _Stack:
    """The low-rank terms of one site: zeros where a row has none, or fewer ranks."""

    a: Tensor  # (layers, slots, in, rank)
    b: Tensor  # (layers, slots, rank, out)
    c: Tensor | None = None  # (layers, slots, 1, rank); None until a row has it


class Bank:
    """The adapters of some rows."""

    def __init__(self, slots: int) -> None:
        """Make an empty bank for so many rows."""
        self._slots = slots
        self._rows: list[Weighted] = []
        self._stacks: dict[Site, _Stack] = {}
        self._factors: dict[Site, Tensor] = {}  # (layers, slots, out), 1 where a row has none

    @property
    def used(self) -> bool:
        """Whether any row has an adapter."""
        return bool(self._stacks or self._factors)

    def join(self, adapters: Weighted) -> None:
        """Take in a row's adapters, into the slot behind the last."""
        self._rows.append(adapters)
        self._fill(len(self._rows) - 1)

    def leave(self, slot: int) -> None:
        """Let a row go; the last one takes its slot."""
        last = self._rows.pop()
        if slot < len(self._rows):
            self._rows[slot] = last
        if not any(self._rows):
            self._stacks.clear()
            self._factors.clear()
        elif slot < len(self._rows):
            self._fill(slot)

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> None:
        """Change `y` (rows, out) by what each row's own adapters do with `x` (rows, in)."""
        rows = len(x)
        if stack := self._stacks.get(site):
            a, b, lines = stack.a[layer, :rows], stack.b[layer, :rows], x.unsqueeze(1)
            if stack.c is None:
                h = torch.bmm(lines, a)  # (rows, 1, rank)
            else:
                h = torch.baddbmm(stack.c[layer, :rows], lines, a)
            y.unsqueeze(1).baddbmm_(h, b)
        if site in self._factors:
            y.mul_(self._factors[site][layer, :rows])

    def _fill(self, slot: int) -> None:
        """Write what a row has into its slot: its adapters side by side, zeros behind them."""
        row = self._rows[slot]
        for site in {site for lora, _ in row for site in lora.sites} | self._stacks.keys():
            self._fill_terms(site, slot, [pair for pair in row if site in pair[0].sites])
        for site in {site for lora, _ in row for site in lora.changes} | self._factors.keys():
            self._fill_factors(site, slot, [pair for pair in row if site in pair[0].changes])

    def _fill_terms(self, site: Site, slot: int, row: Weighted) -> None:
        stack = self._room(site, row)
        start = 0
        for lora, weight in row:
            a, b = lora.sites[site]
            end = start + a.shape[-1]
            stack.a[:, slot, :, start:end] = a
            stack.b[:, slot, start:end] = b * weight
            start = end
        stack.a[:, slot, :, start:] = 0
        stack.b[:, slot, start:] = 0
        self._fill_between(stack, site, slot, row)

    def _fill_between(self, stack: _Stack, site: Site, slot: int, row: Weighted) -> None:
        if stack.c is None:
            if not any(site in lora.between for lora, _ in row):
                return
            layers, slots, _, rank = stack.a.shape
            stack.c = stack.a.new_zeros(layers, slots, 1, rank)
        stack.c[:, slot] = 0
        start = 0
        for lora, _ in row:
            end = start + lora.sites[site][0].shape[-1]
            if site in lora.between:
                stack.c[:, slot, 0, start:end] = lora.between[site]
            start = end

    def _fill_factors(self, site: Site, slot: int, row: Weighted) -> None:
        if site not in self._factors:
            change = row[0][0].changes[site]
            self._factors[site] = change.new_ones(len(change), self._slots, change.shape[-1])
        factor = self._factors[site][:, slot]  # (layers, out)
        factor.fill_(1)
        for lora, weight in row:
            factor *= 1 + weight * lora.changes[site]

    def _room(self, site: Site, row: Sequence[tuple[Lora, float]]) -> _Stack:
        """Give a site's stack, with room for the ranks of some adapters side by side."""
        rank = sum(lora.sites[site][0].shape[-1] for lora, _ in row)
        old = self._stacks.get(site)
        if old and rank <= old.a.shape[-1]:
            return old
        a, b = row[0][0].sites[site]
        new = _Stack(
            a.new_empty(len(a), self._slots, a.shape[1], rank),
            b.new_empty(len(b), self._slots, rank, b.shape[-1]),
        )
        used = len(self._rows)  # the other slots are written before they are read
        for stack in (new.a, new.b):
            stack[:, :used] = 0
        if old:
            before = old.a.shape[-1]
            new.a[:, :used, :, :before] = old.a[:, :used]
            new.b[:, :used, :before] = old.b[:, :used]
            if old.c is not None:
                new.c = a.new_zeros(len(a), self._slots, 1, rank)
                new.c[..., :before] = old.c
        self._stacks[site] = new
        return new
