"""What parameters do to lines of a batch: low-rank terms added, factors multiplied, soft prompts.

All rows lie end to end and each job has lines of its own, so one pass over the frozen weights
serves all jobs, and a few thin products serve each. This file knows nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ipse.backends.local.lora import Weighted
from ipse.backends.local.network import Site

__all__ = ["At", "Block", "Effect", "Effects", "Factor", "LowRank"]

At: TypeAlias = tuple[int, Site]
"""A layer and one of its products."""


@dataclass(frozen=True, eq=False)
class Block:
    """Which outputs some of the ranks reach.

    Attributes:
        ranks: The ranks.
        outputs: The outputs.
        b: How, (outputs, ranks).
    """

    ranks: slice
    outputs: slice
    b: Tensor


@dataclass(frozen=True, eq=False)
class LowRank:
    """A low-rank term at some lines: `scale * B (A x + c)`, each block's perhaps behind a gate.

    Attributes:
        lines: The lines.
        a: `A`, (ranks, in).
        blocks: `B`, block by block.
        scale: What the term is multiplied by.
        c: What is added between the two, (lines, ranks) or (ranks,); None is nothing.
        keep: Which inputs are not left out, (lines, in); None is all of them.
        kept: The share of those, by which they are divided.
        gates: `g` of each block, (blocks, in): what it adds is multiplied by `sigmoid(x . g)`;
            None leaves it as it is.
    """

    lines: slice
    a: Tensor
    blocks: Sequence[Block]
    scale: float = 1.0
    c: Tensor | None = None
    keep: Tensor | None = None
    kept: float = 1.0
    gates: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """What may have a gradient: `A`, `c`, the gates, then the blocks."""
        return (self.a, self.c, self.gates, *(block.b for block in self.blocks))

    def opens(self, x: Tensor) -> Tensor | None:
        """Give how far each block's gate is open at the term's lines, (lines, blocks)."""
        return None if self.gates is None else torch.sigmoid(x[self.lines] @ self.gates.T)


@dataclass(frozen=True, eq=False)
class Factor:
    """What some outputs are multiplied by at some lines.

    Attributes:
        lines: The lines.
        outputs: The outputs.
        by: What they are multiplied by, (outputs,).
    """

    lines: slice
    outputs: slice
    by: Tensor


@dataclass(frozen=True, eq=False)
class Effect:
    """What one job's parameters do to its lines.

    Attributes:
        low_rank: The low-rank terms, by product.
        factors: The factors.
        prefixes: A soft prompt for each row, (places, hidden); empty where none is learned.
    """

    low_rank: Mapping[At, Sequence[LowRank]] = field(default_factory=dict)
    factors: Mapping[At, Sequence[Factor]] = field(default_factory=dict)
    prefixes: Sequence[Tensor] = ()


class Effects:
    """Everything that is done to the lines of a batch; a `network.Extra`.

    Low-rank terms come first, those that streams attach and those that are learned; factors
    multiply the whole, as `lora.py` has it where adapters are served.
    """

    def __init__(self, learned: Sequence[Effect], frozen: Sequence[tuple[slice, Weighted]]) -> None:
        """Gather what is done.

        Args:
            learned: What jobs do to their lines.
            frozen: Lines of rows that attach the same, and the adapters they attach.
        """
        self._learned = learned
        self._frozen = frozen

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> Tensor:
        """Do it, as `network.Extra` says."""
        at = (layer, site)
        terms = _attached(self._frozen, layer, site)
        terms += [term for effect in self._learned for term in effect.low_rank.get(at, ())]
        if terms:
            tensors = [tensor for term in terms for tensor in term.tensors]
            y = _LowRank.apply(x, y, terms, *tensors)  # type: ignore[no-untyped-call]
        factors = _attached_factors(self._frozen, layer, site)
        factors += [f for effect in self._learned for f in effect.factors.get(at, ())]
        if factors:
            every = [factor.by for factor in factors]
            y = _Factors.apply(y, factors, *every)  # type: ignore[no-untyped-call]
        return y


def _attached(frozen: Sequence[tuple[slice, Weighted]], layer: int, site: Site) -> list[LowRank]:
    found = []
    for lines, adapters in frozen:
        for lora, weight in adapters:
            if pair := lora.sites.get(site):
                a, b = pair[0][layer].T, pair[1][layer].T  # (ranks, in), (out, ranks)
                c = lora.between[site][layer] if site in lora.between else None
                whole = Block(slice(None), slice(None), b)
                found.append(LowRank(lines, a, (whole,), weight, c))
    return found


def _attached_factors(
    frozen: Sequence[tuple[slice, Weighted]], layer: int, site: Site
) -> list[Factor]:
    return [
        Factor(lines, slice(None), 1 + weight * lora.changes[site][layer])
        for lines, adapters in frozen
        for lora, weight in adapters
        if site in lora.changes
    ]


class _LowRank(torch.autograd.Function):
    """Low-rank terms of many lines, added in place.

    autograd would keep a copy of the gradient for every slice that is written; here each term's
    products go straight to where they belong, and nothing is kept but `x`, which is shared with
    the frozen product, and the few numbers `A x` a line.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, terms: Sequence[LowRank], *_: Tensor) -> Tensor:
        ctx.mark_dirty(y)
        between = []
        for term in terms:
            h = _inputs(term, x) @ term.a.T  # (lines, ranks)
            if term.c is not None:
                h += term.c
            passed = _passed(term, h, term.opens(x))
            for block, some in zip(term.blocks, passed, strict=True):
                y[term.lines, block.outputs].addmm_(some, block.b.T, alpha=term.scale)
            between.append(h)
        ctx.terms = terms
        ctx.save_for_backward(x, *between)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Any, ...]:
        x, *between = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        below = torch.zeros_like(x) if wanted[0] else None
        found: list[Tensor | None] = []
        for term, h in zip(ctx.terms, between, strict=True):
            learned = wanted[3 + len(found) : 3 + len(found) + len(term.tensors)]
            found += _backward(term, x, h, slope[term.lines], below, learned)
        return (below, slope, None, *found)


