"""Whether the server lives, whether it is ready, and its numbers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from ipse.errors import Forbidden
from ipse.server.context import Asks, Serves, blocking

__all__ = ["router"]

router = APIRouter(tags=["Health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the server lives."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(served: Serves) -> Response:
    """Say whether the store answers and the model is loaded; 503 while not."""
    await blocking(served.keys.any)  # or fail as any request would
    if not served.ready.is_set():
        return JSONResponse({"status": "loading the model"}, 503)
    return JSONResponse({"status": "ok"})


@router.get("/metrics", response_class=Response)
async def metrics(served: Serves, caller: Asks) -> Response:
    """Give numbers for Prometheus; to services alone, for they are about everyone."""
    if not caller.acting:
        raise Forbidden("this needs the key of a service")
    return Response(await blocking(served.observed.text), media_type="text/plain; version=0.0.4")
