"""`ipse adapters`: what was learned in the model, its versions, and how it leaves or goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from ipse.cli.call import Call, Method, command
from ipse.cli.output import counted, short, table
from ipse.cli.people import Yes, confirm
from ipse.cli.reasons import gate_lines
from ipse.errors import Unknown, UsageError
from ipse.exporting import export_person, export_state
from ipse.methods import known_methods
from ipse.state import SavedState
from ipse.store import StateSummary, Store

__all__ = ["adapters"]

_SHARED = "shared"
_SHORTEST = 4
_NOTHING = "Nothing was learned in the model. Try: ipse enroll --method user-adapter"

adapters = typer.Typer(
    name="adapters",
    invoke_without_command=True,
)

What = Annotated[str, typer.Argument(metavar="NAME|USER", help="One, or all of a person.")]
Whose = Annotated[str | None, typer.Argument(metavar="[USER]", help="Whose; everybody's if none.")]


@adapters.callback()
def _help(context: typer.Context) -> None:
    """What was learned in the model of each person: list, show, roll back, export, remove."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@adapters.command("list")
@command
def list_(call: Call, user: Whose = None) -> None:
    """List what was learned in the model, with the versions to go back to."""
    with call.store() as store:
        found = _of(store, user) if user else _learned(store)
    columns = ("name", "method", "of", "records", "bytes", "made", "is")
    rows = [
        (_name(s), s.key.method, _owner(s), s.records, s.nbytes, s.made, _standing(s))
        for s in found
    ]
    shown = table(columns, rows) if rows else _NOTHING
    call.answer({"adapters": [_data(s) for s in found]}, shown)


@adapters.command()
@command
def show(call: Call, what: What) -> None:
    """Show what one is: what it was made from and how, and what the gate decided."""
    with call.store() as store:
        found = [(s, store.find(s.id)) for s in _found(store, what)]
    shown = [part for one in found for part in _shown(*one)] or [_NOTHING]
    call.answer({"adapters": [{**_data(s), **_more(saved)} for s, saved in found]}, *shown)


@adapters.command()
@command
def rollback(
    call: Call,
    user: Annotated[str, typer.Argument(help=f"Whose; {_SHARED} is everyone's.")],
    method: Annotated[str, typer.Argument(help="Which method's.")],
    to: Annotated[str | None, typer.Option(help="Which; the one before if not given.")] = None,
) -> None:
    """Go back to a version before; the present one stays, to come back to."""
    with call.store() as store:
        mine = [s for s in _of(store, user) if s.key.method == method]
        target = _matching(mine, to) if to else [_before(mine, user, method)]
        if len(target) != 1 or not target[0].previous:
            raise UsageError(f"{to!r} is no version to go back to. List them: ipse adapters list")
        store.rollback(target[0].id)
    (one,) = target
    made = f"made {one.made:%Y-%m-%d %H:%M} from {counted(one.records, 'record')}"
    call.answer(_data(one) | {"is": "current"}, f"{method} of {user} is {_name(one)} again, {made}")


@adapters.command()
@command
def remove(call: Call, what: What, method: Method = None, yes: Yes = False) -> None:
    """Remove one, or all of a person; the records stay, and it can be learned again."""
    with call.store() as store:
        found = [s for s in _found(store, what) if method in (None, s.key.method)]
        if not found:
            raise UsageError(f"there is nothing of {method!r} there. List them: ipse adapters list")
        if not yes:
            names = ", ".join(f"{_name(s)} ({s.key.method} of {_owner(s)})" for s in found)
            confirm(f"Remove {names} and all that was made from it?")
        receipt = store.forget_states([s.id for s in found])
    size = sum(artifact.nbytes for artifact in receipt.artifacts)
    data = {"removed": [_data(s) for s in receipt.states], "bytes": size}
    call.answer(data, f"Removed {counted(len(receipt.states), 'state')}, {size:,} bytes")


