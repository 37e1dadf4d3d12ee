"""`full`: the person's whole history in the prompt, as far as it fits: the bound of search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Method
from ipse.methods.passage import with_records
from ipse.plan import Plan
from ipse.records import Record, User
from ipse.state import State
from ipse.text import Form, cut, ends

__all__ = ["Full"]


@dataclass(frozen=True)
class Full(Method):
    """Show every record, the oldest left out once `budget` words are full.

    The full-history prompt that P2P (2510.16282, table 1) and LongMemEval compare with.

    Attributes:
        budget: The most words of all records; a model's window is counted in tokens, of which a
            word has about 1.4.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "full"
    paper: ClassVar[str] = "2510.16282"

    budget: int = 1500
    form: Form = "turns"
    given: int = 16
    limit: int = 80

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Put the whole history in front of the question, or the latest of it that fits."""
        del state
        return with_records(
            plan, self._fitting(user), form=self.form, given=self.given, limit=self.limit
        )

    def _fitting(self, user: User) -> tuple[Record, ...]:
        left = self.budget
        for count, record in enumerate(reversed(user.records)):
            left -= len(ends(record.input, self.given).split())
            left -= len(cut(record.output, self.limit).split())
            if left < 0:
                return user.latest(count)
        return user.records
