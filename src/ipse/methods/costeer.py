"""`costeer`: a small model that knows the person steers a large one that does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ipse.methods.base import Level, Method
from ipse.methods.contrast import with_context
from ipse.plan import Fusion, Need, Plan
from ipse.records import Use, User
from ipse.state import State
from ipse.text import Form

__all__ = ["Costeer"]


@dataclass(frozen=True)
class Costeer(Method):
    """Steer the large model by what the context changes in a small one (CoSteer, 2507.04756).

    Attributes:
        small: The small model, with the large one's tokenizer; where it is not given the large one
            stands in for it.
        alpha: How much the way gone so far counts.
        beta: How much the difference in the small model counts.
        pull: How hard the policy is pulled back to the large model: the paper's lambda.
        rate: The learning rate: the paper's eta.
        steps: Updates a token: the paper's T; 1 is its LightCoSteer.
        k: How many of the latest records are the context, where no method before has given one.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "costeer"
    level: ClassVar[Level] = "objective"
    needs: ClassVar[frozenset[Need]] = frozenset({"fusion"})
    paper: ClassVar[str] = "2507.04756"

    small: str = ""
    alpha: float = 2.0
    beta: float = 1.0
    pull: float = 2.0
    rate: float = 10.0
    steps: int = 20
    k: int = 5
    form: Form = "turns"
    given: int = 16
    limit: int = 80

    @property
    def use(self) -> Use:
        """Records are read, and nothing is trained."""
        return "prompt"

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Fuse the small model's two readings, with context and without, into the large one's."""
        del state
        found = with_context(plan, user, self)
        if found is None:
            return plan
        personal, generic = found
        settings = (
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("pull", self.pull),
            ("rate", self.rate),
            ("steps", float(self.steps)),
        )
        push = plan.strength
        if not self.small:  # what the small model says without context is the anchor itself
            fusion = Fusion("ftrl", (push, 1.0), settings)
            return replace(personal, others=(generic,), fusion=fusion)
        return replace(
            personal,
            main=replace(personal.main, model=self.small),
            others=(replace(generic, model=self.small), generic),
            fusion=Fusion("ftrl", (push, -push, 1.0), settings),
        )
