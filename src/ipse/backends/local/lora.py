"""What adapters do to the products of a layer, and adapters read from named arrays.

Two kinds of terms, in this order: low-rank ones are added (arXiv 2106.09685, eq. 3), perhaps with a
vector between the two matrices (arXiv 2403.06208, eq. 4); then factors multiply the outputs (arXiv
2205.05638, section 3.3). With several adapters on a row, all that is added comes first:

    y = (W x + sum_i w_i s_i B_i (A_i x + c_i)) * prod_i (1 + w_i (f_i - 1))

So a weight of 0 leaves an adapter out, whatever it does. An adapter's modules that read the same
states are one pair of matrices: `A` side by side, `B` block by block. This file knows nothing of
plans or stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import SITES, Network, Part, Site
from ipse.errors import InvalidPlan

__all__ = ["Extras", "Lora", "Slots", "Weighted", "read_lora"]

_A, _B, _C, _SCALES = ".lora_A", ".lora_B", ".lora_C", ".scales"


@dataclass(frozen=True, eq=False)
class Lora:
    """What one adapter does in every layer.

    Attributes:
        sites: By site, `A` (layers, in, rank) and `B` (layers, rank, out), the scale within `B`.
        between: By site, what is added between the two, (layers, rank), where there is any.
        changes: By site, the factors of the outputs less 1, (layers, out), where there are any.
    """

    sites: Mapping[Site, tuple[Tensor, Tensor]] = field(default_factory=dict)
    between: Mapping[Site, Tensor] = field(default_factory=dict)
    changes: Mapping[Site, Tensor] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """The bytes it takes."""
        pairs = sum(a.nbytes + b.nbytes for a, b in self.sites.values())
        return pairs + sum(t.nbytes for t in (*self.between.values(), *self.changes.values()))


Weighted: TypeAlias = Sequence[tuple[Lora, float]]
"""The adapters of one row, each with its weight."""


def read_lora(arrays: Mapping[str, NDArray[Any]], name: str, network: Network) -> Lora:
    """Make an adapter from named arrays, as `ipse.lm.Loader` says.

    Args:
        arrays: `<module path>.lora_A` (rank, in) and `.lora_B` (out, rank), perhaps `.lora_C`
            (rank,), and `scale`; or `<module path>.scales` (out,). What is called otherwise is not
            part of what it does, such as the vectors of its owners.
        name: The adapter's name, for messages.
        network: What it is to change.

    Returns:
        The adapter.

    Raises:
        InvalidPlan: If it does not fit the network.
    """
    scale = float(arrays["scale"]) if "scale" in arrays else 1.0
    terms: dict[Site, dict[int, list[_Term]]] = {}
    changes: dict[Site, Tensor] = {}
    for key in arrays:
        module, dot, kind = key.rpartition(".")
        if dot + kind == _A:
            part = _part(module, name, network)
            term = _term(arrays, part, module, name, network, scale)
            terms.setdefault(part.site, {}).setdefault(part.layer, []).append(term)
        elif dot + kind == _SCALES:
            part = _part(module, name, network)
            whole = changes.setdefault(part.site, _none(network, part.site))
            width = part.outputs.stop - part.outputs.start
            whole[part.layer, part.outputs] = _taken(arrays, key, (width,), name) - 1
    if not terms and not changes:
        raise InvalidPlan(
            f"the adapter {name!r} has no array whose name ends in {_A!r} or {_SCALES!r}"
        )
    pairs, between = {}, {}
    for site, layers in terms.items():
        *pair, c = _stacked(layers, network)
        pairs[site] = (pair[0], pair[1])
        if any(term.c is not None for each in layers.values() for term in each):
            between[site] = c
    moved = {site: change.to(network.device, network.dtype) for site, change in changes.items()}
    return Lora(pairs, between, moved)


@dataclass(frozen=True, eq=False)
class _Term:
    part: Part
    a: Tensor  # (rank, in)
    b: Tensor  # (out, rank)
    c: Tensor | None  # (rank,)


def _part(module: str, name: str, network: Network) -> Part:
    part = network.parts.get(module)
    if part is None:
        known = ", ".join(each.split(".")[-1] for names in SITES.values() for each in names)
        raise InvalidPlan(f"the adapter {name!r} changes {module!r}, which the model has not. "
                          f"Known in its {network.layers} layers: {known}")  # fmt: skip
    return part


def _none(network: Network, site: Site) -> Tensor:
    return torch.zeros(network.layers, network.outputs(site))


def _term(
    arrays: Mapping[str, NDArray[Any]],
    part: Part,
    module: str,
    name: str,
    network: Network,
    scale: float,
) -> _Term:
    if module + _B not in arrays:
        raise InvalidPlan(f"the adapter {name!r} has {module + _A!r} and no {module + _B!r}")
    rank = arrays[module + _A].shape[0]
    outputs = part.outputs.stop - part.outputs.start
    a = _taken(arrays, module + _A, (rank, network.inputs(part)), name)
    b = _taken(arrays, module + _B, (outputs, rank), name)
    c = _taken(arrays, module + _C, (rank,), name) if module + _C in arrays else None
    return _Term(part, a, scale * b, c)


def _taken(
    arrays: Mapping[str, NDArray[Any]], key: str, wanted: tuple[int, ...], name: str
) -> Tensor:
    """Take an array of a shape, as float32."""
    if tuple(arrays[key].shape) != wanted:
        raise InvalidPlan(
            f"the adapter {name!r} is made for another model: {key!r} is "
            f"{tuple(arrays[key].shape)}, and has to be {wanted}"
        )
    return torch.tensor(arrays[key], dtype=torch.float32)


def _stacked(
    layers: Mapping[int, Sequence[_Term]], network: Network
) -> tuple[Tensor, Tensor, Tensor]:
    """Join the modules of a site, block by block, and stack its layers."""
    rank = max(sum(len(term.a) for term in terms) for terms in layers.values())
    first = next(iter(layers.values()))[0]
    down = torch.zeros(network.layers, first.a.shape[1], rank)
    up = torch.zeros(network.layers, rank, network.outputs(first.part.site))
    between = torch.zeros(network.layers, rank)
    for layer, terms in layers.items():
        start = 0
        for term in terms:
            end = start + len(term.a)
            down[layer, :, start:end] = term.a.T
            up[layer, start:end, term.part.outputs] = term.b.T
            if term.c is not None:
                between[layer, start:end] = term.c
            start = end
    down, up, between = (t.to(network.device, network.dtype) for t in (down, up, between))
    return down, up, between


class Slots(Protocol):
    """Adapters of rows that lie one line each."""

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> None:
        """Change `y` (rows, out) in place by what each row's own adapters do with `x`."""


@dataclass(frozen=True, eq=False)
class Extras:
    """The adapters of a whole batch: banks for rows that write, then spans of rows that read.

    Attributes:
        banks: Each with its lines.
        spans: Lines of rows with the same adapters, and those adapters with their weights.
    """

    banks: Sequence[tuple[slice, Slots]] = ()
    spans: Sequence[tuple[slice, Weighted]] = ()

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> Tensor:
        """Add what the rows' adapters make of `x`, in place, as `network.Extra` says."""
        for lines, bank in self.banks:
            bank.add(layer, site, x[lines], y[lines])
        for lines, adapters in self.spans:
            for lora, weight in adapters:
                if pair := lora.sites.get(site):
                    h = x[lines] @ pair[0][layer]  # (lines, rank)
                    if site in lora.between:
                        h += lora.between[site][layer]
                    y[lines].addmm_(h, pair[1][layer], alpha=weight)
            for lora, weight in adapters:
                if site in lora.changes:
                    y[lines].mul_(1 + weight * lora.changes[site][layer])
        return y