@adapters.command()
@command
def export(
    call: Call,
    what: What,
    folder: Annotated[Path, typer.Argument(help="Where to; nothing may be there.")],
    method: Method = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Leave out who it is, and the records' ids.")
    ] = False,
) -> None:
    """Write one as a folder for PEFT and vLLM; of a person, all that serves them as one."""
    with call.store() as store:
        person = store.revision(what) > 0
        if not person:
            found = _matching(_learned(store), what)
            if len(found) != 1:
                raise UsageError(f"{len(found)} names begin like {what!r}. Give more of it")
            saved = store.find(found[0].id)
            written = export_state(store, saved, folder, anonymous=anonymous)
    if person:
        with call.engine(what, method) as engine:
            written = export_person(engine, what, folder, method, anonymous=anonymous)
    data = {"name": written.name, "folder": str(folder), "base": written.base}
    call.answer(data, f"Wrote {short(written.name)}, for {written.base}, to {folder}")


def _learned(store: Store, user: str | None = None) -> list[StateSummary]:
    """Give the states of methods that act in the model."""
    known = known_methods()
    levels = {name: way.level for name, way in known.items()}
    return [s for s in store.states(user) if levels.get(s.key.method, "model") == "model"]


def _of(store: Store, user: str) -> list[StateSummary]:
    """Give those of a person, or the shared ones."""
    if store.revision(user):
        return _learned(store, user)
    if user == _SHARED:
        return [s for s in _learned(store) if s.key.user is None]
    store.user(user, latest=0)  # says that there is no such person
    return []


def _found(store: Store, what: str) -> list[StateSummary]:
    """Give those of a person or the shared ones, or the one of a name."""
    if store.revision(what) or what == _SHARED:
        return _of(store, what)
    return _matching(_learned(store), what)


def _matching(among: Sequence[StateSummary], name: str) -> list[StateSummary]:
    """Give those that a name, or the beginning of it, stands for; of equal ones what serves."""
    long = len(name) >= _SHORTEST
    found = [s for s in among if long and (_full(s).startswith(name) or s.id.startswith(name))]
    if not found:
        known = ", ".join(sorted({_name(s) for s in among})) or "none"
        raise Unknown(f"there is nothing learned of name or user {name!r}. Known: {known}")
    if len({_full(s) for s in found}) > 1:
        raise UsageError(f"{len(found)} names begin like {name!r}. Give more of it")
    return sorted(found, key=lambda s: not s.current)[:1]


def _before(mine: Sequence[StateSummary], user: str, method: str) -> StateSummary:
    """Give the version before the present one; the latest where there is none at present."""
    kept = [s for s in mine if s.previous]
    if len({s.key for s in kept}) > 1:
        names = ", ".join(_name(s) for s in kept)
        raise UsageError(f"{method!r} has versions of several settings: name one by --to: {names}")
    present = next((s for s in mine if s.current and kept and s.key == kept[0].key), None)
    older = [s for s in kept if present is None or s.made < present.made]
    if not older:
        raise UsageError(
            f"there is no version of {method!r} of {user!r} before the present one. "
            f"List them: ipse adapters list {user}"
        )
    return older[-1]


def _full(state: StateSummary) -> str:
    return state.artifact or state.id


def _name(state: StateSummary) -> str:
    return short(_full(state))


def _owner(state: StateSummary) -> str:
    return _SHARED if state.key.user is None else state.key.user


def _standing(state: StateSummary) -> str:
    return "current" if state.current else "previous" if state.previous else "replaced"


def _data(state: StateSummary) -> dict[str, Any]:
    return {
        "name": _full(state),
        "id": state.id,
        "method": state.key.method,
        "settings": state.key.settings,
        "user": state.key.user,
        "base": state.key.base,
        "records": state.records,
        "bytes": state.nbytes,
        "made": state.made,
        "is": _standing(state),
    }


def _more(saved: SavedState) -> dict[str, Any]:
    return {
        "facts": dict(saved.state.facts),
        "lineage": list(saved.state.lineage),
        "parents": list(saved.parents),
    }


def _shown(state: StateSummary, saved: SavedState) -> list[RenderableType]:
    rows = [(key, value) for key, value in _data(state).items() if value not in (None, "")]
    facts = {key: value for key, value in saved.state.facts.items() if key != "gate"}
    rows += [("made from", ", ".join(map(short, saved.parents)))] if saved.parents else []
    rows += list(facts.items())
    return [table(("", _name(state)), rows), *gate_lines(saved.state.facts)]
