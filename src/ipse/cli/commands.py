"""All commands, put together: which there are, in the order that help shows them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from ipse.cli.adapters import adapters
from ipse.cli.asking import ask, explain
from ipse.cli.bench import bench
from ipse.cli.catalogue import methods
from ipse.cli.chat import chat
from ipse.cli.constructing import construct
from ipse.cli.demo import demo
from ipse.cli.doctor import doctor
from ipse.cli.feedback import feedback, replies
from ipse.cli.guard import Guarded
from ipse.cli.importing import import_
from ipse.cli.init import init
from ipse.cli.judge import judge
from ipse.cli.keys import keys
from ipse.cli.learning import enroll, profile
from ipse.cli.mcp import mcp
from ipse.cli.people import export, forget, records, remember, users
from ipse.cli.reporting import compare, report
from ipse.cli.serve import serve

__all__ = ["app", "main"]

app = typer.Typer(
    name="ipse",
    help="One language model, everyone's own.",
    cls=Guarded,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(demo)
app.command()(bench)
app.command()(report)
app.command()(compare)
app.command()(judge)
app.command()(init)
app.command("import")(import_)
app.command()(construct)
app.command()(users)
app.command()(records)
app.command()(remember)
app.command()(ask)
app.command()(chat)
app.command()(explain)
app.command()(replies)
app.command()(feedback)
app.command()(enroll)
app.command()(profile)
app.add_typer(adapters)
app.command()(serve)
app.add_typer(keys)
app.command()(forget)
app.command()(export)
app.command()(mcp)
app.command()(methods)
app.command()(doctor)


@app.callback()
def _global(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda on: _version(on))
    ] = False,
) -> None:
    """One language model, everyone's own."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("ipse"))
        raise typer.Exit


def main() -> None:
    """Run the command that was typed."""
    app()
