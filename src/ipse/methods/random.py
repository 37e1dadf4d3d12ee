"""`random`: some of the person's records, drawn by chance; the control of every search."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Method
from ipse.methods.passage import with_records
from ipse.plan import Plan
from ipse.records import User
from ipse.state import State
from ipse.text import Form

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Method):
    """Show `k` records drawn by the question and a seed: the same question, the same records.

    Attributes:
        k: How many records.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
        seed: Another seed draws other records.
    """

    name: ClassVar[str] = "random"
    paper: ClassVar[str] = "2304.11406"

    k: int = 6
    form: Form = "turns"
    given: int = 16
    limit: int = 80
    seed: int = 0

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Put randomly drawn records in front of the question."""
        del state
        draw = random.Random(f"{self.seed} {user.id} {plan.main.question}")
        places = sorted(draw.sample(range(len(user)), min(self.k, len(user))))
        return with_records(
            plan,
            (user.records[i] for i in places),
            form=self.form,
            given=self.given,
            limit=self.limit,
        )
