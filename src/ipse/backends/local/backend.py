"""The local backend: a language model and an embedder in this process."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from threading import RLock
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ipse import tensors
from ipse.backends.cache import note
from ipse.backends.carry import CARRIED, require
from ipse.backends.limits import Limits
from ipse.backends.local.answers import Answer, answers, reply, written
from ipse.backends.local.attached import Attachments
from ipse.backends.local.embedder import EMBEDDER, Embedder, embedder_folder, load_embedder
from ipse.backends.local.hidden import hidden
from ipse.backends.local.loop import Loop
from ipse.backends.local.memory import keep_freed_memory
from ipse.backends.local.model import Dtype, LanguageModel, load_model, weight_files
from ipse.backends.local.module_inputs import module_inputs
from ipse.backends.local.requests import Mailbox, Place, Request
from ipse.backends.local.scoring import score
from ipse.backends.local.steering import fit_steering
from ipse.backends.local.training.trainer import Trainer
from ipse.backends.local.weights import EMBEDDED, content_hash, embedded_gguf, log, model_folder
from ipse.cache import Cache
from ipse.errors import BackendFailure, InvalidPlan, UsageError, unknown
from ipse.job import Job, Trained
from ipse.lm import FitSteering, Hidden, Inputs, Loader, Piece, Progress, Reply, Score, UnderWay
from ipse.plan import Need, Plan

__all__ = ["LocalBackend"]

_HELD = 64 << 20
"""The most bytes of arrays that are held for methods while they learn."""


class LocalBackend:
    """A model in this process, loaded when it is first needed; threads may share it.

    Attributes:
        name: The backend's registry name.
        carries: What it can do.
        model: The embedded model's name, a Hugging Face id or a folder.
        dtype: The number format of the weights.
        limits: How much may be under way at once.
    """

    name: str = "local"
    carries: frozenset[Need] = CARRIED["local"]

    def __init__(
        self,
        model: str = EMBEDDED,
        *,
        dtype: Dtype = "float32",
        embedder: str | None = None,
        loader: Loader | None = None,
        limits: Limits | None = None,
        notify: Callable[[str], None] = log.info,
    ) -> None:
        """Choose a model; nothing is loaded yet.

        Args:
            model: The embedded model's name, a Hugging Face id or a folder.
            dtype: The number format of the weights; `auto` takes the faster one on this machine,
                measured once. `bfloat16` reads about twice as fast, but its rounding makes an
                answer depend on what else is in the batch; `float32` keeps every promise.
            embedder: A folder with another mean-pooled encoder.
            loader: Gives what plans attach by name; an engine attaches its store's.
            limits: How much may be under way at once.
            notify: Told what is about to take long.
        """
        if dtype not in get_args(Dtype):
            raise unknown("dtype", dtype, get_args(Dtype))
        self.model = model
        self.dtype = dtype
        self.limits = limits or Limits()
        self._notify = notify
        self._loader = loader
        self._held: Cache[str, Mapping[str, NDArray[Any]]] = Cache(
            lambda arrays: sum(array.nbytes for array in arrays.values()), _HELD
        )
        self._embedder_folder = Path(embedder) if embedder else None
        self._loading = RLock()
        self._places: dict[str, Place] = {}
        self._loaded_embedder: Embedder | None = None
        self._trainer = Trainer()
        self._loop = Loop(self.limits)
        # A thread that runs a model while the interpreter ends would take the process down.
        self._end = weakref.finalize(self, self._loop.close)

    def attach(self, loader: Loader) -> None:
        """Say where what plans name is loaded from."""
        self._loader = loader

    def hold(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Hold arrays as a store would keep them, in memory, and give their name for plans."""
        name = tensors.content_hash(arrays)
        self._held.put(name, arrays)
        return name

    def forget(self) -> None:
        """Let go of what was read, attached, held or learned, and is in memory."""
        self._held.clear()
        self._trainer.clear()
        with self._loading:
            places = list(self._places.values())
        for place in places:
            place.forget()

    def close(self) -> None:
        """End what is under way, and take nothing in any more."""
        self._end()

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
        """Answer every plan, in one batch with whatever else is under way.

        Args:
            plans: The plans.
            on_progress: Told how many answers are written, and of how many.

        Returns:
            One reply a plan.
        """
        require(self, plans, "generate")
        model = self._language_model()
        mailbox: Mailbox = SimpleQueue()
        drawn = [answers(model, plan) for plan in plans]
        requests = [self._request(answer, mailbox) for group in drawn for answer in group]
        ended = (one for one, piece in self._letters(requests, mailbox) if piece is None)
        for done, _ in enumerate(ended, 1):
            if on_progress:
                on_progress(done, len(requests))
        return [reply(group) for group in drawn]

    def stream(self, plan: Plan) -> Generator[str, None, Reply]:
        """Answer one plan in pieces; of several candidates, the first."""
        require(self, [plan], "stream")
        mailbox: Mailbox = SimpleQueue()
        answer = answers(self._language_model(), plan)[0]
        return written(answer, self._letters([self._request(answer, mailbox)], mailbox))

    def score(
        self, plans: Sequence[Plan], targets: Sequence[str], on_progress: Progress | None = None
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
        self._language_model()
        return score(self._place, plans, targets, on_progress)

    def hidden(self, ask: Hidden) -> NDArray[np.float32]:
        """Give hidden states, (plans, layers, hidden)."""
        require(self, ask.plans, "hidden")
        return hidden(self._place, ask)

    def inputs(self, ask: Inputs) -> Mapping[str, NDArray[np.float32]]:
        """Give what modules read on average: by path, (inputs,)."""
        require(self, ask.plans, "hidden")
        return module_inputs(self._place, ask)

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        """Train a steering vector from preference pairs, (hidden,)."""
        require(self, ask.plans, "fit_steering")
        return fit_steering(self._place, ask)

    def train(
        self,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[Trained]:
        """Learn every job, many in one batch; each gets what it would get alone.

        What is learned stays in memory up to a bound: the same job is learned once.

        Args:
            jobs: The jobs.
            on_progress: Told how many examples were learned from, and of how many at most.
            scratch: A folder for what is half done: the same jobs go on from there.

        Returns:
            What was learned, one a job.
        """
        require(self, (), "train")
        return self._trainer.train(self._place(), self.base, jobs, on_progress, scratch)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        return self._text_embedder().embed(texts)

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Keep the first `limit` tokens of a text by the language model's own tokenizer."""
        return self._language_model().cut(text, limit)

    def under_way(self) -> UnderWay:
        """Say what is under way in the step loop, and how much was read before."""
        return self._loop.under_way([place.runner for place in list(self._places.values())])

    def _letters(
        self, requests: Sequence[Request], mailbox: Mailbox
    ) -> Iterator[tuple[Request, str | None]]:
        """Run requests, and give what comes of each; the first error ends them all."""
        left = len(requests)
        self._loop.submit(requests)
        try:
            while left:
                request, piece = mailbox.get()
                if request.error:
                    raise request.error
                left -= piece is None
                yield request, piece
        finally:
            if left:
                self._loop.cancel(requests)

    def _request(self, answer: Answer, mailbox: Mailbox) -> Request:
        return Request(answer, [self._place(s.model) for s in answer.streams], mailbox)

    def _language_model(self) -> LanguageModel:
        return self._place().model

    def _place(self, name: str | None = None) -> Place:
        """Give where a model is run, loading it if need be; None is the backend's own."""
        with self._loading:
            name = name or self.model
            if name not in self._places:
                keep_freed_memory()
                model = self._load(name)
                attachments = Attachments(model.core, self.arrays, self.limits.attached)
                self._places[name] = Place(model, attachments, self.limits.kept)
            return self._places[name]

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a name: those held here, or those of a store."""
        held = self._held.get(name)
        if held is not None:
            return held
        if self._loader is None:
            raise UsageError(
                f"the plan names {name!r}, and this backend has no store to load it from. "
                "Open it with Ipse(store, backend), or call attach(loader)"
            )
        return self._loader(name)

    def _load(self, name: str) -> LanguageModel:
        folder = model_folder(name, self._notify)
        if name == self.model:
            model = load_model(folder, self.dtype, self.base)
            if self.dtype == "auto":  # the doctor tells which it was
                note(f"dtype {name}", str(model.core.dtype).removeprefix("torch."))
            return model
        own, other = self._language_model(), load_model(folder, self.dtype)
        if own.tokenizer.get_vocab() != other.tokenizer.get_vocab():
            raise InvalidPlan(
                f"a stream's model {name!r} has another tokenizer than {self.model!r}; streams are "
                "fused token by token, so they need the same"
            )
        return other

    def _text_embedder(self) -> Embedder:
        with self._loading:
            if self._loaded_embedder is None:
                self._loaded_embedder = load_embedder(self._embedder_folder)
            return self._loaded_embedder
