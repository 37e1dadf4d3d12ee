"""What every request passes on its way in: who asks is found out before anything of it is read.

Pure ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ipse.errors import Forbidden, IpseError, Unauthorized
from ipse.server.context import Served, blocking
from ipse.server.failures import answer
from ipse.server.identity import OPEN, Caller, of_key

__all__ = ["KEYED", "Gate", "is_loopback"]

KEYED = ("/v1/", "/v2/", "/mcp", "/metrics")
"""What is refused without a key before it is looked at; the rest asks for one itself."""

_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on can be reached from its own machine alone."""
    return host in ("localhost", "::1") or host.startswith("127.")


class Gate:
    """Finds out who asks, and gives every answer its request's id.

    Args:
        app: What answers.
        served: Knows the keys.
    """

    def __init__(self, app: ASGIApp, served: Served) -> None:
        self._app, self._served = app, served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        name = uuid4().hex
        scope["ipse.request"] = name

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        try:
            scope["ipse.caller"] = await self._caller(scope["path"], Headers(scope=scope))
        except IpseError as error:
            await answer(error)(scope, receive, send_named)
            return
        await self._app(scope, receive, send_named)

    async def _caller(self, path: str, headers: Mapping[str, str]) -> Caller | None:
        """Give who asks; None where that need not be known yet."""
        scheme, _, text = headers.get("authorization", "").partition(" ")
        text = text.strip() if scheme.lower() == "bearer" else ""
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
