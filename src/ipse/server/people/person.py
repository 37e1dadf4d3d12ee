"""A person as a whole: who there is, profile, export, import, pause, what was learned, erasure."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from ipse.exporting import export_state
from ipse.records import Record
from ipse.server.acting import changed, own_state
from ipse.server.context import Served, Serves
from ipse.server.idempotency import Body, Doing, Once
from ipse.server.people import wire
from ipse.server.people.paths import Each, Learning, Who, everybodys
from ipse.store import StateSummary

__all__ = ["router"]

router = APIRouter(tags=["people"])

_PROFILE = "facets+profile"
_BYTES = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": _BYTES}}
_ANY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_TAKES_ZIP = {"requestBody": {"required": True, "content": _ANY}}


@router.get("/users", dependencies=[Depends(everybodys)])
def list_people(
    served: Serves,
    limit: Annotated[int, Query(ge=1, le=wire.MOST)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """List the people there are, in the order of their ids."""
    page = served.engine.store.users(limit, cursor)
    people = [
        {**vars(one), "first": one.first.isoformat(), "last": one.last.isoformat()}
        for one in page.items
    ]
    return {"data": people, "cursor": page.cursor}


@router.get("/users/{user}")
def get_person(user: Who, served: Serves) -> dict[str, Any]:
    """Say at a glance what there is of a person."""
    store = served.engine.store
    view = store.user(user)
    kinds: dict[str, int] = {}
    for record in view.records:
        kinds[record.kind] = kinds.get(record.kind, 0) + 1
    since = store.pauses.since(user)
    return {
        "id": user,
        "records": len(view),
        "kinds": dict(sorted(kinds.items())),
        "first": view.records[0].time.isoformat() if view.records else None,
        "last": view.records[-1].time.isoformat() if view.records else None,
        "states": len(store.states(user)),
        "replies": len(store.replies(user)),
        "paused": since.isoformat() if since else None,
    }


@router.delete("/users/{user}")
def erase_person(user: Who, served: Serves, once: Once) -> dict[str, Any]:
    """Forget a person, with everything that was made from what was known of them."""

    def act() -> dict[str, Any]:
        return {"receipt": served.engine.forget(user).noted()}

    return {"user": user, **once(user, act).data["receipt"]}


@router.get("/users/{user}/profile")
def get_profile(user: Who, served: Serves, methods: str = _PROFILE) -> dict[str, Any]:
    """Say in words what is known of a person, and what they said of themselves."""
    store = served.engine.store
    store.user(user, latest=0)  # or say that there is no such person
    said = store.user(user, kinds=["profile"]).records
    return {
        "user": user,
        "profile": served.engine.profile(user, methods),
        "attributes": [record.to_json() for record in said],
    }


@router.put("/users/{user}/profile/{each}")
def set_attribute(
    body: wire.Value, user: Learning, each: Each, served: Serves, once: Once
) -> dict[str, Any]:
    """Say what a person is, in place of what they said of it before."""
    engine = served.engine

    def act() -> None:
        said = _said(served, user, each)
        if not said:
            engine.add([wire.made(user, _attribute(each, body), once.now)])
            return
        changed(engine, user, said[-1].id, {"output": body.value}, once.now)
        for old in said[:-1]:  # said before that, and not any more
            engine.forget(user, old.id)

    once(user, act)
    found = _said(served, user, each)
    return {"user": user, "attribute": found[-1].to_json() if found else None}


@router.get("/users/{user}/export", response_class=FileResponse, responses=_ZIP)
def export_person(user: Who, served: Serves) -> FileResponse:
    """Give all that is known and learned of a person, as one zip file."""
    folder = Path(tempfile.mkdtemp(prefix="ipse-export-"))
    path = folder / "ipse.zip"
    try:
        served.engine.store.export_user(user, path)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return _file(folder, path)


@router.post("/users/{user}/import", openapi_extra=_TAKES_ZIP)
def import_person(user: Learning, body: Body, served: Serves, once: Once) -> dict[str, Any]:
    """Take in what export gave, of the same person."""

    def act() -> None:
        with tempfile.TemporaryDirectory(prefix="ipse-import-") as folder:
            path = Path(folder) / "export.zip"
            path.write_bytes(body)
            served.engine.store.import_user(path, user)

    data = once(user, act).data
    return {"user": user, **{n: data[n] for n in ("records", "states", "replies", "left_out")}}


@router.put("/users/{user}/pause")
def pause(user: Who, served: Serves, once: Once) -> dict[str, Any]:
    """Keep and learn nothing new of a person, from now on."""
    return _pause(served, user, once, on=True)


@router.delete("/users/{user}/pause")
def go_on(user: Who, served: Serves, once: Once) -> dict[str, Any]:
    """Keep and learn again."""
    return _pause(served, user, once, on=False)


@router.get("/users/{user}/states")
def list_states(user: Who, served: Serves) -> dict[str, Any]:
    """List what was learned of a person: profiles, indexes, adapters and their versions."""
    return {"data": [_summary(state) for state in served.engine.store.states(user)]}


@router.post("/users/{user}/states/{each}/rollback")
def roll_back(user: Who, each: Each, served: Serves, once: Once) -> dict[str, Any]:
    """Go back to an earlier version of what was learned of a person."""
    store = served.engine.store

    def act() -> None:
        store.rollback(own_state(store, user, each).id)

    once(user, act)
    return {"data": [_summary(state) for state in store.states(user)]}


@router.get("/users/{user}/states/{each}/adapter", response_class=FileResponse, responses=_ZIP)
def get_adapter(user: Who, each: Each, served: Serves) -> FileResponse:
    """Give an adapter as a zipped folder that PEFT and vLLM read."""
    saved = own_state(served.engine.store, user, each)
    folder = Path(tempfile.mkdtemp(prefix="ipse-adapter-"))
    try:
        export_state(served.engine.store, saved, folder / "adapter")
        path = shutil.make_archive(str(folder / "adapter"), "zip", folder / "adapter")
    except BaseException:
        shutil.rmtree(folder)
        raise
    return _file(folder, Path(path))


def _said(served: Served, user: str, name: str) -> list[Record]:
    """Give what a person said of themselves under a name, oldest first."""
    page = served.engine.store.records(user, wire.MOST, None, ["profile"])
    return [record for record in reversed(page.items) if record.input == name]


def _attribute(name: str, body: wire.Value) -> dict[str, Any]:
    return {"kind": "profile", "input": name, "output": body.value}


def _pause(served: Served, user: str, once: Doing, *, on: bool) -> dict[str, Any]:
    pauses = served.engine.store.pauses
    data = once(user, lambda: pauses.set(user, on=on)).data
    since = pauses.since(user)
    return {
        "user": user,
        "paused": data["paused"],
        "since": since.isoformat() if since and data["paused"] else None,
    }


def _summary(state: StateSummary) -> dict[str, Any]:
    return {
        "id": state.id,
        "method": state.key.method,
        "settings": state.key.settings,
        "base": state.key.base,
        "records": state.records,
        "bytes": state.nbytes,
        "made": state.made.isoformat(),
        "current": state.current,
        "previous": state.previous,
        "adapter": state.artifact,
    }


def _file(folder: Path, path: Path) -> FileResponse:
    """Send a file, and delete its folder once it is sent."""
    return FileResponse(
        path,
        media_type="application/zip",
        filename=path.name,
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )
