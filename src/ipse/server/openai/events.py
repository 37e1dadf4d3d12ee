"""Answers in pieces, as server-sent events: `data: {...}`, and at the end `data: [DONE]`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyio import CancelScope
from starlette.responses import StreamingResponse

from ipse.lm import Reply
from ipse.replies import Pieces
from ipse.server.context import blocking
from ipse.server.failures import failed
from ipse.server.observe import Span

__all__ = ["Form", "begun", "respond"]


@dataclass(frozen=True)
class Form:
    """How the parts of a stream are written.

    Attributes:
        head: What every event holds.
        opening: Makes the first choice of an answer, from its index; None where there is none.
        piece: Makes a choice of a piece, from its index and the text.
        closing: Makes the last choice of an answer, from its index and how it ended.
        usage: Counts tokens, from all replies; None where nobody asked.
        more: Gives what else the last event of choices holds; it may look into the store.
    """

    head: Mapping[str, Any]
    opening: Callable[[int], dict[str, Any]] | None
    piece: Callable[[int, str], dict[str, Any]]
    closing: Callable[[int, Reply], dict[str, Any]]
    usage: Callable[[Sequence[Reply]], dict[str, Any]] | None
    more: Callable[[], dict[str, Any]]


async def begun(answers: Sequence[Pieces]) -> list[str | None]:
    """Wait for the first piece of each answer: what fails before it is an error of its own.

    Args:
        answers: The answers.

    Returns:
        The pieces; None where an answer is empty.
    """
    try:
        return [await blocking(next, one, None) for one in answers]
    except BaseException:
        for one in answers:
            one.close()
        raise


def respond(
    form: Form, answers: Sequence[Pieces], first: Sequence[str | None], span: Span
) -> StreamingResponse:
    """Send answers in pieces.

    Args:
        form: How they are written.
        answers: The answers.
        first: The first piece of each.
        span: Told what came of it.

    Returns:
        The response.
    """
    events = _events(form, answers, first, span)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def _events(
    form: Form, answers: Sequence[Pieces], first: Sequence[str | None], span: Span
) -> AsyncIterator[bytes]:
    try:
        async for data in _data(form, answers, first, span):
            yield _event(data)
        yield b"data: [DONE]\n\n"
    except Exception as error:  # the status is sent already: it is told as OpenAI tells it
        span.failed(error)
        yield _event(failed(error))
    finally:
        span.stopped()
        with CancelScope(shield=True):
            for one in answers:
                await blocking(one.close)


async def _data(
    form: Form, answers: Sequence[Pieces], first: Sequence[str | None], span: Span
) -> AsyncIterator[dict[str, Any]]:
    usage = {"usage": None} if form.usage else {}
    if form.opening:
        for index in range(len(answers)):
            yield {**form.head, "choices": [form.opening(index)], **usage}
    under_way = dict(enumerate(first))
    while under_way:
        for index, piece in list(under_way.items()):
            if piece is None:
                del under_way[index]
                continue
            span.piece()
            yield {**form.head, "choices": [form.piece(index, piece)], **usage}
            under_way[index] = await blocking(next, answers[index], None)
    replies = [one.reply or Reply("") for one in answers]
    choices = [await blocking(form.closing, *each) for each in enumerate(replies)]
    more = await blocking(form.more)
    span.done(replies)
    for index, choice in enumerate(choices):
        last = index == len(choices) - 1
        yield {**form.head, "choices": [choice], **usage, **(more if last else {})}
    if form.usage:
        yield {**form.head, "choices": [], "usage": form.usage(replies)}


def _event(data: Mapping[str, Any]) -> bytes:
    # Escaped, for a model may write half a character, which has no UTF-8.
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"
