"""What every request passes on its way in: who asks is found out before anything of it is read.

Pure ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ipse.errors import Forbidden, IpseError, TooSlow, Unauthorized
from ipse.patience import waiting
from ipse.server.context import Served, blocking
from ipse.server.failures import answer, failed
from ipse.server.identity import OPEN, Caller, of_key
from ipse.server.rates import Rates

__all__ = ["KEYED", "Gate", "is_loopback"]

KEYED = ("/v1/", "/v2/", "/v3/", "/mcp", "/metrics")
"""What is refused without a key before it is looked at; the rest asks for one itself."""

_LINES = "/mcp"
"""Where event streams are open lines, on which something may be told some time."""

_EVENTS = "text/event-stream"
_RETRY = "5"  # seconds

_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on can be reached from its own machine alone."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _unheard() -> None:
    """Take no notice."""


class _Sent:
    """What was sent of an answer; called like what sends it.

    Args:
        send: What sends it.

    Attributes:
        started: Whether anything was.
        streams: Whether it is a stream of events.
        whole: Whether all of it was.
        streaming: Told when it turns out to be a stream of events.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = self.streams = self.whole = False
        self.streaming: Callable[[], None] = _unheard

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if kind.startswith(_EVENTS):
                self.streams = True
                self.streaming()
        self.started = True
        if message["type"] == "http.response.body":
            self.whole = not message.get("more_body", False)
        await self._send(message)

    async def finish(self, data: bytes = b"") -> None:
        """Send the last of it, unless that was sent."""
        if not self.whole:
            await self({"type": "http.response.body", "body": data})


class Gate:
    """Finds out who asks, whether they may now, and how long they wait at most.

    Args:
        app: What answers.
        served: Knows the keys.
    """

    def __init__(self, app: ASGIApp, served: Served) -> None:
        self._app, self._served = app, served
        self._rates = Rates(served.settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        sent = _Sent(send)
        headers = Headers(scope=scope)
        try:
            caller = scope["ipse.caller"] = await self._caller(scope["path"], headers)
            if caller is not None and scope["path"].startswith(KEYED):
                self._rates.take(caller.key)
            self._check_size(headers)
        except (IpseError, HTTPException) as error:
            scope["ipse.error"] = error
            await answer(error)(scope, receive, sent)
            return
        limit = self._served.settings.deadline if scope["path"].startswith(KEYED) else None
        is_line = scope["path"].startswith(_LINES)
        with waiting(limit), self._served.waiting.within(limit) as within:
            if is_line:
                sent.streaming = partial(self._served.waiting.keep_open, within)
            await self._app(scope, self._counted(receive), sent)
        if is_line and sent.streams:
            await sent.finish()
        elif within.cancelled_caught and not sent.whole:
            late = scope["ipse.error"] = self._late()
            if not sent.started:
                await answer(late)(scope, receive, sent)
            elif sent.streams:  # the status is sent already
                await sent.finish(b"data: " + json.dumps(failed(late)).encode() + b"\n\n")

    def _late(self) -> Exception:
        """Say why a request was given up."""
        if self._served.waiting.ending:
            headers = {"Retry-After": _RETRY}
            return HTTPException(503, "the server is about to end. Ask again in a moment", headers)
        limit = self._served.settings.deadline
        return TooSlow(f"this took longer than {limit:g} seconds, which is as long as it may")

    def _check_size(self, headers: Mapping[str, str]) -> None:
        """Refuse a body that says to be too long."""
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._served.settings.max_body:
            raise self._too_long()

    def _counted(self, receive: Receive) -> Receive:
        """Cut off a body that is longer than it said while it is read."""
        left = int(self._served.settings.max_body)

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise self._too_long()
            return message

        return counted

    def _too_long(self) -> HTTPException:
        return HTTPException(413, f"a body is at most {self._served.settings.max_body:,d} bytes")

    async def _caller(self, path: str, headers: Mapping[str, str]) -> Caller | None:
        """Give who asks; None where that need not be known yet."""
        scheme, _, text = headers.get("authorization", "").partition(" ")
        # mem0's clients say "Token".
        text = text.strip() if scheme.lower() in ("bearer", "token") else ""
        key = await blocking(self._served.keys.find, text) if text else None
        if key is not None:
            return of_key(key)
        if not await blocking(self._served.keys.any):
            _check_local(headers)
            return OPEN
        if not path.startswith(KEYED):
            return None
        what = "this key is good for nothing" if text else "this needs a key"
        raise Unauthorized(f"{what}. Send one as 'Authorization: Bearer ipse-...'")


def _check_local(headers: Mapping[str, str]) -> None:
    """Refuse what another site's page sends by way of a browser on this machine."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_local(host) or (origin is not None and not _is_local(origin.partition("//")[2])):
        raise Forbidden(
            "a server without keys answers its own machine alone, at localhost or 127.0.0.1. "
            "Make a key: ipse keys create --service"
        )


def _is_local(host: str) -> bool:
    name, _, port = host.rpartition(":")
    return (name if port.isdigit() else host) in _HOSTS
