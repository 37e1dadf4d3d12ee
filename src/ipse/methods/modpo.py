"""`modpo`: one adapter a vector of weights, by preference optimization with margins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ipse.job import Example, Job, Loss
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import adapted
from ipse.methods.objectives import names, vectors
from ipse.methods.ranking import Drawn, Recipe, draw, ranked, taught_each
from ipse.methods.wants import wants_nearest
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Modpo"]


@dataclass(frozen=True)
class Modpo(Method):
    """Train one adapter a vector of weights, without reinforcement: MODPO (2310.03708, eq. 10).

    The pairs are ranked by one objective, the heaviest; what the other rewards say of a pair is its
    margin. The adapter whose weights are nearest to what a person wants serves them.

    Attributes:
        objectives: Attributes parted by blanks, each with a minus where less of it is better.
        weights: What everybody wants, parted by blanks; "" measures it for each person.
        vectors: What adapters are trained for, parted by semicolons; "" is five even steps for two
            objectives, and for others each alone, and all alike.
        soft: Whether a pair's target is how likely the better answer would win by its reward; else
            it is that it wins.
        recipe: How answers are drawn and adapters learn, settings parted by semicolons.
    """

    name: ClassVar[str] = "modpo"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2310.03708"
    stores: ClassVar[str] = "a weight an objective"
    shared: ClassVar[bool] = True

    objectives: str = "-length formality"
    weights: str = ""
    vectors: str = ""
    soft: bool = True
    recipe: str = ""

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train an adapter for each vector of weights, all side by side."""
        objectives, recipe = names(self.objectives), Recipe.read(self.recipe)
        every = vectors(self.vectors, objectives)
        found = yield from draw(people, objectives, recipe)
        if found is None:
            return None
        drawn, scale = found
        jobs = {str(i): self._job(recipe, drawn, weights) for i, weights in enumerate(every)}
        kept = {name: job for name, job in jobs.items() if job is not None}
        if len(kept) < len(every):
            return None
        return (yield from taught_each(kept, drawn, scale, vectors=every))

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Say what the person wants, and which adapter is nearest to it."""
        return wants_nearest(user, shared, self.weights, Recipe.read(self.recipe).given)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the adapter."""
        del user
        if state is None:
            return plan
        return adapted(plan, Adapter(f"{state.facts['adapter']}/{state.facts['part']}"))

    def _job(self, recipe: Recipe, drawn: Sequence[Drawn], weights: Sequence[float]) -> Job | None:
        """Give the job of one vector; None where no answer is better than another."""
        by = max(range(len(weights)), key=weights.__getitem__)
        examples = [
            self._example(each, best, worst, by, weights)
            for each in drawn
            for best, worst in ranked(each, each.rewards[:, by], recipe.pairs)
        ]
        if not examples:
            return None
        return recipe.job(examples, Loss("modpo", recipe.beta, share=weights[by]))

    def _example(
        self, each: Drawn, best: int, worst: int, by: int, weights: Sequence[float]
    ) -> Example:
        ahead = each.rewards[best] - each.rewards[worst]  # (objectives,)
        margin = float(ahead @ weights) - float(ahead[by]) * weights[by]
        belief = 1 / (1 + math.exp(-float(ahead[by]))) if self.soft else 1.0
        return Example(
            each.answer.plan.main,
            each.texts[best],
            rejected=each.texts[worst],
            margin=margin,
            belief=belief,
        )
