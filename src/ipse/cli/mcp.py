"""The command `mcp`: what is known of one person, as tools for any model, over stdin and stdout."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command
from ipse.cli.output import warn
from ipse.errors import missing_extra
from ipse.records import check_user

__all__ = ["mcp"]


@command
def mcp(
    call: Call,
    user: Annotated[str, typer.Option("--user", "-u", help="The person it is all about.")],
) -> None:
    """Serve what is known of one person as tools (MCP), over stdin and stdout."""
    check_user(user)
    server = _server()
    with call.engine(create=True) as engine:
        if sys.stdin.isatty():
            warn("A client of MCP starts this, and talks over stdin and stdout. Ctrl-D ends it.")
        server.run_stdio(engine, user, call.settings.relearn)


def _server() -> Any:
    """Give the server, which no other command pays for."""
    try:
        return import_module("ipse.server.mcp")
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "mcp", "server") from error
