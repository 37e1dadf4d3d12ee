"""The app: endpoints, what guards them, and what lives as long as the server does, put together."""

from __future__ import annotations

from fastapi import FastAPI

from ipse.engine import Ipse
from ipse.server import openai
from ipse.server.context import Served
from ipse.server.failures import ERRORS, handle_failures
from ipse.server.guards import Gate
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
    app = FastAPI(
        title="Ipse",
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
    app.add_middleware(Gate, served=served)
    return app
