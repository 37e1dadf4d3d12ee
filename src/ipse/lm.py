"""What a method may ask of a model: one narrow protocol, which every backend satisfies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from ipse.plan import Need, Plan, Reply, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LM"]


class LM(Protocol):
    """A language model and an embedder, seen from a method.

    Attributes:
        name: The backend's registry name.
        base: Which language model answers, with what identifies its weights; lineage names it.
        embedder: Which embedder answers; states made of embeddings name it.
        carries: What this backend can do; a plan that needs more is refused before it runs.
    """

    name: str
    base: str
    embedder: str
    carries: frozenset[Need]

    def generate(self, plans: Sequence[Plan]) -> list[Reply]:
        """Answer every plan; a batch gives what one by one gives."""
        ...

    def stream(self, plan: Plan) -> Iterator[str]:
        """Answer one plan in pieces of text; together they are what `generate` gives."""
        ...

    def score(self, plans: Sequence[Plan], targets: Sequence[str]) -> list[Score]:
        """Give the log-probability of each target as the answer to its plan."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        ...
