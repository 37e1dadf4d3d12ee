"""Errors as OpenAI's clients know them: a status, and `{"error": {message, type, param, code}}`.

What the caller can mend is said as it is. What went wrong here is told to the log, not to the
caller, for it may name files, servers or texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ipse.errors import Failure, IpseError, TooMany, Unauthorized

__all__ = ["ERRORS", "answer", "envelope", "failed", "handle_failures", "status_of"]

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {"Unauthorized": "invalid_api_key", "TooMany": "rate_limit_exceeded"}
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")

_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error, in OpenAI's envelope.",
        "content": {"application/json": {"schema": _SCHEMA}},
    },
    # Said so that the framework's own form of it is not: this server answers in the envelope.
    422: {
        "description": "The request contradicts itself, or this server's rules.",
        "content": {"application/json": {"schema": _SCHEMA}},
    },
}
"""What every endpoint may answer, for the OpenAPI document."""


def envelope(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """Give an error as JSON-able data.

    Args:
        status: The HTTP status.
        message: What is wrong, and the way out.
        code: What is wrong, for programs.
        param: The field that is wrong.

    Returns:
        The envelope.
    """
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer(error: Exception) -> Response:
    """Give the answer to whatever went wrong."""
    headers = error.headers if isinstance(error, HTTPException) else _headers(error)
    return JSONResponse(_printable(failed(error)), status_of(error), headers)


def status_of(error: Exception) -> int:
    """Give the HTTP status of whatever went wrong."""
    if isinstance(error, RequestValidationError):
        return 422
    if isinstance(error, HTTPException):
        return error.status_code
    return error.status if isinstance(error, IpseError) else 500


def failed(error: Exception) -> dict[str, Any]:
    """Give the envelope of whatever went wrong."""
    status = status_of(error)
    if isinstance(error, IpseError):
        name = type(error).__name__
        code = _CODES.get(name, _WORD.sub("_", name).lower())
        message = _inside(error) if isinstance(error, Failure) else str(error)
        return envelope(status, message, code)
    if isinstance(error, RequestValidationError):
        message, param = _told(error.errors())
        return envelope(status, message, "invalid_request", param)
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(status).phrase
        nothing = "nothing is at this address. What there is: GET /openapi.json"
        detail = nothing if error.detail == HTTPStatus.NOT_FOUND.phrase else str(error.detail)
        return envelope(status, detail, phrase.lower().replace(" ", "_"))
    return envelope(status, "something went wrong here. The server's log says more")


def handle_failures(app: FastAPI) -> None:
    """Let an app answer every error in the envelope."""

    async def handle(request: Request, error: Exception) -> Response:
        request.scope["ipse.error"] = error
        return answer(error)

    for kind in (IpseError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)


def _printable(value: Any) -> Any:
    """Escape half characters, which a client may have sent and which have no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return {k: _printable(v) for k, v in value.items()} if isinstance(value, dict) else value


def _headers(error: Exception) -> dict[str, str] | None:
    if isinstance(error, TooMany):
        return {"Retry-After": str(max(1, round(error.wait)))}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else None


def _inside(error: Failure) -> str:
    said = {502: "the model did not answer", 503: "the store did not answer"}
    return (
        f"{said[error.status]}. The server's log says more" if error.status in said else str(error)
    )


def _told(problems: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """Say the first of what is wrong with a request, and where."""
    problem = problems[0]
    where = [str(part) for part in problem["loc"] if part not in ("body", "query", "path")]
    message = str(problem["msg"]).removeprefix("Value error, ")
    param = ".".join(where) or None
    return (f"{param}: {message}" if param else message), param
