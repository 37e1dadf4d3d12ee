"""How many threads a step uses: all that torch may use, or one where others keep the cores busy.

Two threads that wait for each other at every product crawl as soon as one of them has to share its
core: on two busy cores a step took up to five times as long with two threads as with one. Whether
that is so changes by the minute, so it is measured: now and then two steps run with the other
number, and the faster one stays. This file knows nothing of models.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["ThreadChoice"]

Result = TypeVar("Result")

_SOONEST, _LATEST = 16, 512
"""Steps between two looks at the other number; more each time that looking did not help."""

_TRIES = 2
"""Steps with the other number at each look."""

_BETTER = 0.9
"""The share of the time that the other number has to take to be chosen."""


class ThreadChoice:
    """The number of threads of one thread's steps; used by that thread alone."""

    def __init__(self) -> None:
        """Begin with as many threads as torch may use."""
        self.most = torch.get_num_threads()
        self.now = self.most
        self._recent: deque[float] = deque(maxlen=4)
        self._tried: list[float] = []
        self._interval = _SOONEST
        self._left = _SOONEST
        self._kind: object = None

    def run(self, step: Callable[[], Result], kind: object) -> Result:
        """Run a step, with the number that seems best or, now and then, with the other.

        Args:
            step: The step.
            kind: Steps of one kind take about the same time; None is like no other.

        Returns:
            What the step gave.
        """
        if self.most == 1:
            return step()
        if kind is None or kind != self._kind:
            self._kind = kind
            self._recent.clear()
            self._tried.clear()
        trying = kind is not None and self._left <= 0 and len(self._recent) == self._recent.maxlen
        torch.set_num_threads(self._other() if trying else self.now)
        start = time.perf_counter()
        result = step()
        self._note(time.perf_counter() - start, trying)
        return result

    def _other(self) -> int:
        return 1 if self.now > 1 else self.most

    def _note(self, seconds: float, trying: bool) -> None:
        if not trying:
            self._recent.append(seconds)
            self._left -= 1
            return
        self._tried.append(seconds)
        if len(self._tried) < _TRIES:
            return
        if min(self._tried) < _BETTER * min(self._recent):
            self.now, self._interval = self._other(), _SOONEST
        else:
            self._interval = min(_LATEST, 2 * self._interval)
        self._left = self._interval
        self._recent.clear()
        self._tried.clear()
