"""The step loop: one thread, every request in one batch, joining and leaving between tokens.

Each step lets in who fits, reads some tokens of prompts and one token of every answer, and draws
the next. Requests come from any thread, and wait while there is no room; none is lost. What goes
wrong in one request ends that request alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Condition, Thread, current_thread

import torch

from ipse.backends.limits import Limits
from ipse.backends.local.attached import shape_key
from ipse.backends.local.requests import Place, Request, cost, release
from ipse.backends.local.rows import Row
from ipse.backends.local.runner import Runner
from ipse.backends.local.threads import ThreadChoice
from ipse.errors import BackendFailure, InvalidPlan, IpseError, UsageError
from ipse.lm import UnderWay

__all__ = ["Loop"]

_LINGER = 5.0
"""Seconds that the thread waits for more before it ends; the next request starts another."""

_LOADER = "ipse-loader"

_AHEAD = 16
"""Requests whose adapters are made ready while they wait for their turn."""


class Loop:
    """The one thread that runs models for everybody."""

    def __init__(self, limits: Limits) -> None:
        """Begin without requests, and without a thread.

        Args:
            limits: How much may be under way at once.
        """
        self.limits = limits
        self._changed = Condition()
        self._arrived: list[Request] = []
        self._waiting: list[Request] = []
        self._running: list[Request] = []
        self._thread: Thread | None = None
        self._loader = ThreadPoolExecutor(1, _LOADER)
        self._closed = False

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests in; what becomes of them goes to their mailboxes.

        Args:
            requests: The requests.

        Raises:
            InvalidPlan: If one of them can never fit; then none is taken in.
            UsageError: If the loop is closed.
        """
        for request in requests:
            self._refuse_what_never_fits(request)
            if not request.needs_loading:
                self._load(request)
        with self._changed:
            if self._closed:
                raise UsageError("this backend is closed. Open another")
            self._arrived.extend(requests)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="ipse-step-loop", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def cancel(self, requests: Sequence[Request]) -> None:
        """Give requests up; they leave before the next step."""
        with self._changed:
            for request in requests:
                request.cancelled = True
            self._changed.notify_all()

    def under_way(self, runners: Sequence[Runner]) -> UnderWay:
        """Say how much waits and runs.

        Args:
            runners: Those of every model, for what they found read before.

        Returns:
            The numbers.
        """
        with self._changed:
            waiting = [each for each in self._waiting if each.state == "waiting"]
            count = len(self._arrived) + len(waiting)
        return UnderWay(
            waiting=count,
            rows=sum(len(request.rows) for request in self._running),
            looked_up=sum(runner.looked_up for runner in runners),
            found=sum(runner.found for runner in runners),
            kept=sum(runner.beginnings.nbytes for runner in runners),
        )

    def close(self) -> None:
        """End what is under way, and take nothing in any more."""
        with self._changed:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        # Whoever lets go of a backend last closes it, and that may be a thread of its own.
        foreign = current_thread() is not thread and not current_thread().name.startswith(_LOADER)
        if thread is not None and foreign:
            thread.join()
        self._loader.shutdown(wait=foreign, cancel_futures=True)

    def _refuse_what_never_fits(self, request: Request) -> None:
        answer = request.answer
        if (count := len(answer.streams)) > self.limits.rows:
            raise InvalidPlan(f"{count} streams, but only {self.limits.rows} rows run at once")
        need = sum(
            place.runner.bytes_for(len(prompt), len(prompt) + answer.most)
            for prompt, place in zip(answer.prompts, request.places, strict=True)
        )
        self._check_memory(need)

    def _check_memory(self, need: int) -> None:
        if need > self.limits.memory:
            raise InvalidPlan(
                f"the request can take {need:,} bytes of keys and values, but "
                f"{self.limits.memory:,} are all there is. Ask for fewer tokens, shorten the "
                "prompt or raise `memory`"
            )

    def _load(self, request: Request, at_once: bool = False) -> None:
        """Make a request's rows, or none if that cannot be at once; what goes wrong is its own."""
        answer, rows = request.answer, list[Row]()
        try:
            for stream, prompt, place, asked in zip(
                answer.streams, answer.prompts, request.places, request.asked, strict=True
            ):
                attached = (
                    place.attachments.acquire_at_once(stream)
                    if at_once
                    else place.attachments.acquire(stream, lambda: not request.cancelled)
                )
                if attached is None:
                    release(request.places, rows)
                    return
                size = len(prompt) + answer.most
                rows.append(Row(prompt, attached, shape_key(stream), size, asked))
            self._check_memory(cost(request.places, rows))
            request.rows = tuple(rows)
        except Exception as error:
            release(request.places, rows)
            request.error = error
        request.loaded = True

    def _load_and_wake(self, request: Request) -> None:
        self._load(request)
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        threads = ThreadChoice()
        while self._take_in():
            try:
                self._step(threads)
            # Whatever it is, it must not take with it those who come later.
            except Exception as error:
                self._fail(self._running, error)
        for request in [*self._running, *self._waiting]:
            request.cancelled = True
            self._settle(request)

    def _take_in(self) -> bool:
        """Wait for something to do; say whether the loop goes on."""
        with self._changed:
            while True:
                self._waiting.extend(self._arrived)
                self._arrived.clear()
                if self._closed:
                    return False
                self._prepare()
                if self._running or any(map(_actionable, self._waiting)):
                    return True
                if not self._changed.wait(_LINGER) and not self._waiting and not self._arrived:
                    self._thread = None
                    return False

    def _prepare(self) -> None:
        """Make those near the front ready; what is not in memory is loaded by another thread."""
        for request in self._waiting[:_AHEAD]:
            if request.needs_loading and request.loading is None and not request.loaded:
                self._load(request, at_once=True)
                if not request.loaded:
                    request.loading = self._loader.submit(self._load_and_wake, request)

    def _step(self, threads: ThreadChoice) -> None:
        self._let_go()
        while self._let_in():
            self._prepare()
        writing = any(runner.writing for runner in self._runners())
        budget = self.limits.reading if writing else self.limits.alone
        for place in {id(p): p for r in self._running for p in r.places}.values():
            self._step_at(place, budget, threads)

    def _runners(self) -> list[Runner]:
        return list({id(p): p.runner for r in self._running for p in r.places}.values())

    def _let_go(self) -> None:
        """End what is cancelled, or failed to load."""
        for request in [*self._running, *self._waiting]:
            if request.cancelled or request.error:
                self._settle(request)
        self._running = [r for r in self._running if r.state == "running"]
        self._waiting = [r for r in self._waiting if r.state == "waiting"]

    def _settle(self, request: Request) -> None:
        """End a request that gives no answer, unless its load is still under way."""
        if not request.at_rest:
            if not self._closed:
                return
            wait([request.loading] if request.loading else [])
        request.end(request.error or UsageError("the request was given up"))

    def _let_in(self) -> bool:
        """Let those in who are ready and fit, in the order they came; say whether any was."""
        before = len(self._running)
        for request in self._waiting:
            if not request.rows:
                continue  # what it attaches is still being loaded: others need not wait for it
            if not self._fits(request):
                break  # or small ones would pass a large one for ever
            request.state = "running"
            self._running.append(request)
            for row, place in request.pairs():
                place.runner.admit(row)
        self._waiting = [r for r in self._waiting if r.state == "waiting"]
        return len(self._running) > before

    def _fits(self, request: Request) -> bool:
        rows = sum(len(each.rows) for each in self._running) + len(request.rows)
        held = sum(runner.nbytes for runner in self._runners())
        need = cost(request.places, request.rows)
        return rows <= self.limits.rows and held + need <= self.limits.memory

    def _step_at(self, place: Place, budget: int, threads: ThreadChoice) -> None:
        """Run one model once, and draw the next tokens of the requests that have all they need."""
        concerned = [r for r in self._running if place in r.places and r.state == "running"]
        try:
            kind = (place.runner.writing, id(place)) if place.runner.only_writes else None
            with place.model.turn:
                step = threads.run(lambda: place.runner.step(budget), kind)
            if step is None:
                return
            best = dict(zip(map(id, step.rows), step.logits.argmax(-1).tolist(), strict=True))
        # The model's failure is that of everyone in the batch, and of nobody who comes later.
        except Exception as error:
            place.runner.clear()
            self._fail(concerned, error)
            return
        for request in concerned:
            if request.read:
                self._advance(request, best)

    def _advance(self, request: Request, best: dict[int, int]) -> None:
        answer = request.answer
        try:
            if answer.greedy:
                token = best[id(request.rows[0])]
                piece = answer.take(token)
            else:
                logits = torch.stack([r.logits for r in request.rows if r.logits is not None])
                token, piece = answer.step(torch.log_softmax(logits, dim=-1))
            request.tell(piece)
            if answer.finish:
                request.end()
            else:
                for row, place in request.pairs():
                    place.runner.write(row, token)
        except Exception as error:
            self._fail([request], error)
        if request.state == "done":
            self._running = [r for r in self._running if r is not request]

    def _fail(self, requests: Sequence[Request], error: Exception) -> None:
        for request in list(requests):
            known = isinstance(error, IpseError)
            request.end(error if known else BackendFailure(f"the model failed: {error!r}"))
        self._running = [r for r in self._running if r.state == "running"]


def _actionable(request: Request) -> bool:
    """Say whether a waiting request can be let in or ended now."""
    return bool(request.rows or request.error or (request.cancelled and request.at_rest))
