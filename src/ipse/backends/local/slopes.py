"""Parts of a layer with gradients of their own: what autograd would do in many small steps.

Between the large products of a layer stand norms, turned heads and gates. Differentiated one
operation at a time they take a third of the time of a pass on a CPU, and keep every intermediate
result in memory; written out, each keeps its input alone. The gradients are those of the frozen
model: its own weights have none. This file knows nothing of plans.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["gated", "normed", "turned"]


def normed(x: Tensor, scale: Tensor, eps: float) -> Tensor:
    """Give `functional.rms_norm`: (tokens, hidden) to the same."""
    found: Tensor = _Normed.apply(x, scale, eps)  # type: ignore[no-untyped-call]
    return found


def gated(gate_up: Tensor) -> Tensor:
    """Give `silu(gate) * up`: (tokens, 2 intermediate) to (tokens, intermediate)."""
    found: Tensor = _Gated.apply(gate_up)  # type: ignore[no-untyped-call]
    return found


def turned(
    qkv: Tensor, cos: Tensor, sin: Tensor, heads: int, kv_heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Split into heads, and turn queries and keys by their places.

    Args:
        qkv: What the product gave, (tokens, all heads * width).
        cos: Cosines, (tokens, 1, width).
        sin: Sines, negative in their first half, (tokens, 1, width).
        heads: How many heads of queries.
        kv_heads: How many heads of keys and values.

    Returns:
        Queries, keys and values, (tokens, heads, width) each.
    """
    found: tuple[Tensor, Tensor, Tensor]
    found = _Turned.apply(qkv, cos, sin, heads, kv_heads)  # type: ignore[no-untyped-call]
    return found


class _Normed(torch.autograd.Function):
    """`x / rms(x) * scale` (arXiv 1910.07467, eq. 4)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, eps: float) -> Tensor:
        wide = x.float()
        inverse = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)  # (tokens, 1)
        inverse = inverse.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, inverse, scale)
        y: Tensor = (wide * inverse).to(x.dtype).mul_(scale)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, inverse, scale = ctx.saved_tensors
        unit = x.float() * inverse  # what was scaled
        below = slope.float() * scale
        along = (below * unit).mean(-1, keepdim=True)  # (tokens, 1)
        below = below.addcmul_(unit, along, value=-1).mul_(inverse)
        return below.to(x.dtype), None, None


class _Gated(torch.autograd.Function):
    """A gated feed-forward part's middle (arXiv 2002.05202, eq. 6)."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        below = torch.empty_like(gate_up)
        of_gate, of_up = below.chunk(2, dim=-1)
        torch.mul(slope, functional.silu(gate), out=of_up)
        torch.ops.aten.silu_backward.grad_input(slope * up, gate, grad_input=of_gate)
        return below


class _Turned(torch.autograd.Function):
    """Rotary positions (arXiv 2104.09864, eq. 34); backwards they turn the other way."""

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, cos: Tensor, sin: Tensor, heads: int, kv_heads: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(cos, sin)
        ctx.sizes = [heads, kv_heads, kv_heads]
        every = qkv.view(len(qkv), -1, cos.shape[-1])
        q, k, v = torch.split(every, ctx.sizes, dim=1)
        found = torch.empty_like(q), torch.empty_like(k)
        for one, new in zip((q, k), found, strict=True):
            _turn(one, new, cos, sin)
        return (*found, v.clone())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        tokens, _, width = slopes[0].shape
        below = slopes[0].new_empty(tokens, sum(ctx.sizes), width)
        q, k, v = torch.split(below, ctx.sizes, dim=1)
        for slope, new in zip(slopes, (q, k), strict=False):
            _turn(slope, new, cos, -sin)
        v.copy_(slopes[2])
        return below.view(tokens, -1), None, None, None, None


def _turn(x: Tensor, out: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Turn the halves of each head against each other, (tokens, heads, width)."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    torch.mul(x, cos, out=out)
    out[..., :half].addcmul_(second, sin[..., :half])
    out[..., half:].addcmul_(first, sin[..., half:])
