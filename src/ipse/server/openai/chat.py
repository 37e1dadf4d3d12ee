"""`POST /v1/chat/completions`."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request

from ipse.errors import InvalidPlan
from ipse.plan import Message, Sampling
from ipse.server.context import Asks, Served, Serves, blocking
from ipse.server.identity import HEADER, named, person
from ipse.server.openai.wire import ChatRequest

__all__ = ["router"]

router = APIRouter()


@router.post("/chat/completions")
async def chat_completions(
    body: ChatRequest, request: Request, served: Serves, caller: Asks
) -> dict[str, Any]:
    """Go on with a conversation, as the person's own model."""
    user = person(caller, named(body.user or body.safety_identifier, request.headers.get(HEADER)))
    return await blocking(_answer, served, user, body)


def _answer(served: Served, user: str | None, body: ChatRequest) -> dict[str, Any]:
    turns = [Message("user", one.text) for one in body.messages]
    if not turns:
        raise InvalidPlan("messages must hold what is asked")
    answer = served.engine.ask(
        user,
        turns[-1].content,
        history=turns[:-1],
        methods=body.personalization.composition,
        strength=body.personalization.strength,
        sampling=Sampling(max_tokens=body.max_tokens or served.settings.max_tokens),
    )
    reply = answer.reply
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text, "refusal": None},
                "logprobs": None,
                "finish_reason": reply.finish,
            }
        ],
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.tokens,
            "total_tokens": reply.prompt_tokens + reply.tokens,
        },
    }
