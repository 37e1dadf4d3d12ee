"""`steer`: one vector, trained so that what the person prefers becomes likelier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.lm import FitSteering, Reply, Write
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.pairs import Answer, answers, steered
from ipse.plan import Need, Plan
from ipse.records import User
from ipse.state import State
from ipse.text import ends

__all__ = ["Steer"]


@dataclass(frozen=True)
class Steer(Method):
    """Train a steering vector from preference pairs: BiPO (2406.00045).

    Pairs are the person's preferences. Where there are fewer than `pairs`, what the person wrote
    stands as preferred to what the model writes in answer to the same.

    Attributes:
        pairs: How many pairs at most: the latest.
        layer: Where the vector is added, counted from 0, to every token.
        scale: How much of it is added.
        beta: How far from the model, as in the paper.
        steps: Updates.
        batch: Pairs an update.
        rate: The highest learning rate.
        given: The most words of what an answer is to; both its ends are kept.
        tokens: The longest answer of the model's own, in tokens.
        refresh: The vector is trained anew after so many records came or went.
    """

    name: ClassVar[str] = "steer"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"steering"})
    paper: ClassVar[str] = "2406.00045"
    stores: ClassVar[str] = "one vector"
    trains: ClassVar[bool] = True

    pairs: int = 16
    layer: int = 14
    scale: float = 1.0
    beta: float = 0.1
    steps: int = 24
    batch: int = 2
    rate: float = 0.05
    given: int = 60
    tokens: int = 40
    refresh: int = 20

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Train the vector."""
        del shared
        pairs = self._preferences(user)
        own = answers(user, self.pairs - len(pairs), self.given)
        if own:
            replies: list[Reply] = yield Write(tuple(a.plan_of(self.tokens) for a in own))
            pairs += [(a, r.text) for a, r in zip(own, replies, strict=True) if r.text.strip()]
        if not pairs:
            return None
        vector = yield FitSteering(
            plans=tuple(answer.plan for answer, _ in pairs),
            chosen=tuple(answer.text for answer, _ in pairs),
            rejected=tuple(rejected for _, rejected in pairs),
            layer=self.layer,
            beta=self.beta,
            steps=self.steps,
            batch=self.batch,
            rate=self.rate,
        )
        lineage = tuple(answer.record for answer, _ in pairs)
        return State(facts={"records": len(user)}, arrays={"vector": vector}, lineage=lineage)

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the vector until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Add the vector."""
        del user
        if state is None:
            return plan
        return steered(plan, state.kept_name, self.layer, self.scale, start=0)

    def _preferences(self, user: User) -> list[tuple[Answer, str]]:
        """Give the person's own pairs, the latest."""
        found = [
            (Answer(Plan.ask(ends(r.input, self.given)), r.output, r.id), r.rejected)
            for r in user.records
            if r.kind == "preference" and r.rejected and r.output.strip()
        ]
        return found[max(0, len(found) - self.pairs) :]
