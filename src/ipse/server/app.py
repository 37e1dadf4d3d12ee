"""The app: endpoints, what guards them, and what lives as long as the server does, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread

import anyio.to_thread
from fastapi import FastAPI
from starlette.routing import Route

from ipse.engine import Ipse
from ipse.errors import IpseError
from ipse.plan import Plan, Sampling
from ipse.server import health, mem0, openai, people
from ipse.server.context import Served, blocking
from ipse.server.failures import ERRORS, handle_failures
from ipse.server.guards import Gate
from ipse.server.mcp import Mcp
from ipse.server.observe import Watch
from ipse.server.people.paths import RawPaths
from ipse.settings import Settings

__all__ = ["create_app"]

_THREADS = 256
"""The most requests that wait for a disk or a model at once; others wait for a thread."""


def create_app(engine: Ipse, settings: Settings) -> FastAPI:
    """Put the server together.

    Args:
        engine: Answers; who opened it closes it.
        settings: How the server is set up.

    Returns:
        The app.
    """
    served = Served(engine, settings)
    app = FastAPI(
        title="Ipse",
        # Its pages of documentation are loaded from elsewhere; nothing here is.
        docs_url=None,
        redoc_url=None,
        responses=ERRORS,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        lifespan=_lifespan,
    )
    app.state.served = served
    handle_failures(app)
    for part in (health, openai, people, mem0):
        app.include_router(part.router)
    app.state.mcp = Mcp(engine, settings.max_body)
    app.router.routes.append(Route("/mcp", app.state.mcp))
    app.add_middleware(RawPaths)
    app.add_middleware(Gate, served=served)
    app.add_middleware(Watch, observed=served.observed)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run what lives as long as the server does."""
    served: Served = app.state.served
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    Thread(target=_load, args=(served,), name="ipse-load", daemon=True).start()
    served.worker.start()
    mcp: Mcp = app.state.mcp
    async with mcp.running():
        yield
    await blocking(served.worker.stop, served.settings.grace)


def _load(served: Served) -> None:
    """Load the model before anybody asks; one that cannot be loaded is every request's error."""
    if served.settings.backend == "local":
        with suppress(IpseError):
            served.engine.lm.generate([Plan.ask("Hi", sampling=Sampling(max_tokens=1))])
    served.ready.set()
