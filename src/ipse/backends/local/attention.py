"""Keys and values of what was read: of one row while it reads, of many while they write.

A row reads into a `Past` of its own. When it begins to write it moves into a `Lane`, where rows of
like size stand close together, so one product serves them all. This file knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ipse.backends.local.network import Network

__all__ = ["Attention", "Lane", "Past", "Span", "token_bytes"]

_MOST_MASKED = -1e30
"""What is added where there is no token; a row always has one, so nothing is divided by zero."""


def token_bytes(network: Network) -> int:
    """Give how many bytes the keys and values of one token take."""
    return 2 * network.layers * network.kv_heads * network.width * network.dtype.itemsize


class Past:
    """What one row has read, with room for more.

    Attributes:
        keys: Keys, (layers, kv heads, capacity, width).
        values: Values, of the same shape.
        length: How many tokens there are.
    """

    def __init__(self, network: Network, capacity: int) -> None:
        """Make room for some tokens."""
        shape = (network.layers, network.kv_heads, capacity, network.width)
        self.keys = torch.empty(shape, dtype=network.dtype, device=network.device)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    @property
    def nbytes(self) -> int:
        """The bytes it takes."""
        return self.keys.nbytes + self.values.nbytes

    def begin_with(self, other: Past, length: int) -> None:
        """Take over the first tokens of another past."""
        self.keys[:, :, :length] = other.keys[:, :, :length]
        self.values[:, :, :length] = other.values[:, :, :length]
        self.length = length


@dataclass(frozen=True, eq=False)
class Span:
    """Tokens of one row that lie together in a batch.

    Attributes:
        start: Their first line in the batch.
        length: How many.
        past: What the row has read before; None where that is nothing.
        keep: Whether they become part of the past, which has room for them.
    """

    start: int
    length: int
    past: Past | None = None
    keep: bool = False
    mask: Tensor | None = field(init=False)  # (length, past + length); None where causal will do

    def __post_init__(self) -> None:
        before = self.past.length if self.past else 0
        mask = None
        if before and self.length > 1:
            device = self.past.keys.device if self.past else None
            whole = torch.ones(self.length, before + self.length, dtype=torch.bool, device=device)
            mask = whole.tril_(before)
        object.__setattr__(self, "mask", mask)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend to what was read before and, causally, to the tokens themselves.

        Args:
            layer: The layer.
            q: Queries, (length, heads, width).
            k: Keys, (length, kv heads, width).
            v: Values, of the same shape.

        Returns:
            What the tokens attend to, (length, heads * width).
        """
        keys, values = self._joined(layer, k.transpose(0, 1), v.transpose(0, 1))
        found = functional.scaled_dot_product_attention(
            q.transpose(0, 1)[None],  # (1, heads, length, width)
            keys[None],
            values[None],
            attn_mask=self.mask,
            is_causal=self.mask is None and self.length > 1,
            enable_gqa=True,
        )
        return found[0].transpose(0, 1).reshape(self.length, -1)

    def _joined(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Give keys and values from the row's beginning, (kv heads, past + length, width) each."""
        past = self.past
        if past is None:
            return k, v
        keys, values = past.keys[layer], past.values[layer]  # (kv heads, capacity, width)
        end = past.length + self.length
        if self.keep:
            keys[:, past.length : end] = k
            values[:, past.length : end] = v
            return keys[:, :end], values[:, :end]
        keys, values = keys[:, : past.length], values[:, : past.length]
        return torch.cat([keys, k], dim=1), torch.cat([values, v], dim=1)


class Lane:
    """Rows of like size that are being written, each one token a step.

    Rows stand in slots 0, 1, ... without a gap: the last one moves into the slot of one that left.

    Attributes:
        capacity: The most tokens a row of it may have.
        lengths: How many tokens each row has.
        touched: How many slots were ever used, and so take memory.
    """

    SLOTS: ClassVar[int] = 16
    """Rows of a lane. Its memory never moves, and is given back when its last row has left."""

    def __init__(self, network: Network, capacity: int) -> None:
        """Make an empty lane."""
        self.capacity = capacity
        self.lengths: list[int] = []
        self.touched = 0
        shape = (network.layers, self.SLOTS, network.kv_heads, capacity, network.width)
        self._keys = torch.empty(shape, dtype=network.dtype, device=network.device)
        self._values = torch.empty_like(self._keys)
        self._mask = torch.empty(0)  # (rows, 1, 1, longest)
        self._places = (torch.empty(0), torch.empty(0))  # each row's slot and next place

    def join(self, past: Past) -> None:
        """Take in a row, into the slot behind the last."""
        slot, length = len(self.lengths), past.length
        for room, rows in ((self._keys, past.keys), (self._values, past.values)):
            room[:, slot, :, :length] = rows[:, :, :length]
            # What is masked is still multiplied by 0, and chance bytes may be no numbers.
            room[:, slot, :, length:] = 0
        self.lengths.append(length)
        self.touched = max(self.touched, slot + 1)

    def leave(self, slot: int) -> None:
        """Let a row go; the last one takes its slot."""
        last = len(self.lengths) - 1
        length = self.lengths.pop()
        if slot != last:
            for room in (self._keys, self._values):
                room[:, slot, :, :length] = room[:, last, :, :length]
            self.lengths[slot] = length

    def begin(self) -> None:
        """Prepare a step in which every row gets one more token."""
        device = self._keys.device
        lengths = torch.tensor(self.lengths, device=device)
        longest = max(self.lengths) + 1
        absent = torch.arange(longest, device=device) > lengths[:, None]
        mask = torch.zeros(absent.shape, dtype=self._keys.dtype, device=device)
        self._mask = mask.masked_fill_(absent, _MOST_MASKED)[:, None, None]
        self._places = (torch.arange(len(lengths), device=device), lengths)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend to everything a row holds and to its one new token.

        Args:
            layer: The layer.
            q: Queries, (rows, heads, width).
            k: Keys, (rows, kv heads, width).
            v: Values, of the same shape.

        Returns:
            What the tokens attend to, (rows, heads * width).
        """
        rows, longest = len(q), self._mask.shape[-1]
        slots, places = self._places
        keys, values = self._keys[layer], self._values[layer]
        keys[slots, :, places] = k
        values[slots, :, places] = v
        # The heads that share keys stand as queries one under the other: no key is repeated.
        queries = q.reshape(rows, k.shape[1], -1, q.shape[-1])
        found = functional.scaled_dot_product_attention(
            queries,
            keys[:rows, :, :longest],
            values[:rows, :, :longest],
            attn_mask=self._mask,
        )
        return found.reshape(rows, -1)

    def end(self) -> None:
        """Finish the step."""
        self.lengths = [length + 1 for length in self.lengths]


@dataclass(frozen=True, eq=False)
class Attention:
    """What every token of a batch attends to: the rows of lanes first, then spans.

    Attributes:
        lanes: Lanes that have rows; their lines come first, in this order.
        spans: Tokens that are read.
    """

    lanes: Sequence[Lane] = ()
    spans: Sequence[Span] = ()

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend, as `network.Attend` says."""
        found = []
        start = 0
        for lane in self.lanes:
            end = start + len(lane.lengths)
            found.append(lane.attend(layer, q[start:end], k[start:end], v[start:end]))
            start = end
        for span in self.spans:
            lines = slice(span.start, span.start + span.length)
            found.append(span.attend(layer, q[lines], k[lines], v[lines]))
        return found[0] if len(found) == 1 else torch.cat(found)
