"""The command `import`: a file's records into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command
from ipse.cli.output import ERR, warn
from ipse.errors import UsageError
from ipse.importers import Problem
from ipse.ingest import FORMATS, Ingested, check, ingest
from ipse.records import Kind

__all__ = ["import_"]


@command
def import_(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")],
    path: Annotated[Path, typer.Argument(help="The file or, for some, the folder.")],
    user: Annotated[str | None, typer.Option(help="Whose records they are.")] = None,
    task: Annotated[str | None, typer.Option(help="lamp: which task, such as LaMP-3.")] = None,
    me: Annotated[
        list[str] | None, typer.Option(help="mbox: an address of the person's; repeatable.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=FIELD", help="csv: which column is which field; repeatable."),
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="csv: what the rows are.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="csv: what stands between cells.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if anything is malformed.")
    ] = False,
) -> None:
    """Read a file's records into the store; what is malformed is reported and left out."""
    given = {"user": user, "task": task, "me": me, "kind": kind, "delimiter": delimiter}
    options: dict[str, Any] = {option: value for option, value in given.items() if value}
    if task:
        options["task"] = task.casefold()
    if column:
        options["columns"] = dict(_pair(each) for each in column)
    check(name, path, **options)  # before a store is made for it
    found = _run(call, name, path, strict, options)
    for problem in found.problems:
        warn(_line(problem))
    if found.malformed > len(found.problems):
        warn(f"… and {found.malformed - len(found.problems):,} more like these")
    call.answer(_data(found), _summary(found))
    if not found.written:
        raise typer.Exit(1)


def _run(call: Call, name: str, path: Path, strict: bool, options: dict[str, Any]) -> Ingested:
    with call.store(create=True) as store, ERR.status(f"Reading {path}") as status:
        return ingest(
            store,
            name,
            path,
            strict=strict,
            progress=lambda done: status.update(f"Reading {path}: {done:,} records"),
            **options,
        )


def _pair(text: str) -> tuple[str, str]:
    column, equals, field = text.partition("=")
    if not equals:
        raise UsageError(f"a column is given as FILE=FIELD, such as review=output; got {text!r}")
    return column, field


def _line(problem: Problem) -> str:
    return str(problem) if problem.line else f"{problem.file}: {problem.reason}"


def _data(found: Ingested) -> dict[str, Any]:
    return {
        "written": found.written,
        "new": found.new,
        "known": found.known,
        "kinds": found.kinds,
        "malformed": found.malformed,
        "problems": found.problems,
        "states": found.states,
        "replies": found.replies,
        "disputed": found.disputed,
    }


def _summary(found: Ingested) -> str:
    problems = f"{found.malformed:,} malformed"
    if not found.written:
        return f"Nothing was written: {problems}. Without --strict, the good records are written"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
    states = f", {found.states} states" if found.states else ""
    states += f", {found.replies} replies" if found.replies else ""
    if found.disputed:
        states += f", {found.disputed:,} disputed: said both ways, and the latest counts"
    taken = f"{found.new:,} new records, {found.known:,} known, {problems}{states}"
    return f"{taken} ({kinds})" if kinds else taken
