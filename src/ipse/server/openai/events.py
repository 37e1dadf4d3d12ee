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
from ipse.server.openai.reading import Reading

__all__ = ["Begun", "Form", "begun", "respond"]


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


@dataclass(frozen=True)
class Begun:
    """Answers of which each has begun, or is empty.

    Attributes:
        readings: The answers.
        first: The first piece of each; None where it is empty.
    """

    readings: Sequence[Reading]
    first: Sequence[str | None]

    async def close(self) -> None:
        """End the writing of all that are not whole."""
        with CancelScope(shield=True):
            for one in self.readings:
                await one.close()


async def begun(answers: Sequence[Pieces]) -> Begun:
    """Wait for the first piece of each answer: what fails before it is an error of its own.

    Args:
        answers: The answers.

    Returns:
        The answers, with their first pieces.
    """
    readings = [Reading(one) for one in answers]
    try:
        return Begun(readings, [await one.next() for one in readings])
    except BaseException:
        await Begun(readings, ()).close()
        raise


def respond(form: Form, begun: Begun, span: Span) -> StreamingResponse:
    """Send answers in pieces.

    Args:
        form: How they are written.
        begun: The answers.
        span: Told what came of it.

    Returns:
        The response.
    """
    events = _events(form, begun, span)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def _events(form: Form, begun: Begun, span: Span) -> AsyncIterator[bytes]:
    try:
        async for data in _data(form, begun, span):
            yield _event(data)
        yield b"data: [DONE]\n\n"
    except Exception as error:  # the status is sent already: it is told as OpenAI tells it
        span.failed(error)
        yield _event(failed(error))
    finally:
        span.stopped()
        await begun.close()


async def _data(form: Form, begun: Begun, span: Span) -> AsyncIterator[dict[str, Any]]:
    usage = {"usage": None} if form.usage else {}
    if form.opening:
        for index in range(len(begun.readings)):
            yield {**form.head, "choices": [form.opening(index)], **usage}
    under_way = dict(enumerate(begun.first))
    while under_way:
        for index, piece in list(under_way.items()):
            if piece is None:
                del under_way[index]
                continue
            span.piece()
            yield {**form.head, "choices": [form.piece(index, piece)], **usage}
            under_way[index] = await begun.readings[index].next()
    replies = [one.pieces.reply or Reply("") for one in begun.readings]
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
