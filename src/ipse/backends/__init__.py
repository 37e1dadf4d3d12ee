"""Backends: what runs a plan. Importing this imports none of them."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, cast

from ipse.errors import missing_extra, unknown
from ipse.lm import LM

__all__ = ["BACKENDS", "open_backend"]

BACKENDS: dict[str, str] = {
    "echo": "ipse.backends.echo:EchoBackend",
    "http": "ipse.backends.http:HttpBackend",
    "local": "ipse.backends.local:LocalBackend",
}


def open_backend(name: str, **settings: Any) -> LM:
    """Open a backend; models are loaded when they are first needed.

    Args:
        name: A name in `BACKENDS`.
        **settings: The backend's own settings.

    Returns:
        The backend.

    Raises:
        Unknown: If there is no such backend, or it has no such setting.
        MissingExtra: If a library it needs is not installed.
    """
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    module, _, symbol = BACKENDS[name].partition(":")
    try:
        backend = getattr(import_module(module), symbol)
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or module, name) from error
    known = [key for key in inspect.signature(backend).parameters if key != "self"]
    for key in settings:
        if key not in known:
            raise unknown(f"setting of backend {name!r}", key, known)
    return cast(LM, backend(**settings))
