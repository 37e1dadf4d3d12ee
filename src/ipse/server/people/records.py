"""Records of a person: add, list, get, correct, delete, search."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ipse.errors import InvalidRecord, UnknownRecord
from ipse.records import Kind, Record
from ipse.server.acting import changed
from ipse.server.context import Serves
from ipse.server.idempotency import Once
from ipse.server.people import wire
from ipse.server.people.paths import Each, Learning, Who

__all__ = ["router"]

router = APIRouter(prefix="/users/{user}", tags=["people"])

Limit = Annotated[int, Query(ge=1, le=wire.MOST)]


@router.post("/records", status_code=201)
def add_record(body: wire.NewRecord, user: Learning, served: Serves, once: Once) -> dict[str, Any]:
    """Add one record; it is durable before this is answered."""
    given = body.model_dump()

    def act() -> None:
        served.engine.add([wire.made(user, given, once.now)])

    outcome = once(user, act)
    record = wire.made(user, given, once.since(outcome))
    return {**record.to_json(), "new": record.id not in outcome.data["known"]}


@router.post("/records/batch")
def add_records(body: wire.Batch, user: Learning, served: Serves, once: Once) -> dict[str, Any]:
    """Add many records: all that are good in one transaction; of the others it is said why not."""

    def act() -> None:
        served.engine.add(r for r in _made(user, body, once.now) if isinstance(r, Record))

    outcome = once(user, act)
    known = set(outcome.data["known"])
    results = [
        {"id": each.id, "new": each.id not in known}
        if isinstance(each, Record)
        else {"error": {"message": str(each), "code": "invalid_record"}}
        for each in _made(user, body, once.since(outcome))
    ]
    return {"results": results}


@router.get("/records")
def list_records(
    user: Who,
    served: Serves,
    limit: Limit = 100,
    cursor: str | None = None,
    kind: Annotated[list[Kind] | None, Query()] = None,
    source: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> dict[str, Any]:
    """List the records of a person, newest first; nobody has none."""
    only = {"source": source, "since": since, "before": before}
    page = served.engine.store.records(user, limit, cursor, kind, **only)
    return {"data": [record.to_json() for record in page.items], "cursor": page.cursor}


@router.get("/records/{each}")
def get_record(user: Who, each: Each, served: Serves) -> dict[str, Any]:
    """Give one record or, where it was corrected, what stands in its place."""
    return served.engine.store.current(each, user).to_json()


@router.patch("/records/{each}")
def correct_record(
    body: wire.Change, user: Who, each: Each, served: Serves, once: Once
) -> dict[str, Any]:
    """Correct a record: the old one is forgotten, with all that was made from it."""
    change = body.model_dump(exclude_unset=True)

    def act() -> dict[str, Any]:
        return {"receipt": changed(served.engine, user, each, change, once.now).noted()}

    data = once(user, act).data
    record = None
    with suppress(UnknownRecord):  # forgotten since it was corrected
        record = served.engine.store.current(data["record"], user).to_json()
    return {"record": record, "receipt": {"user": user, **data["receipt"]}}


@router.delete("/records/{each}")
def delete_record(user: Who, each: Each, served: Serves, once: Once) -> dict[str, Any]:
    """Forget a record, with all that was made from it; give the receipt."""

    def act() -> dict[str, Any]:
        found = served.engine.store.current(each, user)
        return {"receipt": served.engine.forget(user, found.id).noted()}

    return {"user": user, **once(user, act).data["receipt"]}


@router.post("/search")
def search_records(body: wire.Query, user: Who, served: Serves) -> dict[str, Any]:
    """Give the records nearest to a query, the best first, of those that answers may read."""
    wanted = served.engine.search(user, body.query, wire.MOST if body.kinds else body.limit)
    found = [
        {"record": each.record.to_json(), "score": each.score}
        for each in wanted
        if each.score >= body.threshold and (not body.kinds or each.record.kind in body.kinds)
    ]
    return {"results": found[: body.limit]}


def _made(user: str, body: wire.Batch, now: datetime) -> list[Record | InvalidRecord]:
    """Make the records of a batch, or say why not."""
    made: list[Record | InvalidRecord] = []
    for place, given in enumerate(body.records):
        try:
            if own := sorted({"id", "user"} & given.keys()):
                raise InvalidRecord(f"the field {own[0]!r} is the server's to give. Leave it out")
            made.append(wire.made(user, given, now, place))
        except InvalidRecord as error:
            made.append(error)
    return made
