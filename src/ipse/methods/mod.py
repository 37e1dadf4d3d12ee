"""`mod`: one adapter an objective, whose next tokens are mixed by what each person wants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import adapted
from ipse.methods.objectives import adapters, names
from ipse.methods.ranking import Recipe, learned
from ipse.methods.wants import wants
from ipse.plan import Fusion, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Mod"]


@dataclass(frozen=True)
class Mod(Method):
    """Decode with models that are each good at one thing: multi-objective decoding (2406.18853).

    With the reverse Kullback-Leibler divergence `log p(y_t) = sum_i w_i log p_i(y_t)`,
    renormalized (eq. 7): optimal for the mixture of rewards, if each model is for its own.

    Attributes:
        objectives: Attributes parted by blanks, each with a minus in front where less of it is
            better.
        weights: How much each counts, parted by blanks; without, it is measured of each person.
        divergence: Which one kept the models near the base while they learned: with `forward` it is
            the harmonic mean of their probabilities.
        given: The most words of a prompt, where weights are measured; both its ends are kept.
        recipe: How adapters are learned, such as `people=50;rate=0.0001`: see
            `ipse.methods.ranking.Recipe`.
    """

    name: ClassVar[str] = "mod"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2406.18853"
    stores: ClassVar[str] = "a weight an objective"
    shared: ClassVar[bool] = True

    objectives: str = "-length formality"
    weights: str = ""
    divergence: Literal["reverse", "forward"] = "reverse"
    given: int = 60
    recipe: str = ""

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn an adapter an objective."""
        return learned(people, names(self.objectives), Recipe.read(self.recipe))

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Find what the person wants."""
        return wants(user, shared, self.weights, self.given)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Read once with each adapter, and mix; the generic reading has what strength leaves."""
        del user
        if state is None:
            return plan
        facts, s = state.facts, plan.strength
        mixed = adapters(facts["adapter"], facts["objectives"], facts["weights"])
        main, *others = (adapted(plan, replace(each, weight=1.0)).main for each in mixed)
        weights = (*(s * each.weight for each in mixed), 1 - s)
        forward = self.divergence == "forward"
        fusion = (
            Fusion("power", weights, (("exponent", -1.0),))
            if forward
            else Fusion("linear", weights)
        )
        generic = plan.generic or plan.main
        return replace(plan, main=main, others=(*others, generic), fusion=fusion)
