"""The app: endpoints, what guards them, and what lives as long as the server does, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from ipse.engine import Ipse
from ipse.server import mem0, openai, people
from ipse.server.context import Served, blocking
from ipse.server.failures import ERRORS, handle_failures
from ipse.server.guards import Gate
from ipse.server.mcp import Mcp
from ipse.server.people.paths import RawPaths
from ipse.settings import Settings

__all__ = ["create_app"]


def create_app(engine: Ipse, settings: Settings) -> FastAPI:
    """Put the server together.

    Args:
        engine: Answers; who opened it closes it.
        settings: How the server is set up.

    Returns:
        The app.
    """
    served = Served(engine, settings)
    mcp = Mcp(engine, settings.max_body)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        served.worker.start()
        async with mcp.running():
            yield
        await blocking(served.worker.stop, settings.grace)

    app = FastAPI(
        title="Ipse",
        lifespan=lifespan,
        # Its pages of documentation are loaded from elsewhere; nothing here is.
        docs_url=None,
        redoc_url=None,
        responses=ERRORS,
        max_body_size=settings.max_body,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.served = served
    handle_failures(app)
    app.include_router(openai.router)
    app.include_router(people.router)
    app.include_router(mem0.router)
    app.router.routes.append(Route("/mcp", mcp))
    app.add_middleware(RawPaths)
    app.add_middleware(Gate, served=served)
    return app
