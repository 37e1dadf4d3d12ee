"""From a request in OpenAI's words to the engine's, and its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from ipse.errors import NotCarried, Unknown
from ipse.plan import Message, Sampling
from ipse.replies import Answer, Pieces
from ipse.route import written
from ipse.server.context import Served
from ipse.server.identity import HEADER, Caller, named, person
from ipse.server.openai.wire import EmbeddingRequest, Personalization, TextRequest, Turn
from ipse.store import owner

__all__ = ["Asked", "asked", "check_model", "turns_of", "whose"]

_ROLES = {"developer": "system"}
_RECENT = 50  # replies looked through for those that a conversation goes on from
_SEEDS = 1 << 62


@dataclass(frozen=True)
class Asked:
    """What a request asks of the engine.

    Attributes:
        served: What answers.
        user: For whom; None is nobody.
        question: What is asked.
        history: What was said before.
        since: What came after the question: calls of tools, and what these gave.
        own: What is ours in the request.
        sampling: How each answer is drawn; one each.
    """

    served: Served
    user: str | None
    question: str
    history: tuple[Message, ...]
    since: tuple[Message, ...]
    own: Personalization
    sampling: tuple[Sampling, ...]

    def answers(self) -> list[Answer]:
        """Answer, as often as is asked for, all at once."""
        options, ask = self._options(), self.served.engine.ask
        if len(self.sampling) == 1:
            found = [ask(self.user, self.question, sampling=self.sampling[0], **options)]
        else:
            with ThreadPoolExecutor(len(self.sampling)) as pool:
                futures = [
                    pool.submit(ask, self.user, self.question, sampling=one, **options)
                    for one in self.sampling
                ]
                found = [future.result() for future in futures]
        self.said()
        return found

    def pieces(self) -> list[Pieces]:
        """Answer in pieces; nothing is written until they are asked for."""
        options, stream = self._options(), self.served.engine.stream
        return [stream(self.user, self.question, sampling=one, **options) for one in self.sampling]

    def said(self) -> None:
        """Tell who listens what the person said, but for temporary chats."""
        if self.user is not None and not self.own.temporary:
            turns = [*self.history, Message("user", self.question)]
            self.served.said(self.user, turns)

    def explained(self, answers: Sequence[Answer | Pieces]) -> dict[str, Any]:
        """Say what answers are made of, where that is asked for."""
        if not self.own.explain:
            return {}
        engine, plan = self.served.engine, answers[0].plan
        choice = engine.choice(self.user, self.question, self.own.composition)
        ids = [one.id or None for one in answers]
        return {
            "personalization": {
                "methods": written(choice.methods),
                "strength": plan.strength,
                "why": choice.why,
                "evidence": [one.to_json() for one in engine.evidence(self.user, plan)],
                "states": [state for name in plan.states for state in self._state(name)],
                "reply_id": ids[0],
                "reply_ids": ids,
            }
        }

    def _state(self, name: str) -> list[dict[str, Any]]:
        """Give a state at a glance; nothing where it was forgotten by now."""
        try:
            saved = self.served.engine.store.find(name)
        except Unknown:
            return []
        return [
            {
                "id": name,
                "method": saved.key.method,
                "of": owner(saved.key.user, self.user or ""),
                "adapter": saved.state.artifact,
            }
        ]

    def _options(self) -> dict[str, Any]:
        return {
            "methods": self.own.composition,
            "strength": self.own.strength,
            "history": self.history,
            "since": self.since,
            "after": self._earlier(),
            "keep": not self.own.temporary,
        }

    def _earlier(self) -> list[str]:
        """Give the replies whose texts the conversation holds: it is made of what they were."""
        said = {one.content for one in self.history if one.role == "assistant"}
        if not (said and self.user):
            return []
        kept = self.served.engine.store.replies(self.user, _RECENT)
        return [reply.id for reply in kept if reply.text in said]


def whose(body: TextRequest | EmbeddingRequest, request: Request, caller: Caller) -> str | None:
    """Give the person a request is answered for, wherever it names them; None is nobody."""
    header = request.headers.get(HEADER)
    return person(caller, named(body.user, body.safety_identifier, header))


def check_model(served: Served, name: str) -> None:
    """Refuse a model that this server does not go by.

    Args:
        served: The server.
        name: The name in the request.

    Raises:
        Unknown: If it is another; other people's adapters are among those.
    """
    if name != served.settings.serve_as:
        raise Unknown(f"the model {name!r} does not exist here. Known: {served.settings.serve_as}")


def asked(served: Served, user: str | None, body: TextRequest, turns: Sequence[Turn]) -> Asked:
    """Read what a request asks of the engine.

    Args:
        served: What answers.
        user: For whom; None is nobody.
        body: The request.
        turns: The conversation.

    Returns:
        What is asked.

    Raises:
        Unknown: If it names another model.
        NotCarried: If the backend does not carry a field of it.
    """
    check_model(served, body.model)
    messages = turns_of(turns)
    at = max(place for place, one in enumerate(messages) if one.role == "user")
    settings, own = served.settings, body.personalization
    most = getattr(body, "max_completion_tokens", None) or body.max_tokens
    sampling = [
        Sampling(
            max_tokens=most or settings.max_tokens,
            temperature=settings.temperature if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else max(body.top_p, 1e-9),
            seed=((body.seed or 0) + number) % _SEEDS,
            stop=body.stops,
            extra=_extra(served, body, messages),
        )
        for number in range(body.n or 1)
    ]
    question, before, after = messages[at].content, messages[:at], messages[at + 1 :]
    return Asked(served, user, question, before, after, own, tuple(sampling))


def turns_of(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """Give a conversation as the engine takes it."""
    return tuple(
        Message(_ROLES.get(one.role, one.role), one.text, one.extra)  # type: ignore[arg-type]
        for one in turns
    )


def _extra(served: Served, body: TextRequest, messages: Sequence[Message]) -> str:
    """Give the fields that only some backends carry, or say that this one does not."""
    passed = body.passed
    called = any(one.extra or one.role == "tool" for one in messages)
    if (passed or called) and "extra" not in served.engine.lm.carries:
        what = ", ".join(passed) or "messages that call tools"
        raise NotCarried(
            f"{what}: the backend {served.engine.lm.name!r} does not carry it. "
            "Leave it out, or serve with the backend http"
        )
    return json.dumps(passed) if passed else ""
