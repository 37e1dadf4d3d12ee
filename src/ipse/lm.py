"""What may be asked of a model, and what it answers.

One narrow protocol, which every backend satisfies and which is all that methods know of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ipse.plan import Need, Plan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LM", "Cut", "Embed", "Piece", "Progress", "Reply", "Score"]

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


@dataclass(frozen=True)
class Embed:
    """A method's request for the embeddings of some texts: unit vectors of (texts, width)."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Cut:
    """A method's request for the first `limit` tokens of a text, all of them where it is None."""

    text: str
    limit: int | None = None


@dataclass(frozen=True)
class Piece:
    """The answer to a `Cut`: the text that is left, and how many tokens it has."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Reply:
    """A backend's answer to a plan.

    Attributes:
        text: The answer.
        finish: `stop` at the end of the turn or a stop text, `length` at `max_tokens`.
        prompt_tokens: Tokens read, over all streams.
        tokens: Tokens generated.
        candidates: The answers drawn; the first is `text`.
    """

    text: str
    finish: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    tokens: int = 0
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """How likely a text is as the answer to a plan.

    Attributes:
        logprobs: The natural log-probability of each token of the text, in nats.
        prompt_tokens: Tokens read before the text, over all streams.
    """

    logprobs: tuple[float, ...]
    prompt_tokens: int = 0

    @property
    def nats(self) -> float:
        """The negative log-likelihood of the whole text, in nats."""
        return -math.fsum(self.logprobs)

    @property
    def tokens(self) -> int:
        """How many tokens the text has."""
        return len(self.logprobs)


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
