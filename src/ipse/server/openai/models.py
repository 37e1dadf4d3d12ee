"""`GET /v1/models`: what this server goes by, and nothing else; nobody's adapter is listed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ipse.server.context import Asks, Served, Serves
from ipse.server.openai.asking import check_model

__all__ = ["router"]

router = APIRouter()


@router.get("/models")
async def models(served: Serves, caller: Asks) -> dict[str, Any]:
    """List the models there are to name."""
    del caller  # any key
    return {"object": "list", "data": [_model(served)]}


@router.get("/models/{model:path}")
async def model(model: str, served: Serves, caller: Asks) -> dict[str, Any]:
    """Describe a model."""
    del caller
    check_model(served, model)
    return _model(served)


def _model(served: Served) -> dict[str, Any]:
    name = served.settings.serve_as
    return {"id": name, "object": "model", "created": served.since, "owned_by": "ipse"}
