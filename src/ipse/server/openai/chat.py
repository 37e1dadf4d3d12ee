"""`POST /v1/chat/completions`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from ipse.lm import Reply
from ipse.plan import Plan
from ipse.replies import Answer, Pieces
from ipse.server.context import Asks, Serves, answering
from ipse.server.openai.asking import Asked, asked, whose
from ipse.server.openai.events import Form, begun, respond
from ipse.server.openai.logprobs import chat_logprobs, tokens
from ipse.server.openai.wire import ChatRequest

__all__ = ["router", "usage"]

router = APIRouter()


@router.post("/chat/completions")
async def chat_completions(
    body: ChatRequest, request: Request, served: Serves, caller: Asks
) -> Response:
    """Go on with a conversation, as the person's own model.

    Who the person is, says the key, or else `user`, `safety_identifier` or the header X-Ipse-User.
    """
    user = whose(body, request, caller)
    what = asked(served, user, body, body.messages)
    with served.observed.span("chat", body.model, what.sampling[0]) as span:
        if body.stream and "tools" not in body.passed:
            answers = await answering(what.pieces)
            first = await begun(answers)
            return respond(_form(what, body, answers), first, span.leave())
        found, whole = await answering(_answered, what, body)
        span.done([one.reply for one in found])
        return _at_once(whole, body) if body.stream else JSONResponse(whole)


def usage(replies: Sequence[Reply]) -> dict[str, Any]:
    """Count tokens; a prompt that was answered several times counts once."""
    read, wrote = replies[0].prompt_tokens, sum(one.tokens for one in replies)
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def _answered(what: Asked, body: ChatRequest) -> tuple[list[Answer], dict[str, Any]]:
    """Answer, and say it in the API's words: a second thread would cost each request some time."""
    found = what.answers()
    return found, _whole(what, body, found)


def _whole(what: Asked, body: ChatRequest, answers: Sequence[Answer]) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "refusal": None, "annotations": [], **_said(one)},
            "logprobs": _logprobs(what, body, one.plan, one.text),
            "finish_reason": one.reply.finish,
        }
        for index, one in enumerate(answers)
    ]
    return {
        **_head(body, "chat.completion", answers[0].id),
        "choices": choices,
        "usage": usage([one.reply for one in answers]),
        **what.explained(answers),
    }


def _said(answer: Answer) -> dict[str, Any]:
    if not answer.reply.calls:
        return {"content": answer.text}
    return {"content": answer.text or None, "tool_calls": json.loads(answer.reply.calls)}


def _logprobs(what: Asked, body: ChatRequest, plan: Plan, text: str) -> dict[str, Any] | None:
    if not body.logprobs:
        return None
    return chat_logprobs(tokens(what.served.engine.lm, plan, text))


def _head(body: ChatRequest, kind: str, reply_id: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply_id or uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": body.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _form(what: Asked, body: ChatRequest, answers: Sequence[Pieces]) -> Form:
    def closing(index: int, reply: Reply) -> dict[str, Any]:
        logprobs = _logprobs(what, body, answers[index].plan, reply.text)
        return {"index": index, "delta": {}, "logprobs": logprobs, "finish_reason": reply.finish}

    def more() -> dict[str, Any]:
        what.said()
        return what.explained(answers)

    counted = body.stream_options and body.stream_options.include_usage
    return Form(
        _head(body, "chat.completion.chunk", answers[0].id),
        lambda index: _delta(index, {"role": "assistant", "content": "", "refusal": None}),
        lambda index, text: _delta(index, {"content": text}),
        closing,
        usage if counted else None,
        more,
    )


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _at_once(whole: dict[str, Any], body: ChatRequest) -> Response:
    """Send a whole answer as a stream: calls of tools come in one piece."""
    counts = whole.pop("usage")
    whole["object"] = "chat.completion.chunk"
    choices = whole.pop("choices")
    for choice in choices:
        choice["delta"] = choice.pop("message")
        for place, call in enumerate(choice["delta"].get("tool_calls", ())):
            call["index"] = place
    events = [{**whole, "choices": choices}]
    if body.stream_options and body.stream_options.include_usage:
        events.append({**whole, "choices": [], "usage": counts})
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Response(f"{data}data: [DONE]\n\n", media_type="text/event-stream")
