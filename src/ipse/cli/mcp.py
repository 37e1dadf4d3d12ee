"""The command `mcp`: what is known of one person, as tools for any model, over stdin and stdout."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command
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
        server.mcp_server(engine, lambda _: user).run("stdio")


def _server() -> Any:
    """Give the server, which no other command pays for."""
    try:
        return import_module("ipse.server.mcp")
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "mcp", "server") from error
