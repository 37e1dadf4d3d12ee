"""mem0's verbs: add, search, get_all, get, update, delete, history; a memory is a record.

Where it differs: nothing is inferred, what the person said is kept word for word; what was
corrected or deleted is forgotten, so a history says that and when it was, but not what was there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request

from ipse.errors import InvalidRecord, UnknownRecord, UnknownUser, UsageError
from ipse.records import Record
from ipse.server.acting import changed, check_not_paused
from ipse.server.context import Asks, Serves
from ipse.server.idempotency import Once
from ipse.server.identity import HEADER, Caller, named, needed, person
from ipse.server.mem0.filters import matches
from ipse.server.mem0.wire import OTHERS, Add, Body, Search, Update, made, shown
from ipse.server.people import wire
from ipse.server.people.paths import Each
from ipse.store import Store, first_version

__all__ = ["router"]

router = APIRouter(tags=["mem0"])

Someone = Annotated[str | None, Query()]


@router.get("/v1/ping/")
def ping(caller: Asks) -> dict[str, Any]:
    """Say that a key is good."""
    del caller
    # There are no organizations here, but a client that is told of none does not begin.
    return {"status": "ok", "org_id": "ipse", "project_id": "ipse", "user_email": None}


@router.post("/v1/memories/")
@router.post("/v3/memories/add/")
def add(body: Add, request: Request, caller: Asks, served: Serves, once: Once) -> dict[str, Any]:
    """Keep what the person said in some messages, each as a memory."""
    user = _whose(caller, request, *body.whose)
    check_not_paused(served.engine.store, user)
    _refuse_expiry(body.expiration_date)

    def act() -> None:
        served.engine.add(made(user, body, once.now))

    outcome = once(user, act)
    known = set(outcome.data["known"])
    return {
        "results": [
            {"id": r.id, "memory": r.output, "event": "NONE" if r.id in known else "ADD"}
            for r in made(user, body, once.since(outcome))
        ]
    }


@router.post("/v1/memories/search/")
@router.post("/v2/memories/search/")
@router.post("/v3/memories/search/")
def search(body: Search, request: Request, caller: Asks, served: Serves) -> dict[str, Any]:
    """Give the memories nearest to a query, the best first."""
    user = _whose(caller, request, *body.whose)
    count = body.top_k or body.limit or 10
    found = served.engine.search(user, body.query, wire.MOST if body.filters else count)
    least = body.threshold or 0.0
    good = [
        {**shown(each.record), "score": each.score}
        for each in found
        if each.score >= least and matches(each.record, body.filters)
    ]
    return {"results": good[:count]}


@router.get("/v1/memories/")
def get_all(
    request: Request,
    caller: Asks,
    served: Serves,
    user_id: Someone = None,
    page: Annotated[int, Query(ge=1, le=10**9)] = 1,
    page_size: Annotated[int, Query(ge=1, le=wire.MOST)] = 100,
) -> dict[str, Any]:
    """List the memories of a person, newest first."""
    body = Body(user_id=user_id)
    return _page(served.engine.store, caller, request, body, page, page_size)


@router.post("/v2/memories/")
@router.post("/v3/memories/")
def get_all_filtered(
    body: Body,
    request: Request,
    caller: Asks,
    served: Serves,
    page: Annotated[int, Query(ge=1, le=10**9)] = 1,
    page_size: Annotated[int, Query(ge=1, le=wire.MOST)] = 100,
) -> dict[str, Any]:
    """List those memories of a person that filters let through, newest first."""
    return _page(served.engine.store, caller, request, body, page, page_size)


@router.delete("/v1/memories/")
def delete_all(
    request: Request, caller: Asks, served: Serves, once: Once, user_id: Someone = None
) -> dict[str, Any]:
    """Forget a person, with everything that was made from what was known of them."""
    user = _whose(caller, request, user_id)
    if given := sorted({*OTHERS} & request.query_params.keys()):
        raise UsageError(
            f"a person is forgotten whole: leave out {given[0]!r}, or delete one by one"
        )

    def act() -> dict[str, Any]:
        with suppress(UnknownUser):
            return {"receipt": served.engine.forget(user).noted()}
        return {}

    data = once(user, act).data
    return {"message": "Memories deleted successfully!", "receipt": data.get("receipt")}


@router.get("/v1/memories/{each}/")
def get(
    each: Each, request: Request, caller: Asks, served: Serves, user_id: Someone = None
) -> dict[str, Any]:
    """Give one memory."""
    return shown(_found(served.engine.store, caller, request, user_id, each))


@router.put("/v1/memories/{each}/")
def update(
    body: Update,
    each: Each,
    request: Request,
    caller: Asks,
    served: Serves,
    once: Once,
    user_id: Someone = None,
) -> dict[str, Any]:
    """Correct a memory: the old text is forgotten, with all that was made from it."""
    engine = served.engine
    _refuse_expiry(body.expiration_date)
    change: dict[str, Any] = {"output": body.text, "meta": body.metadata, "time": body.timestamp}
    change = {name: value for name, value in change.items() if value is not None}
    if not change:
        raise InvalidRecord("nothing is to be different. Give text, metadata or timestamp")

    def act() -> None:
        old = _found(engine.store, caller, request, user_id, each)
        changed(engine, old.user, old.id, change, once.now)

    data = once(_named(caller, request, user_id), act).data
    memory: dict[str, Any] = {"id": first_version(each)}
    with suppress(UnknownRecord):  # forgotten since it was corrected
        memory = shown(engine.store.current(data["record"]))
    return {"message": "Memory updated successfully!", **memory}


@router.delete("/v1/memories/{each}/")
def delete(
    each: Each,
    request: Request,
    caller: Asks,
    served: Serves,
    once: Once,
    user_id: Someone = None,
) -> dict[str, Any]:
    """Forget a memory, with all that was made from it."""

    def act() -> dict[str, Any]:
        found = _found(served.engine.store, caller, request, user_id, each)
        return {"receipt": served.engine.forget(found.user, found.id).noted()}

    data = once(_named(caller, request, user_id), act).data
    return {"message": "Memory deleted successfully!", "receipt": data["receipt"]}


@router.get("/v1/memories/{each}/history/")
def history(
    each: Each, request: Request, caller: Asks, served: Serves, user_id: Someone = None
) -> list[dict[str, Any]]:
    """Say when a memory was added and corrected; its text is the present one's alone."""
    record = _found(served.engine.store, caller, request, user_id, each)
    times = [record.time.isoformat(), *record.meta.get("corrected", [])]
    return [
        {
            "id": f"{first_version(record.id)}-{place}",
            "memory_id": first_version(record.id),
            "user_id": record.user,
            "old_memory": None,
            "new_memory": record.output if place == len(times) - 1 else None,
            "event": "UPDATE" if place else "ADD",
            "created_at": times[0],
            "updated_at": time,
            "is_deleted": False,
        }
        for place, time in enumerate(times)
    ]


