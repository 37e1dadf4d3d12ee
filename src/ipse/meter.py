"""How far long work is: what a model tells of one batch, as a share of everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Meter", "Told"]

Told: TypeAlias = Callable[[str, float], None]
"""Told what is being done, and which share of it is done, in [0, 1]."""

_STEPS = 200
"""How often it is told at most: each time may be a line in a log."""


class Meter:
    """Counts people who are done, batch by batch; takes a model's word for the batch under way."""

    def __init__(self, what: str, people: int, told: Told | None = None) -> None:
        """Begin with nobody done.

        Args:
            what: What is being done.
            people: How many people there are.
            told: Told how far it is.
        """
        self._what, self._people, self._told = what, people, told
        self._done = self._batch = 0
        self._most = 0.0
        self._step = -1

    @classmethod
    def whole(cls, what: str, told: Told | None = None) -> Meter:
        """Measure work that is done in one go, whoever it is for."""
        meter = cls(what, 1, told)
        meter.begin(1)
        return meter

    def begin(self, batch: int) -> None:
        """Say that the batch before is done, and how many people are in the next; 0 is the end."""
        self._done, self._batch = self._done + self._batch, batch
        if not batch:
            self._step = -1  # the end is always told
        self._tell(0.0)

    def __call__(self, done: int, total: int) -> None:
        """Take the model's word for a round of the batch; only long rounds say how far it is."""
        each = total / max(1, self._batch)
        if 2 * each >= self._most:
            self._most = max(each, self._most)
            self._tell(done / max(1, total))

    def _tell(self, part: float) -> None:
        share = (self._done + part * self._batch) / self._people if self._people else 1.0
        if (step := int(_STEPS * share)) == self._step:
            return
        self._step = step
        of = f": {self._done:,} of {self._people:,} people" if self._people > 1 else ""
        if self._told:
            self._told(f"{self._what}{of}", share)
