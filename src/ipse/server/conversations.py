"""Conversations become records, where a deployment says so: what the person said, and only that.

What the model said is not kept: it was made of other records, and would outlive them. A request
brings a whole conversation along; of it, the last thing the person said is new.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence

from ipse.engine import Ipse
from ipse.errors import Conflict, IpseError
from ipse.plan import Message
from ipse.records import USES, Record, Use

__all__ = ["Listener", "uses_of"]

_LOG = logging.getLogger("ipse.conversations")

SOURCE = "conversation"
"""The source of every record that a conversation left."""


class Listener:
    """Keeps what people say in conversations, unless they are paused.

    Args:
        engine: Where it is kept.
        uses: What the records may be used for.
    """

    def __init__(self, engine: Ipse, uses: frozenset[Use]) -> None:
        self._engine, self._uses = engine, uses

    def __call__(self, user: str, messages: Sequence[Message]) -> None:
        """Keep the last thing a person said; nothing that goes wrong with that is the answer's.

        Args:
            user: Who.
            messages: The conversation.
        """
        said = [place for place, message in enumerate(messages) if message.role == "user"]
        if not said or not messages[said[-1]].content.strip():
            return
        if self._engine.store.pauses.since(user) is not None:
            return
        try:
            self._engine.add([self._record(user, messages[: said[-1] + 1])])
        except Conflict:  # the same was asked again: it is known
            return
        except IpseError as error:
            _LOG.warning("what was said is not kept: %s", type(error).__name__)

    def _record(self, user: str, messages: Sequence[Message]) -> Record:
        turns = [[message.role, message.content] for message in messages]
        thread = next(turn for turn in turns if turn[0] == "user")
        return Record(
            user=user,
            kind="dialogue",
            output=messages[-1].content,
            source=SOURCE,
            meta={"thread": _digest([user, thread])},
            uses=self._uses,
            # Of the conversation and not of the time: who asks for another answer says nothing new.
            id=_digest([user, turns]),
        )


def uses_of(text: str) -> frozenset[Use]:
    """Read what records may be used for, such as `prompt,train`."""
    given = {part.strip() for part in text.split(",")}
    return frozenset(use for use in USES if use in given)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
