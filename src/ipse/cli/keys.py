"""The commands `keys create`, `list` and `revoke`: who may ask the server, and for whom."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command
from ipse.cli.output import table, warn
from ipse.errors import UsageError
from ipse.store import Key

__all__ = ["keys"]

keys = typer.Typer(name="keys", help="Who may ask the server, and for whom.")

_User = Annotated[str | None, typer.Option("--user", "-u", help="Whose.")]


_NONE = "There are no keys. Make one: ipse keys create --user NAME, or --service"


@keys.command("create")
@command
def create(
    call: Call,
    user: _User = None,
    service: Annotated[
        bool, typer.Option("--service", help="For a service that may act for anyone.")
    ] = False,
) -> None:
    """Make a key for one person, or for a service; it is shown this once."""
    if (user is None) != service:
        raise UsageError("a key is for one person or for a service: give --user NAME or --service")
    with call.store(create=True) as store:
        first = not store.keys.any()
        known = user is None or store.revision(user) > 0
        text, key = store.keys.create(user)
    warn("Keep it: it is shown this once. A client sends it as Authorization: Bearer, or api_key.")
    if first:
        warn("It is the first: from now on the server asks everybody for a key.")
    if not known:
        warn(f"Nothing is known of {user!r} yet: the key is theirs, whoever they turn out to be.")
    call.answer({"key": text, **_shown(key)}, text)


@keys.command("list")
@command
def list_(call: Call, user: _User = None) -> None:
    """List the keys, by the part of them that is no secret."""
    with call.store() as store:
        found = store.keys.list(user)
    rows = [(f"ipse-{k.id}", _whose(k), k.made, k.revoked or "") for k in found]
    shown = table(("key", "for", "made", "revoked"), rows) if rows else _NONE
    call.answer({"keys": [_shown(key) for key in found]}, shown)


@keys.command("revoke")
@command
def revoke(call: Call, key: Annotated[str, typer.Argument(help="As in ipse keys list.")]) -> None:
    """Make a key good for nothing, from the next request on."""
    with call.store() as store:
        gone = store.keys.revoke(key)
    call.answer(_shown(gone), f"Revoked ipse-{gone.id}, of {_whose(gone)}")


def _whose(key: Key) -> str:
    return "a service" if key.subject is None else key.subject


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": f"ipse-{key.id}",
        "user": key.subject,
        "acting": key.acting,
        "made": key.made,
        "revoked": key.revoked,
    }
