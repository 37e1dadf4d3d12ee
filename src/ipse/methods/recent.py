"""`recent`: the person's latest records in the prompt; the baseline every method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Method
from ipse.methods.passage import with_records
from ipse.plan import Plan
from ipse.records import User
from ipse.state import State
from ipse.text import Form

__all__ = ["Recent"]


@dataclass(frozen=True)
class Recent(Method):
    """Show the latest `k` records, oldest of them first (recency ranker of LaMP, 2304.11406).

    Attributes:
        k: How many records.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "recent"
    paper: ClassVar[str] = "2304.11406"

    k: int = 6
    form: Form = "turns"
    given: int = 16
    limit: int = 80

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Put the latest records in front of the question."""
        del state
        return with_records(
            plan, user.latest(self.k), form=self.form, given=self.given, limit=self.limit
        )
