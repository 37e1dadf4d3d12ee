"""The worker: one thread that does what is to be learned, job by job, while answers go on.

Jobs stand in the store until they are done. While one is done, the worker says so again and again:
of several servers on one store, only one is at it. Who is killed leaves the one under way there;
any worker puts it back soon, and learning goes on from what was kept. One that was under way
whenever a worker died is given up in the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ipse.engine import Ipse
from ipse.errors import IpseError, StoreFailure
from ipse.meter import Told
from ipse.state import SavedState
from ipse.store import Relearn, StoredJob

__all__ = ["Worker", "rule"]

_LOG = logging.getLogger("ipse.jobs")

_WAIT = 2.0
"""Seconds after which it is looked whether another process left something to do."""

_BEATS = 5
"""How often a worker is heard of in the time after which it is held to be gone."""

_TELL = 0.5
"""Seconds between two words of how far a job is: each is a write."""


def rule(engine: Ipse, every: int) -> Relearn | None:
    """Say who is learned of anew without being asked for, as records come.

    Args:
        engine: Knows the methods.
        every: After so many new records; 0 is never.

    Returns:
        The rule; None where there is none, or no method that trains.
    """
    training = [method for method in engine.methods if method.trains]
    if not (every and training):
        return None
    names = tuple(sorted({method.name for method in training}))
    return Relearn(every, engine.written, names, min(method.fewest for method in training))


class _Stopped(BaseException):
    """The worker is to stop, or its job is not wanted any more; nothing that learns catches it."""


class Worker:
    """Does the jobs of a store.

    Args:
        engine: Learns.
        ended: Told how each job ended: `done` or `failed`.
    """

    def __init__(self, engine: Ipse, ended: Callable[[str], None]) -> None:
        self._engine, self._jobs = engine, engine.store.jobs
        self._ended = ended
        self._news, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._work, name="ipse-jobs", daemon=True)
        self._thread.start()

    def stop(self, patience: float) -> None:
        """End; what is under way is begun again by the next worker.

        Args:
            patience: How many seconds it is waited for.
        """
        self._stop.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(patience)

    def wake(self) -> None:
        """Say that there is something to do."""
        self._news.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            try:
                self._put_back()
                job = self._jobs.take()
                if job is not None:
                    self._do(job)
                    continue
            except StoreFailure:
                _LOG.exception("the store did not answer")
            self._news.wait(_WAIT)

    def _put_back(self) -> None:
        _, given_up = self._jobs.put_back()
        for _ in range(given_up):
            self._ended("failed")

    def _do(self, job: StoredJob) -> None:
        try:
            with self._held(job) as lost:
                kept = self._learn(job, self._teller(job, lost))
        except _Stopped:
            self._jobs.put_down(job)
        except IpseError as error:
            self._end(job, error=str(error))
        except Exception as error:  # one job that cannot be done must not end the others
            # Without the error's own words, for these may hold what people wrote.
            _LOG.error("job %s failed: %s", job.id, type(error).__name__)
            self._end(job, error=f"something went wrong: {type(error).__name__}")
        else:
            self._end(job, len(kept))

    def _end(self, job: StoredJob, states: int = 0, error: str = "") -> None:
        if self._jobs.end(job, states, error):
            self._ended("failed" if error else "done")

    def _learn(self, job: StoredJob, told: Told) -> list[SavedState]:
        if job.kind == "fit":
            return self._engine.fit(job.methods, told)
        return self._engine.refresh(job.user, job.methods, told, anew=job.kind == "anew")

    @contextmanager
    def _held(self, job: StoredJob) -> Iterator[threading.Event]:
        """Say that a job is being done, however long nothing else is said; tell when it is lost."""
        lost, done = threading.Event(), threading.Event()

        def beat() -> None:
            while not done.wait(self._jobs.lease / _BEATS):
                try:
                    if not self._jobs.hold(job):
                        lost.set()
                        return
                except StoreFailure:
                    _LOG.exception("the store did not answer")

        thread = threading.Thread(target=beat, name="ipse-jobs-held", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            done.set()
            thread.join()

    def _teller(self, job: StoredJob, lost: threading.Event) -> Told:
        last = 0.0

        def tell(doing: str, share: float) -> None:
            nonlocal last
            if self._stop.is_set() or lost.is_set():
                raise _Stopped
            if (now := time.monotonic()) - last >= _TELL:
                last = now
                if not self._jobs.tell(job, doing, share):
                    raise _Stopped

        return tell
