"""Who looks at the page: a browser that signed in with a key is known by a cookie after that.

The cookie says nothing by itself, and is good for as long as the key is: whatever a page asks for,
the key is looked at again.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from threading import Lock

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from ipse.errors import Unauthorized
from ipse.server.context import Served
from ipse.server.identity import OPEN, Caller, of_key

__all__ = ["SESSION", "Sessions", "add_sessions"]

SESSION = "ipse_session"
"""The cookie's name."""

_LASTS = 7 * 24 * 3600.0  # seconds
_MOST = 10_000


class Sessions:
    """The browsers that signed in, in memory alone: a server that starts anew knows none."""

    def __init__(self, served: Served) -> None:
        """Begin with nobody.

        Args:
            served: Knows the keys.
        """
        self._served = served
        self._lock = Lock()
        self._keys: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def begin(self, key: str) -> str | None:
        """Sign in.

        Args:
            key: The key.

        Returns:
            What the cookie is to hold; None where the key is good for nothing.
        """
        if self._served.keys.find(key) is None:
            return None
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._keys[token] = (key, time.monotonic() + _LASTS)
            while len(self._keys) > _MOST:
                self._keys.popitem(last=False)
        return token

    def end(self, token: str) -> None:
        """Sign out."""
        with self._lock:
            self._keys.pop(token, None)

    def caller(self, token: str) -> Caller:
        """Say who looks, and look at the key again.

        Args:
            token: What the cookie holds; "" where there is none.

        Returns:
            The caller; without any key in the store everyone may act.

        Raises:
            Unauthorized: If the browser has to sign in, perhaps again.
        """
        with self._lock:
            text, ends = self._keys.get(token, ("", 0.0))
        key = self._served.keys.find(text) if time.monotonic() < ends else None
        if key is not None:
            return of_key(key)
        if not self._served.keys.any():
            return OPEN
        raise Unauthorized("sign in with a key that is good. Make one: ipse keys create")


def add_sessions(app: FastAPI, sessions: Sessions, home: str) -> None:
    """Add what a browser signs in and out with.

    Args:
        app: The app.
        sessions: Where they are kept.
        home: The page's address.
    """

    @app.post("/page-session", include_in_schema=False)
    async def begin(request: Request) -> RedirectResponse:
        form = await request.form(max_files=0, max_fields=4)
        token = await run_in_threadpool(sessions.begin, str(form.get("key", "")).strip())
        answer = RedirectResponse(home if token else f"{home}?wrong=1", 303)
        if token:
            answer.set_cookie(
                SESSION,
                token,
                max_age=int(_LASTS),
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        return answer

    @app.post("/page-session/end", include_in_schema=False)
    async def end(request: Request) -> RedirectResponse:
        sessions.end(request.cookies.get(SESSION, ""))
        answer = RedirectResponse(home, 303)
        answer.delete_cookie(SESSION)
        return answer
