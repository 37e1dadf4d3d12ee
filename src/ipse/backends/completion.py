"""Chat completions as servers take and give them; nothing is sent from here."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from ipse.backends.vllm import strange, turns
from ipse.errors import BackendFailure
from ipse.lm import Finish, Reply
from ipse.plan import Plan

__all__ = ["combined", "drawn", "request", "written"]

_ENDS: dict[str, Finish] = {"length": "length", "tool_calls": "tool_calls"}


def request(model: str, plan: Plan, seed: int) -> dict[str, Any]:
    """Give the body of the request for one answer to a plan."""
    sampling = plan.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": turns(plan.main.messages),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    return {**body, **json.loads(sampling.extra or "{}")}


def drawn(base: str, data: Any) -> Reply:
    """Read a chat completion.

    Args:
        base: Who gave it.
        data: What they gave.

    Returns:
        The reply.

    Raises:
        BackendFailure: If it is none, or was withheld.
    """
    try:
        choice = data["choices"][0]
        text, calls = choice["message"].get("content"), choice["message"].get("tool_calls")
        usage = data.get("usage") or {}
        finish = _finish(base, choice.get("finish_reason"))
        read, wrote = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise strange(base, "a chat completion", data) from error
    if not (isinstance(text, str) or (text is None and calls)):
        raise strange(base, "a chat completion with text", data)
    return Reply(text or "", finish, read, wrote, calls=json.dumps(calls) if calls else "")


def combined(replies: Sequence[Reply]) -> Reply:
    """Make one reply of several answers to a plan: the first, with all as its candidates."""
    first = replies[0]
    return Reply(
        text=first.text,
        finish=first.finish,
        prompt_tokens=sum(one.prompt_tokens for one in replies),
        tokens=sum(one.tokens for one in replies),
        candidates=tuple(one.text for one in replies),
        finishes=tuple(one.finish for one in replies),
        calls=first.calls,
    )


def written(base: str, events: Iterable[Any]) -> Generator[str, None, Reply]:
    """Read a completion that comes in pieces; return the reply, its tokens where they are told."""
    text, finish = "", _finish(base, None)
    usage: dict[str, Any] = {}
    for event in events:
        try:
            # The last chunk may hold only the usage, and no choice.
            choice = event["choices"][0] if event["choices"] else {"delta": {}}
            piece = choice["delta"].get("content") or ""
            usage = event.get("usage") or usage
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise strange(base, "a chat completion chunk", event) from error
        if choice.get("finish_reason"):
            finish = _finish(base, choice["finish_reason"])
        if piece:
            text += piece
            yield piece
    read, wrote = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    return Reply(text, finish, read, wrote, (text,), (finish,))


def _count(usage: Mapping[str, Any], name: str) -> int:
    return int(usage.get(name) or 0)


def _finish(base: str, reason: str | None) -> Finish:
    if reason == "content_filter":
        raise BackendFailure(f"{base} withheld its answer: its content filter struck")
    return _ENDS.get(reason or "", "stop")
