"""What can be seen of the server from outside: numbers, spans and a line for each request.

None of it holds what anybody said, who they are, or a key.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from time import perf_counter
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ipse.lm import Reply
from ipse.plan import Sampling
from ipse.server.failures import answer

__all__ = ["Observed", "Span", "Watch"]

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FRAMES = 5
_OTHER = "other"


class Observed:
    """The numbers of one server, and where its spans go.

    Attributes:
        registry: The numbers, for whoever adds some.
    """

    def __init__(self) -> None:
        """Begin to count."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        registry = self.registry
        self._requests = Counter(
            "ipse_requests", "Requests.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "ipse_request_seconds", "Of requests.", ["route"], buckets=_SHORT, registry=registry
        )
        self.first = Histogram(
            "ipse_first_token_seconds",
            "Until the first piece of a stream.",
            buckets=_SHORT,
            registry=registry,
        )
        self.each = Histogram(
            "ipse_token_seconds", "Of answers, a token.", buckets=_SHORT, registry=registry
        )
        self.tokens = Counter("ipse_tokens", "Read or written.", ["kind"], registry=registry)
        self.under_way = Gauge(
            "ipse_answers_under_way", "Answers being written, in one batch.", registry=registry
        )
        self._jobs = Counter("ipse_jobs_ended", "Jobs that ended.", ["status"], registry=registry)
        self._tracer = trace.get_tracer("ipse")

    def span(self, operation: str, model: str, sampling: Sampling) -> Span:
        """Begin to watch an answer.

        Args:
            operation: What is done, in the words of OpenTelemetry, such as `chat`.
            model: The model's name, as clients call it.
            sampling: How tokens are drawn.

        Returns:
            The span; use it in a `with`.
        """
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "ipse",
            "gen_ai.request.model": model,
            "gen_ai.request.max_tokens": sampling.max_tokens,
            "gen_ai.request.temperature": sampling.temperature,
            "gen_ai.request.top_p": sampling.top_p,
        }
        span = self._tracer.start_span(f"{operation} {model}", attributes=attributes)
        return Span(self, span)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def job(self, status: str) -> None:
        """Count a job that ended.

        Args:
            status: How: `done` or `failed`.
        """
        self._jobs.labels(status).inc()

    def text(self) -> bytes:
        """Give all numbers as Prometheus reads them."""
        return generate_latest(self.registry)


class Span:
    """One answer, while it is written.

    Args:
        observed: Counts.
        span: Where it is told.
    """

    def __init__(self, observed: Observed, span: trace.Span) -> None:
        self._observed, self._span = observed, span
        self._begun, self._first = perf_counter(), 0.0
        self._left = self._ended = False

    def __enter__(self) -> Self:
        self._observed.under_way.inc()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.failed(error)
        if not self._left or error is not None:
            self._end()

    def leave(self) -> Self:
        """Let it go on beyond its `with`, until it is done or failed."""
        self._left = True
        return self

    def piece(self) -> None:
        """Take notice of a piece of the answer."""
        if not self._first:
            self._first = perf_counter()
            self._observed.first.observe(self._first - self._begun)

    def done(self, replies: Sequence[Reply]) -> None:
        """Take notice that the answers are whole."""
        read, wrote = sum(r.prompt_tokens for r in replies), sum(r.tokens for r in replies)
        self._observed.tokens.labels("prompt").inc(read)
        self._observed.tokens.labels("completion").inc(wrote)
        if wrote:
            self._observed.each.observe((perf_counter() - self._begun) / wrote)
        self._span.set_attribute("gen_ai.usage.input_tokens", read)
        self._span.set_attribute("gen_ai.usage.output_tokens", wrote)
        self._span.set_attribute("gen_ai.response.finish_reasons", [r.finish for r in replies])
        if self._left:
            self._end()

    def failed(self, error: Exception) -> None:
        """Take notice that there will be no answer."""
        self._span.set_attribute("error.type", type(error).__name__)
        self._span.set_status(Status(StatusCode.ERROR))
        if self._left:
            self._end()

    def stopped(self) -> None:
        """Take notice that nobody waits for the answer any more, if it is not done."""
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._observed.under_way.dec()
            self._span.end()


class Watch:
    """Counts, names and logs every request; nothing that goes wrong inside gets past it.

    Args:
        app: What answers.
        observed: Counts.
        clock: Gives seconds.
    """

    def __init__(
        self, app: ASGIApp, observed: Observed, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._app, self._observed, self._clock = app, observed, clock
        self._log = _logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and say what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, name = self._clock(), 0, uuid4().hex
        scope["ipse.request"] = name

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        except Exception as error:
            scope["ipse.error"] = error
            if not status:
                await answer(error)(scope, receive, seen)
        finally:
            self._told(scope, status, self._clock() - begun)

    def _told(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        method = scope["method"] if scope["method"].isalpha() and status != 405 else _OTHER
        self._observed.count(route, method, status, seconds)
        caller, error = scope.get("ipse.caller"), scope.get("ipse.error")
        fields = {
            "request": scope["ipse.request"],
            "key": caller.key if caller else "",
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
        }
        if status >= 500 and error is not None:
            # Where, but not what it says: that may hold texts.
            frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
            fields["where"] = [f"{frame.name}:{frame.lineno}" for frame in frames]
        if error is not None:
            fields["error"] = type(error).__name__
        (self._log.error if status >= 500 else self._log.info)("request", **fields)


def _route(scope: Scope) -> str:
    """Give the pattern that a request's path fits, which holds nobody's id."""
    whole = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(whole or scope.get("route"), "path", None) or _OTHER


def _logger() -> structlog.stdlib.BoundLogger:
    """Write one JSON object a line to the logger `ipse.server`, which says where that goes."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger("ipse.server"),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
    )
    return logger
