"""A reply as it travels: with what it was made of, as far as that is the person's own.

What is other people's is named by its origin only: no export says anything of anyone else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipse.store.schema import micros, moment
from ipse.store.values import StoredReply

__all__ = ["Sourced"]

_LISTS = ("evidence", "earlier", "states")


@dataclass(frozen=True)
class Sourced:
    """A reply and its origins.

    Attributes:
        reply: The reply.
        own: By origin, the ids of the person's own records it stands for.
        others: The origins that stand for other people's records, too.
    """

    reply: StoredReply
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def origins(self) -> set[str]:
        """The ids of all its origins."""
        return {*self.own, *self.others}

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON-able data; `from_json` gives it back, equal."""
        reply = self.reply
        return {
            **{name: getattr(reply, name) for name in ("id", "user", "question", "text")},
            **{name: list(getattr(reply, name)) for name in _LISTS},
            "time": micros(reply.time),
            "methods": reply.methods,
            "strength": reply.strength,
            "own": {name: list(ids) for name, ids in sorted(self.own.items())},
            "others": sorted(self.others),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sourced:
        """Read what `to_json` gave, or raise what a stranger's data makes Python raise."""
        fields = dict(data)
        own = {name: tuple(ids) for name, ids in fields.pop("own").items()}
        others = tuple(fields.pop("others"))
        lists: dict[str, Any] = {name: tuple(fields.pop(name)) for name in _LISTS}
        time, strength = moment(fields.pop("time")), float(fields.pop("strength"))
        reply = StoredReply(time=time, strength=strength, **lists, **fields)
        texts = [reply.id, reply.user, reply.question, reply.text, reply.methods, *others]
        for ids in (*lists.values(), *own.values(), tuple(own)):
            texts += ids
        if not all(isinstance(text, str) for text in texts) or not 0 <= strength <= 1:
            raise TypeError("a line of replies.jsonl is no reply")
        return cls(reply, own, others)
