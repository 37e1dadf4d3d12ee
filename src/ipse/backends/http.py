"""The http backend: any OpenAI-compatible server; it is sent no user id.

It cuts and scores only with a server that tokenizes and gives the log-probabilities of a prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipse.backends.carry import CARRIED, Known, no_store, require
from ipse.backends.client import Client, server_url
from ipse.backends.completion import combined, drawn, request, written
from ipse.backends.vllm import Vllm, strange
from ipse.errors import NotCarried
from ipse.job import Job, Trained
from ipse.lm import FitSteering, Hidden, Inputs, Loader, Piece, Progress, Reply, Score, UnderWay
from ipse.plan import Need, Plan

__all__ = ["HttpBackend"]

_T = TypeVar("_T")

_EMBEDDED_AT_ONCE = 128


class HttpBackend:
    """A model behind an OpenAI-compatible server.

    Attributes:
        name: The backend's registry name.
        base: The model and the server's host.
        embedder: The embedding model and the server's host, the given embedder's name, or "".
    """

    name: str = "http"

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        embedding_model: str = "",
        embedder: Callable[[Sequence[str]], NDArray[np.float32]] | None = None,
        embedder_name: str = "given",
        scores: Literal["auto"] | bool = "auto",
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 4,
    ) -> None:
        """Name the server; nothing is sent yet.

        Args:
            base_url: The address up to and including `/v1`.
            model: The model's name there.
            api_key: Sent as a bearer token.
            embedding_model: The name of an embedding model there.
            embedder: Gives unit vectors of (texts, width), where the server has no such model.
            embedder_name: What identifies that embedder; states made of its embeddings name it.
            scores: Whether the server tokenizes and gives prompt log-probabilities, as vLLM does;
                `auto` asks it once.
            concurrency: The most requests under way at once.
            timeout: Seconds until an answer, or the next piece of a stream, is given up.
            retries: How often a request is tried again when that may help.

        Raises:
            UsageError: If the address or the key cannot be one.
        """
        url = server_url(base_url)
        self._url = str(url)
        self._model, self._embedding_model = model, embedding_model
        self._loader: Loader = no_store
        self._given = embedder
        self._scores = scores
        self._concurrency = concurrency
        self._client = Client(api_key, timeout, retries)
        self._vllm = Vllm(self._client, self._url, model)
        host = f"{url.host}:{url.port}" if url.port else url.host
        self.base = f"{model}@{host}"
        self.embedder = embedder_name if embedder else ""
        if embedding_model:
            self.embedder = f"{embedding_model}@{host}"

    def __enter__(self) -> HttpBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        self._client.close()

    @cached_property
    def carries(self) -> frozenset[Need]:
        """What this server can do; with `scores` at `auto`, it is asked at the first look."""
        if not self._scores or (self._scores == "auto" and not self._vllm.tokenizes()):
            return self._unasked.carries
        if self._scores == "auto" and not self._vllm.gives_scores():
            return self._unasked.carries | {"cut"}
        return self._unasked.carries | {"cut", "score"}

    @property
    def _unasked(self) -> Known:
        """What is known to be carried without asking the server."""
        without: set[Need] = {"cut", "score"} if self.embedder else {"cut", "score", "embed"}
        return Known(self.name, CARRIED["http"] - without)

    def generate(self, plans: Sequence[Plan], on_progress: Progress | None = None) -> list[Reply]:
        """Answer every plan, several requests at once.

        Args:
            plans: The plans.
            on_progress: Told how many plans are done, and of how many.

        Returns:
            One reply a plan.
        """
        require(self._unasked, plans, "generate")
        return self._each(self._answer, [(plan,) for plan in plans], on_progress)

    def stream(self, plan: Plan) -> Generator[str, None, Reply]:
        """Answer one plan in pieces; of several candidates, the first."""
        require(self._unasked, [plan], "stream")
        body = {**request(self._model, plan, plan.sampling.seed), "stream": True}
        return written(self.base, self._client.events(f"{self._url}/chat/completions", body))

    def score(
        self,
        plans: Sequence[Plan],
        targets: Sequence[str],
        on_progress: Progress | None = None,
    ) -> list[Score]:
        """Give the log-probability of each target as the answer to its plan.

        Args:
            plans: What comes before the targets.
            targets: One text a plan; the end of the turn is not part of it.
            on_progress: Told how many plans are done, and of how many.

        Returns:
            One score a plan.
        """
        require(self, plans, "score")
        each = [(p.main.messages, text) for p, text in zip(plans, targets, strict=True)]
        return self._each(self._vllm.score, each, on_progress)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        require(self._unasked, (), "embed")
        if self._given and not self._embedding_model:
            return self._given(texts)
        parts = [
            (list(texts[i : i + _EMBEDDED_AT_ONCE]),)
            for i in range(0, len(texts), _EMBEDDED_AT_ONCE)
        ]
        found = self._each(self._embed, parts)
        return np.concatenate(found) if found else np.zeros((0, 0), np.float32)

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Keep the first `limit` tokens of a text by the server's own tokenizer."""
        require(self, (), "cut")
        return self._vllm.cut(text, limit)

    def hidden(self, ask: Hidden) -> NDArray[np.float32]:
        """Refuse: no server tells its hidden states."""
        require(self, ask.plans, "hidden")
        raise NotCarried("a server does not tell its hidden states")

    def inputs(self, ask: Inputs) -> Mapping[str, NDArray[np.float32]]:
        """Refuse: no server tells what its modules read."""
        require(self, ask.plans, "hidden")
        raise NotCarried("a server does not tell what its modules read")

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        """Refuse: a server does not train."""
        require(self, ask.plans, "fit_steering")
        raise NotCarried("a server does not train")

    def train(
        self,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[Trained]:
        """Refuse: a server does not train."""
        del jobs, on_progress, scratch
        require(self, (), "train")
        raise NotCarried("a server does not train")

    def attach(self, loader: Loader) -> None:
        """Say where methods' arrays are; a server has its own weights, and is sent none."""
        self._loader = loader

    def forget(self) -> None:
        """Take no notice. Nothing is kept here; what a server keeps is out of reach."""

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a name, from the store."""
        return self._loader(name)

    def hold(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Refuse: no server takes arrays."""
        raise NotCarried(f"a server does not take arrays: {', '.join(arrays)}")

    def under_way(self) -> UnderWay | None:
        """Say nothing: what a server is about is told by its own metrics."""
        return None

    def _each(
        self,
        call: Callable[..., _T],
        arguments: Sequence[tuple[Any, ...]],
        on_progress: Progress | None = None,
    ) -> list[_T]:
        """Call with each of the arguments, several at once; the first failure cancels the rest."""
        results: list[_T] = []
        with ThreadPoolExecutor(self._concurrency) as pool:
            # In the context of who asks, which says how long they wait.
            futures = [pool.submit(copy_context().run, call, *one) for one in arguments]
            try:
                for future in futures:
                    results.append(future.result())
                    if on_progress:
                        on_progress(len(results), len(futures))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return results

    def _answer(self, plan: Plan) -> Reply:
        first = plan.sampling.seed
        seeds = range(first, first + plan.candidates)
        url = f"{self._url}/chat/completions"
        bodies = [request(self._model, plan, seed) for seed in seeds]
        return combined([drawn(self.base, self._client.post(url, body)) for body in bodies])

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        body = {"model": self._embedding_model, "input": texts, "encoding_format": "float"}
        data = self._client.post(f"{self._url}/embeddings", body)
        try:
            rows = sorted(data["data"], key=lambda row: row["index"])
            out = np.array([row["embedding"] for row in rows], np.float32)  # (texts, width)
        except (KeyError, TypeError, ValueError) as error:
            raise strange(self.base, "embeddings", data) from error
        if len(out) != len(texts):
            raise strange(self.base, f"{len(texts)} embeddings", data)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)  # (texts, 1)
        return np.asarray(out / np.maximum(lengths, 1e-12), np.float32)
