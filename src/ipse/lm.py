"""What a method may ask of a model: one narrow protocol, which every backend satisfies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from ipse.plan import Need, Piece, Plan, Reply, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LM", "Progress"]

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


class LM(Protocol):
    """A language model and an embedder, seen from a method."""

    @property
    def name(self) -> str:
        """The registry name."""
        ...

    @property
    def base(self) -> str:
        """The language model's name, with what identifies its weights."""
        ...

    @property
    def embedder(self) -> str:
        """The embedder's name, with what identifies its weights."""
        ...

    @property
    def carries(self) -> frozenset[Need]:
        """What it can do; a plan that needs more is refused before it runs."""
        ...

    def generate(self, plans: Sequence[Plan], on_progress: Progress | None = None) -> list[Reply]:
        """Answer every plan; a batch gives what one by one gives."""
        ...

    def stream(self, plan: Plan) -> Iterator[str]:
        """Answer one plan in pieces of text; together they are what `generate` gives."""
        ...

    def score(
        self, plans: Sequence[Plan], targets: Sequence[str], on_progress: Progress | None = None
    ) -> list[Score]:
        """Give the log-probability of each target as the answer to its plan."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        ...

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Keep the first `limit` tokens of a text by the language model's own tokenizer."""
        ...
