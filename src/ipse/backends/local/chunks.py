"""Tokens of many rows, laid end to end for one forward pass, with what each row attaches.

This file knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Span
from ipse.backends.local.lora import Weighted
from ipse.backends.local.network import Network, Steer

__all__ = ["PLACE", "Chunk", "Steered", "inputs", "reading_adapters", "steer"]

PLACE = -1
"""The id that stands for a place of a soft prompt."""

Steered = tuple[int, int, Tensor]
"""A layer, the first place at which a vector is added behind it, and the vector, (hidden,)."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some tokens that one row reads in a forward pass.

    Attributes:
        ids: The tokens; `PLACE` stands for places of the prefix.
        begin: The place of the first among all of the row's.
        span: Where they lie in the batch, and what the row has read before.
        attached: What the row attaches.
        steering: The row's own steering.
    """

    ids: Sequence[int]
    begin: int
    span: Span
    attached: Attached
    steering: Sequence[Steered]

    @property
    def lines(self) -> slice:
        """The lines of the batch."""
        return slice(self.span.start, self.span.start + self.span.length)


def inputs(
    network: Network, chunks: Sequence[Chunk], ids: Sequence[int] = (), places: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """Give the embeddings of all lines, (tokens, hidden), and each one's place, (tokens,).

    Args:
        network: The model.
        chunks: What is read.
        ids: Tokens of rows that write, whose lines come first.
        places: Their places.

    Returns:
        Embeddings and places.
    """
    every, where = list(ids), list(places)
    for chunk in chunks:
        every += chunk.ids
        where += range(chunk.begin, chunk.begin + len(chunk.ids))
    x = network.embed(torch.tensor(every, device=network.device).clamp_(min=0))
    for chunk in chunks:
        if chunk.attached.prefix is not None and chunk.begin < chunk.attached.length:
            vectors = chunk.attached.prefix[chunk.begin : chunk.begin + len(chunk.ids)]
            x[chunk.span.start : chunk.span.start + len(vectors)] = vectors
    return x, torch.tensor(where, device=network.device)


def reading_adapters(chunks: Iterable[Chunk]) -> list[tuple[slice, Weighted]]:
    """Give the lines of each set of adapters; neighbors with the same are read together."""
    found: list[tuple[slice, Weighted]] = []
    for chunk in chunks:
        adapters = chunk.attached.adapters
        if not adapters:
            continue
        if found and found[-1][1] == adapters and found[-1][0].stop == chunk.span.start:
            found[-1] = (slice(found[-1][0].start, chunk.lines.stop), adapters)
        else:
            found.append((chunk.lines, adapters))
    return found


def steer(
    chunks: Sequence[Chunk], writing: Sequence[tuple[int, Sequence[Steered]]] = ()
) -> Steer | None:
    """Give what is added behind each layer, and at which lines.

    Args:
        chunks: What is read.
        writing: The place and the steering of each row that writes, whose lines come first.

    Returns:
        Lines and vectors by layer; None where nothing is added.
    """
    found: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for line, (place, steering) in enumerate(writing):
        for layer, first, vector in steering:
            if place >= first:
                at = torch.tensor([line], device=vector.device)
                found.setdefault(layer, []).append((at, vector))
    for chunk in chunks:
        for layer, first, vector in chunk.steering:
            skipped = max(0, first - chunk.begin)
            if skipped < chunk.span.length:
                at = torch.arange(skipped, chunk.span.length, device=vector.device)
                found.setdefault(layer, []).append((at + chunk.span.start, vector))
    return found or None
