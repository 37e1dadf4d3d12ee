"""Whose a request is, and of what, as its path says.

An id in a path is percent-encoded, and stays so until here: an id with a slash in it is one part of
a path, and no id can reach another's.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Path, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ipse.errors import Forbidden, Unknown
from ipse.server.acting import check_not_paused
from ipse.server.context import Asks, Serves
from ipse.server.identity import HEADER, named, needed

__all__ = ["Each", "Learning", "RawPaths", "Who", "everybodys"]

RAW = ("/v1/users/", "/v1/memories/")
"""The paths that ids stand in."""


class RawPaths:
    """Leaves ids in paths encoded, so that what they hold cannot change where a request goes.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["path"].startswith(RAW) and scope.get("raw_path"):
            scope["path"] = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        await self._app(scope, receive, send)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise Unknown(f"no id is {text!r}: it is not UTF-8") from error


async def _who(
    request: Request,
    caller: Asks,
    user: Annotated[str, Path(description="The person's id, percent-encoded.")],
) -> str:
    return needed(caller, named(_decoded(user), request.headers.get(HEADER)))


async def _each(each: Annotated[str, Path(description="The id, percent-encoded.")]) -> str:
    return _decoded(each)


async def everybodys(caller: Asks) -> None:
    """Refuse who may not act for everybody."""
    if not caller.acting:
        raise Forbidden("this is about everybody. Use a service's key: ipse keys create --service")


Who = Annotated[str, Depends(_who)]
Each = Annotated[str, Depends(_each)]


def _learning(served: Serves, user: Who) -> str:
    check_not_paused(served.engine.store, user)
    return user


Learning = Annotated[str, Depends(_learning)]
