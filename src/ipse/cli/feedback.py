"""Commands about answers that were given: replies, and feedback, which says what one thinks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command, find_reply
from ipse.cli.output import short, table
from ipse.errors import InvalidFile, UnknownReply, UsageError
from ipse.feedback import Taken
from ipse.store import Store, StoredReply
from ipse.text import cut, one_line

__all__ = ["feedback", "replies", "summary"]

_WORDS = 12


@command
def replies(
    call: Call,
    user: Annotated[str, typer.Argument(help="To whom.")],
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
) -> None:
    """List the replies to a person that are kept, newest first."""
    with call.store() as store:
        store.user(user, latest=0)
        found = store.replies(user, limit)
    rows = [
        (short(each.id), each.time, *(one_line(cut(t, _WORDS)) for t in (each.question, each.text)))
        for each in found
    ]
    data = {"user": user, "replies": [_data(each) for each in found]}
    call.answer(data, table(("id", "time", "question", "answer"), rows))


@command
def feedback(
    call: Call,
    user: Annotated[str, typer.Argument(help="Who.")],
    reply: Annotated[str, typer.Argument(metavar="REPLY", help="Its id, or the start of it.")],
    up: Annotated[bool, typer.Option("--up", help="It is good.")] = False,
    down: Annotated[bool, typer.Option("--down", help="It is not.")] = False,
    rating: Annotated[float | None, typer.Option(help="How good, from 1 to 5.")] = None,
    edit: Annotated[
        str | None, typer.Option(metavar="FILE_OR_TEXT", help="The reply as it should be.")
    ] = None,
    better_than: Annotated[
        str | None, typer.Option(metavar="REPLY_OR_TEXT", help="What it is better than.")
    ] = None,
    regenerated: Annotated[
        str | None,
        typer.Option(metavar="REPLY", help="The reply it was written in place of, and is kept."),
    ] = None,
) -> None:
    """Say what you think of a reply; methods learn of it."""
    if up and down:
        raise UsageError("a thumb is up or down. Give one of --up and --down")
    told: dict[str, Any] = {"rating": rating}
    told["thumb"] = "up" if up else "down" if down else None
    with call.engine(user) as engine:
        store = engine.store
        told["edit"] = None if edit is None else _text(edit)
        told["better_than"] = None if better_than is None else _named(store, user, better_than)
        if regenerated is not None:
            told["regenerated"] = find_reply(store, user, regenerated).id
        found = find_reply(store, user, reply)
        taken = engine.feedback(user, found.id, **told)
    states = [{"id": saved.id, "method": saved.key.method} for saved in taken.states]
    records = [record.to_json() for record in taken.records]
    data = {"user": user, "reply": found.id, "new": taken.new, "records": records, "states": states}
    call.answer(data, summary(taken))


def summary(taken: Taken) -> str:
    """Say what became of feedback."""
    names = ", ".join(short(record.id) for record in taken.records)
    if not taken.new:
        return f"Already knew {names}"
    learned = ", ".join(dict.fromkeys(saved.key.method for saved in taken.states))
    return f"Noted {names}" + (f"; {learned} learned of it" if learned else "")


def _text(given: str) -> str:
    """Give a text, or what stands in the file of that name."""
    path = Path(given)
    try:
        return path.read_text("utf-8") if path.is_file() else given
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{given} is not text in UTF-8: {error}") from error
    except OSError:  # too long for a path, or no character of one: a text
        return given


def _named(store: Store, user: str, text: str) -> str:
    """Give the id of a reply that the start of it names, or a text as it is."""
    try:
        return find_reply(store, user, text).id
    except UnknownReply:
        return text


def _data(reply: StoredReply) -> dict[str, Any]:
    return {
        "id": reply.id,
        "time": reply.time,
        "question": reply.question,
        "answer": reply.text,
        "methods": reply.methods,
        "strength": reply.strength,
        "evidence": reply.evidence,
        "states": reply.states,
    }
