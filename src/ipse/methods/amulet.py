"""`amulet`: at every token, follow the leader away from the generic model, pulled back a little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Level, Method
from ipse.methods.contrast import against_generic
from ipse.plan import Need, Plan
from ipse.records import Use, User
from ipse.state import State
from ipse.text import Form

__all__ = ["Amulet"]


@dataclass(frozen=True)
class Amulet(Method):
    """Realign at every token by an online game against the generic model (2502.19148).

    The preference in words is whatever methods before have put in front of the question; without
    any, it is the person's latest records.

    Attributes:
        alpha: How much the utility counts: how far the policy is from the generic model.
        pull: How hard the policy is pulled back to where it started: the paper's lambda.
        rate: The learning rate: the paper's eta.
        steps: Updates a token: the paper's T.
        k: How many of the latest records are the context, where no method before has given one.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "amulet"
    level: ClassVar[Level] = "objective"
    needs: ClassVar[frozenset[Need]] = frozenset({"fusion"})
    paper: ClassVar[str] = "2502.19148"

    alpha: float = 2.0
    pull: float = 2.0
    rate: float = 10.0
    steps: int = 60
    k: int = 6
    form: Form = "turns"
    given: int = 16
    limit: int = 80

    @property
    def use(self) -> Use:
        """Records are read, and nothing is trained."""
        return "prompt"

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Fuse the reading with the preference and the generic one."""
        del state
        settings = (
            ("alpha", self.alpha),
            ("beta", self.alpha),
            ("pull", self.pull),
            ("rate", self.rate),
            ("start", 1.0),
            ("steps", float(self.steps)),
        )
        return against_generic(plan, user, self, 1.0, "ftrl", settings)
