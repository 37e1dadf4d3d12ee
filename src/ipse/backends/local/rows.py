"""One stream of one answer, from its first token read to its last written."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Past
from ipse.backends.local.beginnings import chain
from ipse.backends.local.chunks import PLACE, Steered

__all__ = ["Row", "capacity_for"]

_SMALLEST = 64
"""Tokens of the smallest lane."""


def capacity_for(size: int) -> int:
    """Give the size of the lane for a row of at most so many tokens: the next power of two."""
    return max(_SMALLEST, 1 << (size - 1).bit_length())


@dataclass(eq=False)
class Row:
    """One stream of one answer.

    Attributes:
        prompt: The tokens it reads.
        attached: What its stream attaches.
        shape: Everything but the tokens that shapes what it reads.
        size: The most tokens it can ever hold, the prefix's places included.
        asked: How often beginnings had been let go of when it was asked for.
        ids: The prompt behind the places of the prefix.
        steering: Layer, first place and vector of what is added to it.
        chain: The hashes of its blocks, to look beginnings up by.
        past: What it has read so far; None before it begins and while it writes.
        token: The token it reads next, while it writes.
        logits: The next token's, (vocab,), once it has read everything and until one is drawn.
    """

    prompt: tuple[int, ...]
    attached: Attached
    shape: Hashable
    size: int
    asked: int = 0
    ids: tuple[int, ...] = field(init=False)
    steering: Sequence[Steered] = field(init=False)
    chain: list[int] = field(init=False)
    past: Past | None = None
    token: int = 0
    logits: Tensor | None = None

    def __post_init__(self) -> None:
        self.ids = (PLACE,) * self.attached.length + self.prompt
        self.steering = self.attached.steered(len(self.prompt))
        # Where a vector begins is a matter of the prompt's length, and so of what is read.
        self.shape = (self.shape, tuple(first for _, first, _ in self.steering))
        self.chain = chain(self.shape, self.ids)
        self.size += self.attached.length
