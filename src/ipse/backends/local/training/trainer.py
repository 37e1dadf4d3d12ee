"""The trainer: jobs in, what was learned out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from numpy.typing import NDArray

from ipse.backends.local.requests import Place
from ipse.backends.local.training.checkpoint import Checkpoint
from ipse.backends.local.training.kinds import begin
from ipse.backends.local.training.passes import Asked, Pass, passes
from ipse.backends.local.training.run import Run
from ipse.cache import Cache
from ipse.errors import InvalidJob, Unknown
from ipse.job import Job, Trained
from ipse.lm import Progress

__all__ = ["Trainer"]

_TOKENS = 512
"""Lines of a pass: enough for products to be as fast as they get on a few cores."""

_KEPT = 64 << 20
"""The most bytes of results that are kept: methods often ask for the same shared job."""


class Trainer:
    """Learns jobs, and keeps what it learned last."""

    def __init__(self, tokens: int = _TOKENS) -> None:
        """Begin with nothing learned.

        Args:
            tokens: The most lines of one pass over the model.
        """
        self._tokens = tokens
        self._kept: Cache[str, Trained] = Cache(_weigh, _KEPT)

    def clear(self) -> None:
        """Let go of everything that was learned."""
        self._kept.clear()

    def train(
        self,
        place: Place,
        base: str,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[Trained]:
        """Learn every job, many in one batch; each gets what it would get alone.

        Args:
            place: Where the model is run.
            base: What the model is.
            jobs: The jobs.
            on_progress: Told how many examples were learned from, and of how many at most.
            scratch: A folder to keep what is half done in: the same jobs go on from there.

        Returns:
            What was learned, one a job.
        """
        names = [job.hash for job in jobs]
        found = {name: kept for name in names if (kept := self._kept.get(name)) is not None}
        new = {name: job for name, job in zip(names, jobs, strict=True) if name not in found}
        runs = {name: _begin(place, job) for name, job in new.items()}
        checkpoint = None
        if scratch is not None and runs:
            identity = " ".join((base, str(place.model.core.dtype), *names))
            checkpoint = Checkpoint(scratch, identity, runs)
        self._run(place, list(runs.values()), on_progress, checkpoint)
        for name, run in runs.items():
            found[name] = run.result()
            self._kept.put(name, found[name])
        if checkpoint:
            checkpoint.remove()
        return [found[name] for name in names]

    def _run(
        self,
        place: Place,
        runs: Sequence[Run],
        on_progress: Progress | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        total = sum(run.total for run in runs)
        self._refer(place, runs)
        while live := [run for run in runs if not run.progress.done]:
            self._look(place, [run for run in live if run.progress.looking])
            self._learn(place, [run for run in live if not run.progress.done])
            if checkpoint:
                checkpoint.save()
            if on_progress:
                on_progress(sum(run.count for run in runs), total)

    def _learn(self, place: Place, runs: Sequence[Run]) -> None:
        """Make one update of each run."""
        batches = [run.next_batch() for run in runs]
        losses: dict[int, list[float]] = {id(run.learnable): [] for run in runs}
        timer = _Timer(runs)
        for each in passes(place, [asked for batch in batches for asked in batch], self._tokens):
            for asked, loss in zip(each.asked, each.learn(), strict=True):
                losses[id(asked.learnable)].append(loss)
            timer.share(each)
        for run in runs:
            run.update(losses[id(run.learnable)])

    def _look(self, place: Place, runs: Sequence[Run]) -> None:
        """Look at the held-out examples of each run."""
        found = self._found(place, runs, [asked for run in runs for asked in run.held_out])
        for run in runs:
            run.looked(fmean(asked.cost(nats) for asked, nats in found[id(run.learnable)]))

    def _refer(self, place: Place, runs: Sequence[Run]) -> None:
        """Find how likely texts are before anything is learned, where losses refer to it."""
        found = self._found(place, runs, [asked for run in runs for asked in run.unknown])
        for run in runs:
            if looked := found[id(run.learnable)]:
                run.reference = -torch.tensor(
                    [nats for _, each in looked for nats in each], device=place.model.device
                )

    def _found(
        self, place: Place, runs: Sequence[Run], asked: Sequence[Asked]
    ) -> dict[int, list[tuple[Asked, list[float]]]]:
        """Look at rows; give them with the nats of their tokens, by what is learned."""
        found: dict[int, list[tuple[Asked, list[float]]]] = {id(r.learnable): [] for r in runs}
        timer = _Timer(runs)
        for each in passes(place, asked, self._tokens):
            for one, nats in zip(each.asked, each.look(), strict=True):
                found[id(one.learnable)].append((one, nats))
            timer.share(each)
        return found


class _Timer:
    """Shares out the seconds that passes take, by tokens."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = {id(run.learnable): run for run in runs}
        self._begun = time.perf_counter()

    def share(self, done: Pass) -> None:
        """Share out the time since the last pass."""
        now = time.perf_counter()
        for asked in done.asked:
            share = asked.length / done.tokens
            self._runs[id(asked.learnable)].progress.seconds += share * (now - self._begun)
        self._begun = now


def _begin(place: Place, job: Job) -> Run:
    network = place.model.core
    start = _arrays(place, "start", job.start) if job.start else {}
    table = None
    if job.table:
        table = _arrays(place, "table", job.table).get("table")
        if table is None:
            raise InvalidJob(f"the job's table {job.table!r} has no array 'table'")
    return Run(place, job, begin(job, network, start, table))


def _arrays(place: Place, kind: str, name: str) -> Mapping[str, NDArray[Any]]:
    try:
        found = place.attachments.arrays(kind, name)
    except Unknown as error:
        raise InvalidJob(
            f"the job's {kind} {name!r} is not in the store. Learn it again, or hold its arrays "
            "first"
        ) from error
    if not found:
        raise InvalidJob(f"the job's {kind} {name!r} has no arrays of that part")
    return found


def _weigh(trained: Trained) -> int:
    return sum(array.nbytes for array in trained.arrays.values())