def _refuse_expiry(date: str | None) -> None:
    if date is not None:
        raise UsageError("memories do not expire here. Leave expiration_date out, and delete them")


def _whose(caller: Caller, request: Request, *names: str | None) -> str:
    return needed(caller, named(*names, request.headers.get(HEADER)))


def _named(caller: Caller, request: Request, user_id: str | None) -> str | None:
    """Give whom a request about one memory names: it need not where its key may act for anybody."""
    return person(caller, named(user_id, request.headers.get(HEADER)))


def _found(
    store: Store, caller: Caller, request: Request, user_id: str | None, name: str
) -> Record:
    return store.current(name, _named(caller, request, user_id))


def _page(
    store: Store, caller: Caller, request: Request, body: Body, page: int, size: int
) -> dict[str, Any]:
    user = _whose(caller, request, *body.whose)
    records: tuple[Record, ...] = ()
    with suppress(UnknownUser):
        records = store.user(user).records
    meant = [record for record in reversed(records) if matches(record, body.filters)]
    begin = (page - 1) * size

    def address(number: int) -> str:
        return f"{request.url.path}?{urlencode({'page': number, 'page_size': size})}"

    return {
        "count": len(meant),
        "next": address(page + 1) if begin + size < len(meant) else None,
        "previous": address(page - 1) if page > 1 else None,
        "results": [shown(record) for record in meant[begin : begin + size]],
    }
