"""`rewarded-soup`: one adapter an objective, learned once, mixed by what each person wants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import adapted
from ipse.methods.objectives import adapters, names
from ipse.methods.ranking import Recipe, learned
from ipse.methods.wants import wants
from ipse.plan import Need, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["RewardedSoup"]


@dataclass(frozen=True)
class RewardedSoup(Method):
    """Mix the weights of models that are each good at one thing: Rewarded Soups (2306.04488).

    `theta = theta_0 + sum_i w_i B_i A_i`: the average, by a person's weights, of models that each
    learned one objective (section 2.2; for people, Personalized Soups, 2310.11564).

    Attributes:
        objectives: Attributes parted by blanks, each with a minus in front where less of it is
            better.
        weights: How much each counts, parted by blanks; without, it is measured of each person.
        given: The most words of a prompt, where weights are measured; both its ends are kept.
        recipe: How adapters are learned, such as `people=50;rate=0.0001`: see
            `ipse.methods.ranking.Recipe`.
    """

    name: ClassVar[str] = "rewarded-soup"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2306.04488"
    stores: ClassVar[str] = "a weight an objective"
    shared: ClassVar[bool] = True

    objectives: str = "-length formality"
    weights: str = ""
    given: int = 60
    recipe: str = ""

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn an adapter an objective."""
        return learned(people, names(self.objectives), Recipe.read(self.recipe))

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Find what the person wants."""
        return wants(user, shared, self.weights, self.given)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach all adapters, each by its weight."""
        del user
        if state is None:
            return plan
        facts = state.facts
        return adapted(plan, *adapters(facts["adapter"], facts["objectives"], facts["weights"]))
