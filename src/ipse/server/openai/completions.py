"""`POST /v1/completions`: a prompt is asked as a question, as all models here converse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from ipse.lm import Reply
from ipse.plan import Plan
from ipse.server.context import Asks, Serves, answering, blocking
from ipse.server.openai.asking import Asked, asked, whose
from ipse.server.openai.chat import usage
from ipse.server.openai.events import Form, begun, respond
from ipse.server.openai.logprobs import completion_logprobs, tokens
from ipse.server.openai.wire import CompletionRequest, Turn

__all__ = ["router"]

router = APIRouter()


@router.post("/completions")
async def completions(
    body: CompletionRequest, request: Request, served: Serves, caller: Asks
) -> Response:
    """Answer a prompt, as the person's own model."""
    user = whose(body, request, caller)
    all_asked = [
        asked(served, user, body, [Turn(role="user", content=text)]) for text in body.prompts
    ]
    with served.observed.span("text_completion", body.model, all_asked[0].sampling[0]) as span:
        if body.stream:
            answers = [one for what in all_asked for one in await answering(what.pieces)]
            first = await begun(answers)
            return respond(_form(all_asked, body, answers), first, span.leave())
        found = [(what, one) for what in all_asked for one in await answering(what.answers)]
        span.done([one.reply for _, one in found])
        choices = [
            await blocking(_choice, what, body, index, one.plan, one.reply, one.text)
            for index, (what, one) in enumerate(found)
        ]
        more = await blocking(all_asked[0].explained, [one for _, one in found])
    head = _head(body, found[0][1].id)
    counts = usage([one.reply for _, one in found])
    return JSONResponse({**head, "choices": choices, "usage": counts, **more})


def _choice(
    what: Asked, body: CompletionRequest, index: int, plan: Plan, reply: Reply, text: str
) -> dict[str, Any]:
    lm = what.served.engine.lm
    scored = (
        completion_logprobs(tokens(lm, plan, reply.text)) if body.logprobs is not None else None
    )
    return {"index": index, "text": text, "logprobs": scored, "finish_reason": reply.finish}


def _form(all_asked: Sequence[Asked], body: CompletionRequest, answers: Sequence[Any]) -> Form:
    def piece(index: int, text: str) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": None}

    def closing(index: int, reply: Reply) -> dict[str, Any]:
        return _choice(all_asked[0], body, index, answers[index].plan, reply, "")

    def more() -> dict[str, Any]:
        for what in all_asked:
            what.said()
        return all_asked[0].explained(answers)

    counted = body.stream_options and body.stream_options.include_usage
    head = _head(body, answers[0].id)
    return Form(head, None, piece, closing, usage if counted else None, more)


def _head(body: CompletionRequest, reply_id: str) -> dict[str, Any]:
    return {
        "id": f"cmpl-{reply_id or uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": body.model,
    }
