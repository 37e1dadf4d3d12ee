"""`reward-guided`: at every token, what the preference changes is a reward among the likeliest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ipse.methods.base import Level, Method
from ipse.methods.contrast import with_context
from ipse.plan import Fusion, Need, Plan
from ipse.records import Use, User
from ipse.state import State
from ipse.text import Form

__all__ = ["RewardGuided"]


@dataclass(frozen=True)
class RewardGuided(Method):
    """Weigh the likeliest tokens by a personal reward (PAD, 2410.04070; ARGS, 2402.01694).

    A token's reward is `log p(y_t | preference) - log p(y_t | none)`, and the score among the `top`
    likeliest tokens of the generic model is `log p(y_t) + weight reward`. The preference is
    whatever methods before have put in front of the question; without any, the latest records.

    Attributes:
        weight: How much the reward counts: the paper's w.
        top: How many of the likeliest tokens are weighed; 0 is all.
        small: The model that rewards, with the large one's tokenizer; where it is not given the
            large one rewards itself.
        k: How many of the latest records are read, where no method before has given anything.
        form: Whether answers are shown as turns of a conversation, or all records as a list.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "reward-guided"
    level: ClassVar[Level] = "objective"
    needs: ClassVar[frozenset[Need]] = frozenset({"fusion"})
    paper: ClassVar[str] = "2410.04070"

    weight: float = 0.8
    top: int = 10
    small: str = ""
    k: int = 6
    form: Form = "turns"
    given: int = 16
    limit: int = 80

    @property
    def use(self) -> Use:
        """Records are read, and nothing is trained."""
        return "prompt"

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Fuse the readings with the preference and without, among the likeliest tokens."""
        del state
        found = with_context(plan, user, self)
        if found is None:
            return plan
        personal, generic = found
        push, settings = plan.strength * self.weight, (("top", float(self.top)),)
        if not self.small:  # what the model says without the preference is the anchor itself
            fusion = Fusion("contrast", (push, 1.0), settings)
            return replace(personal, others=(generic,), fusion=fusion)
        return replace(
            personal,
            main=replace(personal.main, model=self.small),
            others=(replace(generic, model=self.small), generic),
            fusion=Fusion("contrast", (push, -push, 1.0), settings),
        )
