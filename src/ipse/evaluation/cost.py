"""What an answer costs: time, tokens, memory, and how much of a person it takes along."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ipse.job import Job, Trained
from ipse.lm import LM, FitSteering, Hidden, Inputs, Loader, Piece, Progress, Reply, Score, UnderWay
from ipse.plan import Need, Plan, Stream
from ipse.records import User

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Clock", "Counted", "Exposure", "exposure", "leaves", "timed"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


@dataclass
class Clock:
    """What was measured while a block ran.

    Attributes:
        seconds: How long it took.
        peak: The most memory this process held meanwhile, in bytes; where the system cannot start
            that count anew, since the process began.
    """

    seconds: float = 0.0
    peak: int = 0


@contextmanager
def timed() -> Iterator[Clock]:
    """Measure a block's time and its peak of memory.

    Yields:
        What is filled in when the block ends.
    """
    clock = Clock()
    _forget_peak()
    began = perf_counter()
    yield clock
    clock.seconds = perf_counter() - began
    clock.peak = _peak()


@dataclass(frozen=True)
class Exposure:
    """What a plan tells of a person to whoever runs it.

    Attributes:
        nbytes: How much text it adds to the generic plan, in bytes.
        kinds: The kinds of the records that stand in it word for word, and `derived` where it
            leans on a state.
    """

    nbytes: int
    kinds: tuple[str, ...]


def exposure(plan: Plan, generic: Plan, user: User) -> Exposure:
    """Say what a plan tells of a person.

    Args:
        plan: The plan.
        generic: The same without methods.
        user: Whose records it was made with.

    Returns:
        How much, and of what.
    """
    kinds: set[str] = {user.record(name).kind for name in plan.evidence if user.holds([name])}
    if plan.states:
        kinds.add("derived")
    return Exposure(max(0, _size(plan) - _size(generic)), tuple(sorted(kinds)))


def leaves(lm: LM) -> bool:
    """Say whether what a model reads leaves this process for a server."""
    return lm.name == "http"


@dataclass
class Counted:
    """A model that counts what it is handed, so that learning can be told apart from answering.

    Attributes:
        lm: The model.
        nbytes: The text it was handed so far, in bytes.
    """

    lm: LM
    nbytes: int = 0

    @property
    def name(self) -> str:
        """The model's registry name."""
        return self.lm.name

    @property
    def base(self) -> str:
        """The model's name, with what identifies its weights."""
        return self.lm.base

    @property
    def embedder(self) -> str:
        """The embedder's name, with what identifies its weights."""
        return self.lm.embedder

    @property
    def carries(self) -> frozenset[Need]:
        """What it can do."""
        return self.lm.carries

    def generate(self, plans: Sequence[Plan], on_progress: Progress | None = None) -> list[Reply]:
        """Answer every plan, as the model does."""
        self.nbytes += sum(map(_size, plans))
        return self.lm.generate(plans, on_progress)

    def stream(self, plan: Plan) -> Generator[str, None, Reply]:
        """Answer one plan in pieces, as the model does."""
        self.nbytes += _size(plan)
        return self.lm.stream(plan)

    def score(
        self, plans: Sequence[Plan], targets: Sequence[str], on_progress: Progress | None = None
    ) -> list[Score]:
        """Score every target, as the model does."""
        self.nbytes += sum(map(_size, plans)) + _bytes(targets)
        return self.lm.score(plans, targets, on_progress)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed every text, as the model does."""
        self.nbytes += _bytes(texts)
        return self.lm.embed(texts)

    def hidden(self, ask: Hidden) -> NDArray[np.float32]:
        """Give hidden states, as the model does."""
        self.nbytes += sum(map(_size, ask.plans)) + _bytes(ask.targets)
        return self.lm.hidden(ask)

    def inputs(self, ask: Inputs) -> Mapping[str, NDArray[np.float32]]:
        """Give what modules read, as the model does."""
        self.nbytes += sum(map(_size, ask.plans)) + _bytes(ask.targets)
        return self.lm.inputs(ask)

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        """Train a steering vector, as the model does."""
        self.nbytes += sum(map(_size, ask.plans)) + _bytes(ask.chosen) + _bytes(ask.rejected)
        return self.lm.fit_steering(ask)

    def train(
        self,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[Trained]:
        """Learn every job, as the model does."""
        self.nbytes += sum(
            _read(example.stream) + _bytes([example.target])
            for job in jobs
            for example in (*job.examples, *job.held_out)
        )
        return self.lm.train(jobs, on_progress, scratch)

    def attach(self, loader: Loader) -> None:
        """Say where the arrays that plans name are loaded from."""
        self.lm.attach(loader)

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a name, as the model does."""
        return self.lm.arrays(name)

    def hold(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Hold arrays, as the model does."""
        self.nbytes += sum(array.nbytes for array in arrays.values())
        return self.lm.hold(arrays)

    def forget(self) -> None:
        """Let go of what was read or learned, as the model does."""
        self.lm.forget()

    def under_way(self) -> UnderWay | None:
        """Say what is under way, as the model does."""
        return self.lm.under_way()

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Cut a text, as the model does."""
        self.nbytes += len(text.encode())
        return self.lm.cut(text, limit)


def _size(plan: Plan) -> int:
    return sum(map(_read, plan.streams))


def _read(stream: Stream) -> int:
    return _bytes(message.content for message in stream.messages)


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _forget_peak() -> None:
    try:
        _RESET.write_text("5")
    except OSError:
        return  # not Linux, or not allowed: the count goes on


def _peak() -> int:
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", _STATUS.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    try:
        import resource  # not on Windows
    except ModuleNotFoundError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
