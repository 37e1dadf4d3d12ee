"""What was answered to a person: history, why an answer is what it is, and what they say of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ipse.engine import Ipse
from ipse.errors import Unknown, UnknownRecord
from ipse.records import Record
from ipse.server.context import Serves
from ipse.server.idempotency import Once
from ipse.server.people import wire
from ipse.server.people.paths import Each, Learning, Who
from ipse.store import StoredReply, owner

__all__ = ["router"]

router = APIRouter(prefix="/users/{user}/replies", tags=["people"])

_CHAT = "chatcmpl-"


@router.get("")
def list_replies(
    user: Who, served: Serves, limit: Annotated[int, Query(ge=1, le=wire.MOST)] = 20
) -> dict[str, Any]:
    """List the replies to a person that are kept, newest first; nobody has none."""
    return {"data": [_shown(reply) for reply in served.engine.store.replies(user, limit)]}


@router.get("/{each}")
def explain_reply(user: Who, each: Each, served: Serves) -> dict[str, Any]:
    """Say why a reply is what it is: the records that were read, and what was learned."""
    store = served.engine.store
    reply = store.reply(_id(each), user)
    return {
        **_shown(reply),
        "evidence": [record.to_json() for record in _there(served.engine, user, reply.evidence)],
        "earlier": list(reply.earlier),
        "states": [_state(served.engine, user, name) for name in reply.states],
    }


@router.post("/{each}/feedback", status_code=201)
def give_feedback(
    body: wire.FeedbackBody, user: Learning, each: Each, served: Serves, once: Once
) -> dict[str, Any]:
    """Say what one thinks of a reply; it is kept as records, and methods learn of it."""
    told = body.model_dump()
    for name in ("better_than", "regenerated"):
        told[name] = told[name] and _id(told[name])

    def act() -> None:
        served.engine.feedback(user, _id(each), **told)

    data = once(user, act).data
    names = data["records"]
    return {
        "reply": _id(each),
        "new": len(set(names) - {*data["known"]}),
        "records": [record.to_json() for record in _there(served.engine, user, names)],
    }


def _id(text: str) -> str:
    """Give the id that a reply is kept under."""
    return text.removeprefix(_CHAT)


def _shown(reply: StoredReply) -> dict[str, Any]:
    return {
        "id": reply.id,
        "time": reply.time.isoformat(),
        "question": reply.question,
        "answer": reply.text,
        "methods": reply.methods,
        "strength": reply.strength,
        "evidence": list(reply.evidence),
    }


def _there(engine: Ipse, user: str, names: tuple[str, ...] | list[str]) -> list[Record]:
    """Give those of some records that are there."""
    found = []
    for name in names:
        with suppress(UnknownRecord):
            found.append(engine.store.record(name, user))
    return found


def _state(engine: Ipse, user: str, name: str) -> dict[str, Any]:
    """Show a state that a reply leaned on; of one that is not kept any more, its id."""
    try:
        saved = engine.store.find(name)
    except Unknown:
        return {"id": name}
    return {
        "id": name,
        "method": saved.key.method,
        "of": owner(saved.key.user, user),
        "records": len(saved.state.lineage),
        "made": saved.made.isoformat(),
        "adapter": saved.state.artifact,
        "gate": saved.state.facts.get("gate"),
    }
