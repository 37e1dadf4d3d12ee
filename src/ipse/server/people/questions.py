"""What to ask a person next, so that what they prefer is known the sooner."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from ipse.server.context import Serves
from ipse.server.people import wire
from ipse.server.people.paths import Who

__all__ = ["router"]

router = APIRouter(prefix="/users/{user}", tags=["people"])


@router.post("/question")
def choose_question(body: wire.Question, user: Who, served: Serves) -> dict[str, Any]:
    """Choose two of some answers to ask a person about, and say what is left to gain by it."""
    found = served.engine.question(
        user, body.question, body.texts, body.composition, by=body.by, enough=body.enough
    )
    return asdict(found)
