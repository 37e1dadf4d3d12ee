"""The local backend: a language model and an embedder in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from ipse.backends.carry import CARRIED, require
from ipse.backends.local.decode import answers, decode, reply
from ipse.backends.local.embedder import EMBEDDER, Embedder, embedder_folder, load_embedder
from ipse.backends.local.model import Dtype, LanguageModel, load_model, weight_files
from ipse.backends.local.scoring import score
from ipse.backends.local.sharing import batches
from ipse.backends.local.weights import EMBEDDED, content_hash, embedded_gguf, log, model_folder
from ipse.errors import BackendFailure, unknown
from ipse.lm import Piece, Progress, Reply, Score
from ipse.plan import Need, Plan

__all__ = ["LocalBackend"]


class LocalBackend:
    """A model in this process, loaded when it is first needed; threads may share it.

    Attributes:
        name: The backend's registry name.
        carries: What it can do.
        model: The embedded model's name, a Hugging Face id or a folder.
        dtype: The number format of the weights.
    """

    name: str = "local"
    carries: frozenset[Need] = CARRIED["local"]

    _BATCH: ClassVar[int] = 16384
    """Tokens whose keys and values are held while writing, padding included."""
    _ROWS: ClassVar[int] = 32
    """Answers written at once."""

    def __init__(
        self,
        model: str = EMBEDDED,
        *,
        dtype: Dtype = "float32",
        embedder: str | None = None,
        notify: Callable[[str], None] = log.info,
    ) -> None:
        """Choose a model; nothing is loaded yet.

        Args:
            model: The embedded model's name, a Hugging Face id or a folder.
            dtype: The number format of the weights; `auto` takes the faster one on this machine,
                measured once. `bfloat16` reads about twice as fast, but its rounding makes an
                answer depend on what else is in the batch; `float32` keeps every promise.
            embedder: A folder with another mean-pooled encoder.
            notify: Told what is about to take long.
        """
        if dtype not in get_args(Dtype):
            raise unknown("dtype", dtype, get_args(Dtype))
        self.model = model
        self.dtype = dtype
        self._notify = notify
        self._embedder_folder = Path(embedder) if embedder else None
        self._loading = Lock()
        self._loaded: LanguageModel | None = None
        self._loaded_embedder: Embedder | None = None

    @cached_property
    def base(self) -> str:
        """The model's name and the first digits of its weights' hash."""
        if self.model == EMBEDDED:
            return f"{EMBEDDED}@{content_hash([embedded_gguf()])}"
        folder = model_folder(self.model, self._notify)
        if not (files := weight_files(folder)):
            raise BackendFailure(f"there is no *.safetensors file in {str(folder)!r}")
        return f"{Path(self.model).name}@{content_hash(files)}"

    @cached_property
    def embedder(self) -> str:
        """The embedder's name and the first digits of its weights' hash."""
        folder = self._embedder_folder or embedder_folder()
        name = self._embedder_folder.name if self._embedder_folder else EMBEDDER
        return f"{name}@{content_hash(weight_files(folder))}"

    def generate(self, plans: Sequence[Plan], on_progress: Progress | None = None) -> list[Reply]:
        """Answer every plan, many in one batch.

        Args:
            plans: The plans.
            on_progress: Told how many answers are written, and of how many.

        Returns:
            One reply a plan.
        """
        require(self, plans, "generate")
        model = self._language_model()
        drawn = [answers(model, plan) for plan in plans]
        each = [answer for group in drawn for answer in group]
        rows = max((len(answer.prompts) for answer in each), default=1)  # of one answer
        done = 0
        for batch in batches([answer.size for answer in each], self._BATCH // rows, self._ROWS):
            for _ in decode(model, [each[i] for i in batch]):
                pass
            done += len(batch)
            if on_progress:
                on_progress(done, len(each))
        return [reply(group) for group in drawn]

    def stream(self, plan: Plan) -> Iterator[str]:
        """Answer one plan in pieces; of several candidates, the first."""
        require(self, [plan], "stream")
        model = self._language_model()
        return (piece for _, piece in decode(model, answers(model, plan)[:1]))

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
            on_progress: Told how many rows are read, and of how many: one a stream of a plan.

        Returns:
            One score a plan.
        """
        require(self, plans, "score")
        return score(self._language_model(), plans, targets, on_progress)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        return self._text_embedder().embed(texts)

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Keep the first `limit` tokens of a text by the language model's own tokenizer."""
        return self._language_model().cut(text, limit)

    def _language_model(self) -> LanguageModel:
        with self._loading:
            if self._loaded is None:
                folder = model_folder(self.model, self._notify)
                self._loaded = load_model(folder, self.dtype, self.base)
            return self._loaded

    def _text_embedder(self) -> Embedder:
        with self._loading:
            if self._loaded_embedder is None:
                self._loaded_embedder = load_embedder(self._embedder_folder)
            return self._loaded_embedder
