"""The command `serve`: personal answers for any client, over HTTP."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command
from ipse.cli.output import warn
from ipse.errors import missing_extra

__all__ = ["serve"]


@command
def serve(
    call: Call,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 is any free one.")] = None,
) -> None:
    """Serve OpenAI's interface, and what is known of people, over HTTP."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = call.settings.model_copy(update=given)
    server = _server()
    with call.engine(create=True) as engine:
        is_open = server.check_safe(engine, settings)
        if is_open:
            warn("There are no keys: everybody on this machine may ask as anyone, and read all.")
            warn("To ask for keys from now on: ipse keys create --service")

        def told(address: str) -> None:
            data = {"address": address, "open": is_open}
            call.answer(data, f"Listening at {address}/v1; the page is at {address}{server.HOME}")

        server.run(engine, settings, told)


def _server() -> Any:
    """Give the server, which no other command pays for."""
    try:
        return import_module("ipse.server")
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "fastapi", "server") from error
