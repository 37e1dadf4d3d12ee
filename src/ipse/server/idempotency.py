"""Idempotency-Key: a write that is asked for twice is done once, and answered alike.

What came of a write is remembered with it in one transaction, as ids and times; the answer is made
of those and of the request, so no text is kept for it. What was asked for is compared by a hash
that is keyed with the key itself, so nobody can guess texts from what is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response

from ipse.errors import UsageError
from ipse.server.context import Asks, Serves
from ipse.store import Outcome, Write, Writes

__all__ = ["Body", "Doing", "Once"]

REPLAYED = "Idempotency-Replayed"
"""The header of an answer to what was done before."""

_LONGEST = 255

Act = Callable[[], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Doing:
    """A write of one request; it is done where this is called.

    Attributes:
        writes: Does it once.
        asker: The key of who asks.
        key: The Idempotency-Key; None is none.
        asked: What is asked for.
        response: The answer, whose headers say whether it was done before.
        now: When it was asked for, in UTC.
    """

    writes: Writes
    asker: str
    key: str | None
    asked: bytes
    response: Response
    now: datetime

    def __call__(self, user: str | None, act: Act) -> Outcome:
        """Do it, unless it was done.

        Args:
            user: Of whom it is; None is of nobody.
            act: Does it; gives what it knows better than its transaction did, if anything.

        Returns:
            What came of it; `time` is when it was first asked for.
        """
        outcome = self.writes.once(self._write(user), act, {"time": self.now.isoformat()})
        if outcome.repeated:
            self.response.headers[REPLAYED] = "true"
        return outcome

    def since(self, outcome: Outcome) -> datetime:
        """Say when what came of a write was first asked for."""
        return datetime.fromisoformat(outcome.data["time"])

    def _write(self, user: str | None) -> Write | None:
        if self.key is None:
            return None
        whose = json.dumps([self.asker, user, self.key]).encode()
        asked = hmac.new(self.key.encode(), self.asked, hashlib.sha256)
        return Write(hashlib.sha256(whose).hexdigest(), user or "", asked.hexdigest())


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]


async def _doing(
    request: Request,
    response: Response,
    served: Serves,
    caller: Asks,
    body: Body,
    idempotency_key: Annotated[
        str | None, Header(description="The same for each repeat of one write.")
    ] = None,
) -> Doing:
    if idempotency_key is not None:
        _check(idempotency_key)
    path = request.scope["raw_path"] + b"?" + request.scope["query_string"]
    asked = b"\0".join([request.method.encode(), path, body])
    writes = served.engine.store.writes
    return Doing(writes, caller.key, idempotency_key, asked, response, datetime.now(UTC))


def _check(key: str) -> None:
    if not (0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()):
        raise UsageError(
            f"an Idempotency-Key is 1 to {_LONGEST} printable ASCII characters; got {key[:80]!r}"
        )


Once = Annotated[Doing, Depends(_doing)]
