"""The page, put together and hung into the server's app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from nicegui import ui

from ipse.errors import Unauthorized
from ipse.plan import Sampling
from ipse.server.context import Served
from ipse.server.identity import OPEN, Caller, person
from ipse.server.page.chat import chat
from ipse.server.page.compare import compare
from ipse.server.page.desk import Desk
from ipse.server.page.figures import figures
from ipse.server.page.me import me
from ipse.server.page.operate import operate
from ipse.server.page.sessions import SESSION, Sessions, add_sessions
from ipse.server.page.shell import Shell, remembered, telling
from ipse.server.page.signin import sign_in

__all__ = ["HOME", "mount_page"]

HOME = "/page/"
"""Where the page is. Not at the root, where it would answer for every address there is not."""

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="8" fill="#0f8f86"/>'
    '<circle cx="12" cy="16" r="6" fill="none" stroke="#fff" stroke-width="2.5"/>'
    '<circle cx="20" cy="16" r="6" fill="#fff"/></svg>'
)


def mount_page(
    app: FastAPI,
    served: Served,
    results: Sequence[Path] = (Path("ipse-bench"),),
) -> None:
    """Hang the page into an app; once a process, for NiceGUI has one app in each.

    Args:
        app: The server's app, with all its other routes and middleware.
        served: What answers.
        results: Where results of `ipse bench` are looked for.
    """
    sessions = Sessions(served)
    add_sessions(app, sessions, HOME)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse(HOME)

    ui.run_with(
        app,
        root=partial(_page, served, sessions, results),
        title="Ipse",
        favicon=_ICON,
        dark=None,
        mount_path=HOME.rstrip("/"),
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=10.0,
        show_welcome_message=False,
    )


async def _page(served: Served, sessions: Sessions, results: Sequence[Path]) -> None:
    """Draw the page for one browser."""
    request = ui.context.client.request
    token = request.cookies.get(SESSION, "")
    dark, chosen = remembered(request.cookies)
    try:
        caller = sessions.caller(token)
    except Unauthorized:
        sign_in(dark, wrong="wrong" in request.query_params)
        return
    desk = _desk(served, sessions, token, caller)
    desk.dark = dark
    if caller.acting:
        with telling():
            desk.choose(chosen)
    shell = Shell(desk)
    await ui.context.client.connected()  # a busy server shows the frame at once, and fills it then
    if ui.context.client.is_deleted:
        return
    await shell.fill()

    async def drawn(draw: Callable[[], Awaitable[None]]) -> None:
        with telling():
            await shell.fill()
            await draw()

    counted = partial(figures, served)
    ui.sub_pages(
        {
            "/": partial(drawn, partial(chat, desk)),
            "/me": partial(drawn, partial(me, desk)),
            "/compare": partial(drawn, partial(compare, desk, results)),
            "/operate": partial(drawn, partial(operate, desk, served.settings.store, counted)),
        }
    )


def _desk(served: Served, sessions: Sessions, token: str, caller: Caller) -> Desk:
    """Give one page its engine, and the choke point through which it names people."""

    def may(name: str | None) -> str | None:
        return person(sessions.caller(token), name)

    settings = served.settings
    return Desk(
        engine=served.engine,
        may=may,
        sampling=Sampling(max_tokens=settings.max_tokens, temperature=settings.temperature),
        watch=partial(served.observed.span, "chat", settings.serve_as),
        wake=served.worker.wake,
        said=served.said,
        bound=None if caller.acting else caller.subject,
        guest=caller == OPEN,
        chosen="" if caller.acting else caller.subject or "",
    )
