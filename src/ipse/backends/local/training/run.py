"""One job on its way: its order, its optimizer, what it has found so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import fmean
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.requests import Place
from ipse.backends.local.training.chance import generator
from ipse.backends.local.training.learnable import Learnable
from ipse.backends.local.training.passes import Asked
from ipse.backends.local.training.rate import rate, updates
from ipse.backends.local.training.rows import Row, rows_of
from ipse.job import Job, Trained

__all__ = ["Progress", "Run"]

_REFERENCE = "reference"
"""The array of a checkpoint that holds how likely texts were as the job began."""


@dataclass
class Progress:
    """How far a job is; JSON-able.

    Attributes:
        updates: Updates made.
        position: Examples learned from in this epoch.
        losses: Their losses.
        nats: The mean loss of each epoch that is over.
        held_out: The mean loss of the held-out examples, before the first epoch and after each.
        best: The epoch whose parameters are kept; 0 is the start.
        seconds: The job's share of the work, by tokens.
        looking: The held-out examples have to be looked at next.
        done: It is over.
    """

    updates: int = 0
    position: int = 0
    losses: list[float] = field(default_factory=list)
    nats: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best: int = 0
    seconds: float = 0.0
    looking: bool = True
    done: bool = False


class Run:
    """A job.

    Attributes:
        job: The job.
        learnable: What it learns.
        progress: How far it is.
        best: The parameters of the best epoch; empty where those of now are.
        reference: Log-probabilities of all tokens of the examples, then of the held-out ones, as
            the job began, (tokens,); None where they are not known yet, or not needed.
    """

    def __init__(self, place: Place, job: Job, learnable: Learnable) -> None:
        """Begin a job.

        Args:
            place: Where the model is run.
            job: The job.
            learnable: What it learns, as it is before.
        """
        self.job = job
        self._device = place.model.device
        self.learnable = learnable
        self.progress = Progress(looking=bool(job.held_out))
        self.best: dict[str, Tensor] = {}
        self.reference: Tensor | None = None
        self._held_out = rows_of(place, job, job.held_out, learnable.places)
        self._rows = rows_of(place, job, job.examples, learnable.places)
        every = [sum(len(r.targets) for r in row.both) for row in (*self._rows, *self._held_out)]
        self._starts = [0, *accumulate(every)]
        self._order: tuple[int, list[int]] = (-1, [])
        schedule = job.schedule
        self._updates = updates(schedule, len(self._rows))
        self._optimizer = torch.optim.AdamW(
            list(learnable.parameters.values()),
            schedule.rate,
            weight_decay=schedule.weight_decay,
            fused=True,
        )

    @property
    def total(self) -> int:
        """How many examples are learned from at most."""
        return self.job.schedule.epochs * len(self._rows)

    @property
    def count(self) -> int:
        """How many examples were learned from."""
        return len(self.progress.nats) * len(self._rows) + self.progress.position

    @property
    def held_out(self) -> list[Asked]:
        """The examples it is stopped by, to be looked at."""
        begin = len(self._rows)
        return [self._asked(begin + i, row) for i, row in enumerate(self._held_out)]

    @property
    def unknown(self) -> list[Asked]:
        """What has to be looked at before anything is learned: `reference` is of it."""
        if not self.job.loss.refers or self.reference is not None:
            return []
        return [Asked(self.learnable, row) for row in (*self._rows, *self._held_out)]

    def next_batch(self) -> list[Asked]:
        """Give the rows of the next update."""
        epoch, seed = len(self.progress.nats), self.job.seed
        if self._order[0] != epoch:
            drawn = torch.randperm(len(self._rows), generator=generator("order", seed, epoch))
            self._order = (epoch, drawn.tolist())
        begin = self.progress.position
        chosen = self._order[1][begin : begin + self.job.schedule.batch]
        weight = 1 / len(chosen)
        batch = [
            self._asked(i, self._rows[i], weight, generator("learn", seed, epoch, i))
            for i in chosen
        ]
        return sorted(batch, key=lambda asked: -asked.length)

    def _asked(
        self, at: int, row: Row, weight: float = 1.0, chance: torch.Generator | None = None
    ) -> Asked:
        before = None
        if self.reference is not None:
            before = self.reference[self._starts[at] : self._starts[at + 1]]
        return Asked(self.learnable, row, weight, chance, self.job.loss, before)

    def update(self, losses: Sequence[float]) -> None:
        """Change the parameters by the gradients there are, after a batch with such losses."""
        progress, schedule = self.progress, self.job.schedule
        parameters = list(self.learnable.parameters.values())
        if schedule.clip:
            torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = rate(schedule, progress.updates, self._updates)
        self._optimizer.step()
        self._optimizer.zero_grad()
        progress.updates += 1
        progress.position += len(losses)
        progress.losses += losses
        if progress.position == len(self._rows):
            progress.nats.append(fmean(progress.losses))
            progress.position, progress.losses = 0, []
            progress.looking = bool(self._held_out)
            progress.done = not self._held_out and len(progress.nats) == schedule.epochs
            progress.best = len(progress.nats)

    def looked(self, found: float) -> None:
        """Take in the held-out examples' mean loss, and decide whether to go on."""
        progress, schedule = self.progress, self.job.schedule
        before = min(progress.held_out, default=math.inf)
        progress.held_out.append(found)
        progress.looking = False
        epoch = len(progress.nats)
        if found < before:
            self.best = {name: p.detach().clone() for name, p in self.learnable.parameters.items()}
        progress.best = progress.held_out.index(min(progress.held_out))
        waited = epoch - progress.best
        gave_up = 0 < schedule.patience <= waited
        progress.done = epoch == schedule.epochs or gave_up

    def result(self) -> Trained:
        """Give what was learned, of the best epoch."""
        _put(self.best, self.learnable.parameters)
        progress = self.progress
        facts = {
            "updates": progress.updates,
            "seconds": round(progress.seconds, 3),
            "nats": progress.nats,
            "held_out": progress.held_out,
            "best": progress.best,
        }
        return Trained(self.learnable.arrays(), facts)

    def state(self) -> dict[str, NDArray[Any]]:
        """Give what changes while the job is learned, beside its progress."""
        found = {f"best/{name}": value for name, value in self.best.items()}
        for name, parameter in self.learnable.parameters.items():
            found[f"now/{name}"] = parameter.detach()
            for key, value in self._optimizer.state.get(parameter, {}).items():
                found[f"{key}/{name}"] = value
        if self.reference is not None:
            found[_REFERENCE] = self.reference
        return {name: value.cpu().numpy() for name, value in found.items()}

    def restore(self, state: Mapping[str, NDArray[Any]], progress: Progress) -> None:
        """Go on from a state.

        Args:
            state: What `state` gave.
            progress: The progress it belongs to.

        Raises:
            ValueError: If it is not of this job; then nothing was changed.
        """
        parameters = self.learnable.parameters
        parts: dict[str, dict[str, Tensor]] = {}
        reference = state.get(_REFERENCE)
        if (reference is not None) != self.job.loss.refers:
            raise ValueError("how likely texts were as it began is not there, or not needed")
        if reference is not None and len(reference) != self._starts[-1]:
            raise ValueError("it is of other texts")
        for key, array in state.items():
            if key == _REFERENCE:
                continue
            part, _, name = key.partition("/")
            if name not in parameters or (part != "step" and array.shape != parameters[name].shape):
                raise ValueError(f"{key!r} is no state of this job")
            place = "cpu" if part == "step" else parameters[name].device
            parts.setdefault(part, {})[name] = torch.from_numpy(array.copy()).to(place)
        now = parts.pop("now", {})
        if now.keys() != parameters.keys():
            raise ValueError("not all parameters are there")
        _put(now, parameters)
        self.best = parts.pop("best", {})
        for key, values in parts.items():
            for name, value in values.items():
                self._optimizer.state[parameters[name]][key] = value
        if reference is not None:
            self.reference = torch.from_numpy(reference.copy()).to(self._device)
        self.progress = progress


def _put(values: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)
