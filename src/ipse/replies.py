"""The life of a reply: begun before the model writes, kept once it is whole.

So what it is made of is known while all of it is there, and whatever is forgotten while the model
writes takes the reply along. This file knows no method and no model.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from ipse.errors import Conflict, UnknownRecord, UnknownReply
from ipse.lm import Reply
from ipse.plan import Plan
from ipse.records import Record
from ipse.running import Running
from ipse.store import Store, StoredReply

__all__ = ["KEEP_REPLIES", "Answer", "Pieces", "Replies"]

KEEP_REPLIES = 200
"""How many replies to a person are kept where a deployment says nothing else: the latest."""

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Replies:
    """Keeps the replies to people who are in a store.

    Attributes:
        store: Where they are kept.
        most: How many of each person, the latest; 0 keeps none.
    """

    store: Store
    most: int = KEEP_REPLIES

    def begin(
        self, user: str | None, question: str, plan: Plan, methods: str, after: Sequence[str]
    ) -> str:
        """Enter a reply that is about to be written.

        Args:
            user: To whom; a reply to nobody is not kept.
            question: What is asked.
            plan: What is run.
            methods: The composition that made it.
            after: The replies before it in its conversation.

        Returns:
            Its id; "" where it is not kept: the person is paused or not in the store, or something
            that it would be made of was forgotten.
        """
        if user is None or not self.most:
            return ""
        reply = StoredReply(
            uuid4().hex,
            user,
            datetime.now(UTC),
            question,
            methods=methods,
            evidence=plan.evidence,
            states=plan.states,
            strength=plan.strength,
        )
        with suppress(Conflict, UnknownReply):
            self.store.begin_reply(reply, after, self.most)
            return reply.id
        return ""

    def finish(self, reply_id: str, text: str) -> str:
        """Keep the text of a reply that was begun; give its id, "" where it is not kept."""
        return reply_id if reply_id and self.store.finish_reply(reply_id, text) else ""

    def drop(self, reply_id: str) -> None:
        """Give up a reply that was begun."""
        if reply_id:
            self.store.drop_reply(reply_id)

    def named(self, text: str, user: str) -> StoredReply | str:
        """Give the reply that an id names, or a text that is no id as it is.

        Args:
            text: The id or the text.
            user: To whom the reply must have been given.

        Returns:
            The reply, or the text.

        Raises:
            UnknownReply: If it looks like an id, and no such reply to the person is kept.
        """
        return self.store.reply(text, user) if _ID.fullmatch(text) else text

    def add(self, records: Sequence[Record]) -> list[Record]:
        """Add feedback; what another process has just added is given as it is there."""
        try:
            self.store.add(records)
        except Conflict:
            return [found for record in records for found in self._added(record)]
        return list(records)

    def _added(self, record: Record) -> list[Record]:
        """Add a record, or give the one of the same person that has its id."""
        with suppress(UnknownRecord):
            return [self.store.record(record.id, record.user)]
        self.store.add([record])
        return [record]


@dataclass(frozen=True)
class Answer:
    """An answer and why it is what it is.

    Attributes:
        text: The answer.
        plan: What was run.
        reply: What the backend said of it.
        evidence: The records the model read.
        id: What the reply is kept under, for feedback; "" where it is not kept.
    """

    text: str
    plan: Plan
    reply: Reply
    evidence: tuple[Record, ...] = ()
    id: str = ""

    def __str__(self) -> str:
        return self.text


class Pieces(Iterator[str]):
    """An answer in pieces, while it is written; together they are the answer.

    Attributes:
        plan: What is run.
        id: The id that the reply is kept under once it is whole; "" where it is not kept.
    """

    def __init__(self, running: Running, reply_id: str, pieces: Generator[str, None, None]) -> None:
        """Take over what gives the pieces.

        Args:
            running: What is run.
            reply_id: What the reply is kept under.
            pieces: What gives the pieces.
        """
        self.plan, self.id = running.plan, reply_id
        self._running, self._pieces = running, pieces

    @property
    def reply(self) -> Reply | None:
        """What the backend said of it; None until it is whole."""
        return self._running.reply

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """End the writing; what is not whole is not kept."""
        self._pieces.close()
