"""Low-rank adapters: one a row, several on one row, every row its own (arXiv 2106.09685, eq. 3).

An adapter's modules that read the same states are one pair of matrices: `A` side by side, `B`
block by block. While rows write, the pairs of all of them lie stacked, padded to the largest rank,
and two batched products serve everybody. This file knows nothing of plans or stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import SITES, Network, Part, Site
from ipse.errors import InvalidPlan

__all__ = ["Bank", "Extras", "Lora", "Weighted", "read_lora"]

_A, _B = ".lora_A", ".lora_B"


@dataclass(frozen=True, eq=False)
class Lora:
    """Low-rank weights for every layer.

    Attributes:
        sites: By site, `A` (layers, in, rank) and `B` (layers, rank, out), the scale within `B`.
    """

    sites: Mapping[Site, tuple[Tensor, Tensor]]

    @property
    def nbytes(self) -> int:
        """The bytes it takes."""
        return sum(a.nbytes + b.nbytes for a, b in self.sites.values())


Weighted: TypeAlias = Sequence[tuple[Lora, float]]
"""The adapters of one row, each with its weight."""


def read_lora(arrays: Mapping[str, NDArray[Any]], name: str, network: Network) -> Lora:
    """Make an adapter from named arrays, as `ipse.lm.Loader` says.

    Args:
        arrays: `<module path>.lora_A` (rank, in) and `.lora_B` (out, rank), and `scale`.
        name: The adapter's name, for messages.
        network: What it is to change.

    Returns:
        The adapter.

    Raises:
        InvalidPlan: If it does not fit the network.
    """
    scale = float(arrays["scale"]) if "scale" in arrays else 1.0
    pairs: dict[Site, dict[int, list[tuple[Part, Tensor, Tensor]]]] = {}
    for key in arrays:
        if key.endswith(_A):
            part, a, b = _pair(arrays, key.removesuffix(_A), name, network)
            pairs.setdefault(part.site, {}).setdefault(part.layer, []).append((part, a, scale * b))
    if not pairs:
        raise InvalidPlan(f"the adapter {name!r} has no array that ends in {_A!r}")
    return Lora({site: _stacked(layers, network) for site, layers in pairs.items()})


def _pair(
    arrays: Mapping[str, NDArray[Any]], module: str, name: str, network: Network
) -> tuple[Part, Tensor, Tensor]:
    part = network.parts.get(module)
    if part is None:
        known = ", ".join(each.split(".")[-1] for names in SITES.values() for each in names)
        raise InvalidPlan(f"the adapter {name!r} changes {module!r}, which the model has not. "
                          f"Known in its {network.layers} layers: {known}")  # fmt: skip
    if module + _B not in arrays:
        raise InvalidPlan(f"the adapter {name!r} has {module + _A!r} and no {module + _B!r}")
    a, b = (torch.tensor(arrays[module + end], dtype=network.dtype) for end in (_A, _B))
    outputs = part.outputs.stop - part.outputs.start
    wanted = ((a.shape[0], network.inputs(part)), (outputs, a.shape[0]))
    if (tuple(a.shape), tuple(b.shape)) != wanted:
        raise InvalidPlan(
            f"the adapter {name!r} is made for another model: at {module!r} its matrices are "
            f"{tuple(a.shape)} and {tuple(b.shape)}, and have to be {wanted[0]} and {wanted[1]}"
        )
    return part, a, b


def _stacked(
    layers: Mapping[int, Sequence[tuple[Part, Tensor, Tensor]]], network: Network
) -> tuple[Tensor, Tensor]:
    """Join the modules of a site, block by block, and stack its layers."""
    rank = max(sum(len(a) for _, a, _ in pairs) for pairs in layers.values())
    part, a, _ = next(iter(layers.values()))[0]
    down = torch.zeros(network.layers, a.shape[1], rank, dtype=network.dtype)
    up = torch.zeros(network.layers, rank, network.outputs(part.site), dtype=network.dtype)
    for layer, pairs in layers.items():
        start = 0
        for each, a, b in pairs:
            end = start + len(a)
            down[layer, :, start:end] = a.T
            up[layer, start:end, each.outputs] = b.T
            start = end
    return down.to(network.device), up.to(network.device)


class Bank:
    """The adapters of rows that are being written, stacked slot by slot like the rows of a lane."""

    def __init__(self, slots: int) -> None:
        """Make an empty bank for so many rows."""
        self._slots = slots
        self._rows: list[Weighted] = []
        self._stacks: dict[Site, tuple[Tensor, Tensor]] = {}  # (layers, slots, in, rank), ...

    @property
    def used(self) -> bool:
        """Whether any row has an adapter."""
        return bool(self._stacks)

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
        elif slot < len(self._rows):
            self._fill(slot)

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> None:
        """Add to `y` (rows, out) what each row's own adapters make of `x` (rows, in)."""
        if stacks := self._stacks.get(site):
            a, b = stacks[0][layer, : len(x)], stacks[1][layer, : len(x)]
            y.unsqueeze(1).baddbmm_(torch.bmm(x.unsqueeze(1), a), b)

    def _fill(self, slot: int) -> None:
        """Write a row's matrices into its slot: its adapters side by side, zeros behind them."""
        row = self._rows[slot]
        for site in {site for lora, _ in row for site in lora.sites} | self._stacks.keys():
            pairs = [(*lora.sites[site], weight) for lora, weight in row if site in lora.sites]
            a_stack, b_stack = self._room(site, pairs)
            start = 0
            for a, b, weight in pairs:
                end = start + a.shape[-1]
                a_stack[:, slot, :, start:end] = a
                b_stack[:, slot, start:end] = b * weight
                start = end
            a_stack[:, slot, :, start:] = 0
            b_stack[:, slot, start:] = 0

    def _room(
        self, site: Site, pairs: Sequence[tuple[Tensor, Tensor, float]]
    ) -> tuple[Tensor, Tensor]:
        """Give a site's stacks, with room for the ranks of some adapters side by side."""
        rank = sum(a.shape[-1] for a, _, _ in pairs)
        old = self._stacks.get(site)
        if old and rank <= old[0].shape[-1]:
            return old
        a, b, _ = pairs[0]
        new = (
            a.new_empty(len(a), self._slots, a.shape[1], rank),
            b.new_empty(len(b), self._slots, rank, b.shape[-1]),
        )
        used = len(self._rows)  # the other slots are written before they are read
        for stack in new:
            stack[:, :used] = 0
        if old:
            new[0][:, :used, :, : old[0].shape[-1]] = old[0][:, :used]
            new[1][:, :used, : old[1].shape[2]] = old[1][:, :used]
        self._stacks[site] = new
        return new


@dataclass(frozen=True, eq=False)
class Extras:
    """The adapters of a whole batch: banks for rows that write, then spans of rows that read.

    Attributes:
        banks: Each with its lines.
        spans: Lines of rows with the same adapters, and those adapters with their weights.
    """

    banks: Sequence[tuple[slice, Bank]] = ()
    spans: Sequence[tuple[slice, Weighted]] = ()

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> Tensor:
        """Add what the rows' adapters make of `x`, in place, as `network.Extra` says."""
        for lines, bank in self.banks:
            bank.add(layer, site, x[lines], y[lines])
        for lines, adapters in self.spans:
            for lora, weight in adapters:
                if pair := lora.sites.get(site):
                    y[lines].addmm_(x[lines] @ pair[0][layer], pair[1][layer], alpha=weight)
        return y
