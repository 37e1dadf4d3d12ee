"""Commands about what is known of people: users, records, remember, forget, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command, find_record
from ipse.cli.output import counted, short, table, warn
from ipse.errors import UsageError
from ipse.records import KINDS, Kind, Record
from ipse.store import Page, Receipt
from ipse.text import cut, show

__all__ = ["Yes", "confirm", "export", "forget", "records", "remember", "users"]

_WORDS = 24

Limit = Annotated[int, typer.Option(min=1, help="How many at once.")]
Cursor = Annotated[str | None, typer.Option(help="Where the page before this one ended.")]
Who = Annotated[str, typer.Argument(metavar="USER", help="Whose.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
What = Annotated[Kind | None, typer.Option(help=f"One of {', '.join(KINDS)}.")]


@command
def users(call: Call, limit: Limit = 50, cursor: Cursor = None) -> None:
    """List the people there are, in the order of their ids."""
    with call.store() as store:
        page = store.users(limit, cursor)
    people = [(person.id, person.records, person.first, person.last) for person in page.items]
    shown = table(("user", "records", "first", "last"), people)
    call.answer({"users": page.items, "cursor": page.cursor}, shown, *_more("users", page))


@command
def records(
    call: Call, user: Who, kind: What = None, limit: Limit = 20, cursor: Cursor = None
) -> None:
    """List one person's records, newest first."""
    with call.store() as store:
        store.user(user, latest=0)
        page = store.records(user, limit, cursor, [kind] if kind else None)
    rows = [(short(r.id), r.time, r.kind, cut(show(r, _WORDS), 2 * _WORDS)) for r in page.items]
    data = {"user": user, "records": [r.to_json() for r in page.items], "cursor": page.cursor}
    shown = table(("id", "time", "kind", "text"), rows)
    call.answer(data, shown, *_more(f"records {user}", page))


@command
def remember(
    call: Call,
    user: Who,
    text: Annotated[str, typer.Argument(help="What they said, wrote, chose, rated or are.")],
    kind: Annotated[Kind, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "dialogue",
    given: Annotated[str, typer.Option("--input", help="What it answers to.")] = "",
    rejected: Annotated[str | None, typer.Option(help="What was not preferred.")] = None,
    time: Annotated[str | None, typer.Option(help="When, such as 2026-01-31T09:00Z.")] = None,
) -> None:
    """Add one record of a person."""
    fields: dict[str, Any] = {"user": user, "kind": kind, "output": text, "input": given}
    fields |= {"rejected": rejected} if rejected is not None else {}
    fields |= {"time": time} if time is not None else {}
    record = Record.from_json(fields)
    with call.store(create=True) as store:
        new = store.add([record]).new == 1
    verb = "Remembered" if new else "Already knew"
    call.answer({"new": new, "record": record.to_json()}, f"{verb} {short(record.id)} of {user}")


@command
def forget(
    call: Call,
    user: Who,
    record: Annotated[str | None, typer.Argument(metavar="[RECORD]", help="Only this.")] = None,
    yes: Yes = False,
) -> None:
    """Forget a person, or one record, with everything that was learned from it."""
    with call.store() as store:
        view = store.user(user)
        name = find_record(store, user, record).id if record is not None else None
        what = (
            f"record {short(name)} of {user}"
            if name
            else f"{user}, {counted(len(view), 'record')},"
        )
        if not yes:
            confirm(f"Forget {what} and all that was learned from it?")
        receipt = store.forget_user(user) if name is None else store.forget_record(name, user)
    call.answer(receipt.to_json(), _summary(receipt))


@command
def export(
    call: Call, user: Who, path: Annotated[Path, typer.Argument(help="The zip to write.")]
) -> None:
    """Write all that is known and learned of one person to a zip; `ipse import ipse` reads it."""
    with call.store() as store:
        manifest = store.export_user(user, path)
    counts = {name: getattr(manifest, name) for name in ("records", "states", "replies")}
    known, learned = counted(manifest.records, "record"), counted(manifest.states, "state")
    given = counted(manifest.replies, "reply", "replies")
    text = f"Wrote {known}, {learned} and {given} of {user} to {path}"
    call.answer({"user": user, "path": str(path), **counts}, text)


def _more(what: str, page: Page[Any]) -> list[str]:
    return [f"More: ipse {what} --cursor {page.cursor}"] if page.cursor else []


def confirm(question: str) -> None:
    """Ask before something goes for good, and end here if it is not wanted.

    Args:
        question: What is asked.

    Raises:
        UsageError: If nobody can be asked.
        Exit: If the answer is no.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked whether to forget. Run it again with --yes")
    if not typer.confirm(question, err=True):
        warn("Nothing was forgotten.")
        raise typer.Exit(1)


def _summary(receipt: Receipt) -> str:
    size = sum(artifact.nbytes for artifact in receipt.artifacts)
    methods = ", ".join(sorted({state.key.method for state in receipt.states}))
    states = counted(len(receipt.states), "state") + (f" ({methods})" if methods else "")
    answers = counted(receipt.replies, "reply", "replies")
    return (
        f"Forgot {counted(len(receipt.records), 'record')} of {receipt.user}, {states}, {answers} "
        f"and {counted(len(receipt.artifacts), 'artifact')} ({size:,} bytes)"
    )
