"""The echo backend: answers with the plan itself, as text. For tests and for `ipse explain`.

It shows whatever a plan holds, whole: `max_tokens` does not cut it. It holds no model, so it has no
scores to tell, and embeddings only by the embedder it is handed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ipse.backends.carry import CARRIED, no_store, require
from ipse.errors import NotCarried
from ipse.job import Job, Trained
from ipse.lm import FitSteering, Hidden, Inputs, Loader, Piece, Progress, Reply, Score, UnderWay
from ipse.plan import Need, Plan, Stream

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["EchoBackend", "render"]

_WORD = re.compile(r"\S+\s*")


class EchoBackend:
    """A backend that shows what it was asked to run.

    Attributes:
        name: The backend's registry name.
        base: No model, by name.
        embedder: The embedder's name, or "".
        carries: What it can do.
    """

    name: str = "echo"
    base: str = "echo"

    def __init__(
        self,
        embedder: Callable[[Sequence[str]], NDArray[np.float32]] | None = None,
        embedder_name: str = "given",
    ) -> None:
        """Take an embedder, or none.

        Args:
            embedder: Gives unit vectors of (texts, width).
            embedder_name: What identifies it; states made of its embeddings name it.
        """
        self._embed = embedder
        self._loader: Loader = no_store
        self.embedder = embedder_name if embedder else ""
        without: frozenset[Need] = frozenset() if embedder else frozenset({"embed"})
        self.carries: frozenset[Need] = CARRIED["echo"] - without

    def generate(
        self,
        plans: Sequence[Plan],
        on_progress: Progress | None = None,
    ) -> list[Reply]:
        """Answer every plan with its own text.

        Args:
            plans: The plans.
            on_progress: Told how many plans are done, and of how many.

        Returns:
            One reply a plan.
        """
        require(self, plans, "generate")
        if on_progress:
            on_progress(len(plans), len(plans))
        return [_reply(plan) for plan in plans]

    def stream(self, plan: Plan) -> Generator[str, None, Reply]:
        """Answer one plan line by line; together the lines are what `generate` gives."""
        require(self, [plan], "stream")
        return _lines(_reply(plan))

    def score(
        self,
        plans: Sequence[Plan],
        targets: Sequence[str],  # noqa: ARG002
        on_progress: Progress | None = None,  # noqa: ARG002
    ) -> list[Score]:
        """Refuse: an echo has no probabilities."""
        require(self, plans, "score")
        raise NotCarried("an echo has no probabilities")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width), by the embedder that was handed in."""
        require(self, (), "embed")
        assert self._embed is not None
        return self._embed(texts)

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Keep the first `limit` words of a text: an echo's tokens are words."""
        return _cut(text, limit)

    def hidden(self, ask: Hidden) -> NDArray[np.float32]:
        """Refuse: an echo has no hidden states."""
        require(self, ask.plans, "hidden")
        raise NotCarried("an echo has no hidden states")

    def inputs(self, ask: Inputs) -> Mapping[str, NDArray[np.float32]]:
        """Refuse: an echo has no modules."""
        require(self, ask.plans, "hidden")
        raise NotCarried("an echo has no modules that read anything")

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        """Refuse: an echo learns nothing."""
        require(self, ask.plans, "fit_steering")
        raise NotCarried("an echo learns nothing")

    def train(
        self,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[Trained]:
        """Refuse: an echo learns nothing."""
        del jobs, on_progress, scratch
        require(self, (), "train")
        raise NotCarried("an echo learns nothing")

    def attach(self, loader: Loader) -> None:
        """Say where methods' arrays are; an echo itself shows names."""
        self._loader = loader

    def forget(self) -> None:
        """Take no notice. An echo keeps nothing."""

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a name, from the store."""
        return self._loader(name)

    def hold(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Refuse: an echo uses no arrays."""
        raise NotCarried(f"an echo has no use for arrays: {', '.join(arrays)}")

    def under_way(self) -> UnderWay | None:
        """Say nothing: an echo answers at once."""
        return None


def _lines(reply: Reply) -> Generator[str, None, Reply]:
    yield from reply.text.splitlines(keepends=True)
    return reply


def _cut(text: str, limit: int | None) -> Piece:
    found = list(_WORD.finditer(text))
    if limit is None or len(found) <= limit:
        return Piece(text, len(found))
    end = found[limit - 1].end() if limit else 0
    return Piece(text[:end].rstrip(), limit)


def render(plan: Plan) -> str:
    """Write a plan as text: what is read, by which weights, steered and fused how.

    Args:
        plan: The plan.

    Returns:
        The text; a plain question with a system message is just its turns.
    """
    several = len(plan.streams) > 1
    lines: list[str] = []
    for number, stream in enumerate(plan.streams, 1):
        lines += [f"## stream {number}"] if several else []
        lines += _stream_lines(stream)
    if plan.fusion is not None:
        lines.append(f"[fusion] {plan.fusion}")
    return "\n".join(lines)


def _stream_lines(stream: Stream) -> list[str]:
    lines = [f"[{message.role}] {message.content}" for message in stream.messages]
    lines += [f"[model] {stream.model}"] if stream.model else []
    lines += [f"[prefix] {stream.prefix}"] if stream.prefix else []
    lines += [
        f"[adapter] {' with '.join(filter(None, (each.name, each.own)))} x {each.weight:g}"
        for each in stream.adapters
    ]
    lines += [f"[steering] {s.name} @ {s.layer} x {s.scale:g}" for s in stream.steering]
    return lines


def _reply(plan: Plan) -> Reply:
    text = render(plan)
    cuts = [at for at in map(text.find, filter(None, plan.sampling.stop)) if at >= 0]
    text = text[: min(cuts, default=len(text))]
    words = sum(len(message.content.split()) for s in plan.streams for message in s.messages)
    return Reply(text, "stop", words, len(text.split()), (text,) * plan.candidates)