def _backward(
    term: LowRank, x: Tensor, h: Tensor, slope: Tensor, below: Tensor | None, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Give the gradients of a term's tensors where wanted, and add that of `x` to `below`."""
    up = torch.empty_like(h)  # the gradient at A x + c, (lines, ranks)
    for block in term.blocks:
        up[:, block.ranks] = slope[:, block.outputs] @ block.b
    up *= term.scale
    opens = term.opens(x)
    passed = _passed(term, h, opens)
    gates = None
    if opens is not None and term.gates is not None:
        sums = [(up[:, b.ranks] * h[:, b.ranks]).sum(1) for b in term.blocks]
        shut = torch.stack(sums, dim=1) * opens * (1 - opens)  # the gradient at x . g
        for i, block in enumerate(term.blocks):
            up[:, block.ranks] *= opens[:, i : i + 1]
        if below is not None:
            below[term.lines].addmm_(shut, term.gates)
        gates = shut.T @ x[term.lines] if wanted[2] else None
    if below is not None:
        if term.keep is None:
            below[term.lines].addmm_(up, term.a)
        else:
            below[term.lines].add_((up @ term.a).mul_(term.keep), alpha=1 / term.kept)
    found: list[Tensor | None] = [
        up.T @ _inputs(term, x) if wanted[0] else None,
        up if wanted[1] else None,
        gates,
    ]
    for block, some, is_wanted in zip(term.blocks, passed, wanted[3:], strict=True):
        found.append(_outer(slope[:, block.outputs], some, term.scale) if is_wanted else None)
    return found


def _passed(term: LowRank, h: Tensor, opens: Tensor | None) -> list[Tensor]:
    """Give what of `A x + c` reaches each block, (lines, ranks) each."""
    parts = [h[:, block.ranks] for block in term.blocks]
    if opens is None:
        return parts
    return [part * opens[:, i : i + 1] for i, part in enumerate(parts)]


def _outer(slope: Tensor, h: Tensor, scale: float) -> Tensor:
    return (slope.T @ h) * scale  # (outputs, ranks)


def _inputs(term: LowRank, x: Tensor) -> Tensor:
    """Give the inputs of a term's lines, without those that are left out."""
    some = x[term.lines]
    return some if term.keep is None else (some * term.keep).div_(term.kept)


class _Factors(torch.autograd.Function):
    """Factors of outputs at some lines, multiplied in place, one after another."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, factors: Sequence[Factor], *_: Tensor) -> Tensor:
        ctx.mark_dirty(y)
        ctx.factors = factors
        before = []
        for i, factor in enumerate(factors):
            some = y[factor.lines, factor.outputs]
            if ctx.needs_input_grad[2 + i]:
                before.append(some.clone())
            some.mul_(factor.by)
        ctx.save_for_backward(*before)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Any, ...]:
        before = list(ctx.saved_tensors)
        below = slope.clone()
        found: list[Tensor | None] = []
        for i in reversed(range(len(ctx.factors))):
            factor = ctx.factors[i]
            some = below[factor.lines, factor.outputs]
            is_wanted = ctx.needs_input_grad[2 + i]
            found.append((some * before.pop()).sum(0) if is_wanted else None)
            some.mul_(factor.by)
        return (below, None, *reversed(found))
