"""What the loop knows of something that can be learned.

A kind of it is one file with one class, and one line in `kinds.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.training.effects import Effect
from ipse.backends.local.training.rows import Row

__all__ = ["Learnable", "Lines"]


@dataclass(frozen=True, eq=False)
class Lines:
    """The rows of one job in a forward pass.

    Attributes:
        lines: Their lines in the batch, end to end.
        rows: The rows, in that order.
        lengths: How many lines each has.
        chances: Each row's own source of chance while it is learned from, such that a row is the
            same in any company; empty while it is only looked at.
    """

    lines: slice
    rows: Sequence[Row]
    lengths: Sequence[int]
    chances: Sequence[torch.Generator] = ()


class Learnable(Protocol):
    """Parameters of one job."""

    @property
    def places(self) -> int:
        """The places of a soft prompt ahead of each row; 0 where none is learned."""
        ...

    @property
    def by_row(self) -> bool:
        """Whether rows are changed each in its own way: by owner, by lines of a table, by chance.

        Where they are not, what all rows of a pass begin with alike is read once.
        """
        ...

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """What changes: leaves with a gradient, float32, by name."""
        ...

    def effect(self, lines: Lines) -> Effect:
        """Give what they do to the job's lines, as it follows from the parameters now."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what was learned, in the form in which it is kept."""
        ...
