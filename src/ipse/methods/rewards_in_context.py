"""`rewards-in-context`: one adapter that reads which rewards are wanted, and writes so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Loss, Trained
from ipse.lm import Hold, Train
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import adapted
from ipse.methods.objectives import names
from ipse.methods.ranking import Drawn, Recipe, draw, kept, written_to
from ipse.methods.wants import wants
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["RewardsInContext"]

_KEPT = 0.7
"""An answer is learned from again where one of its rewards is above this quantile."""

_LOW, _HIGH = 0.05, 0.95
"""The quantiles of rewards that are asked for at least and at most."""


@dataclass(frozen=True)
class RewardsInContext(Method):
    """Show the rewards of each answer in its prompt while learning, and ask for high ones: RiC.

    Rewards are standard deviations over what the model writes, with one decimal (2402.10207,
    section 3). The heaviest of what a person wants is asked for at its highest, the others at
    their share of that.

    Attributes:
        objectives: Attributes parted by blanks, each with a minus where less of it is better.
        weights: What everybody wants, parted by blanks; "" measures it for each person.
        rounds: How often the adapter then writes to wanted rewards and learns from its best.
        recipe: How answers are drawn and the adapter learns, settings parted by semicolons.
        seed: Of the rewards that are wanted in those rounds.
    """

    name: ClassVar[str] = "rewards-in-context"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2402.10207"
    stores: ClassVar[str] = "a weight an objective"
    shared: ClassVar[bool] = True

    objectives: str = "-length formality"
    weights: str = ""
    rounds: int = 1
    recipe: str = "rate=0.001"
    seed: int = 0

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn from rewarded answers, then from the best of the adapter's own."""
        objectives, recipe = names(self.objectives), Recipe.read(self.recipe)
        found = yield from draw(people, objectives, recipe)
        if found is None:
            return None
        drawn, scale = found
        every = np.concatenate([each.rewards for each in drawn])  # (texts, objectives)
        span = np.quantile(every, [_LOW, _HIGH], axis=0)  # (2, objectives)
        rewarded = [(each, each.texts, each.rewards) for each in drawn]
        start, trained = "", list[Trained]()
        for number in range(1 + self.rounds):
            if number:
                start = yield Hold(trained[0].arrays)
                texts = yield from self._written(drawn, objectives, recipe, span, number, start)
                told = zip(drawn, texts, strict=True)
                asked = [(each, each.answer.plan.main.question, some) for each, some in told]
                rewarded += [(e, s, scale.rewards([q] * len(s), s)) for e, q, s in asked]
            above = (
                np.quantile(every, _KEPT, axis=0) if number else np.full(len(objectives), -np.inf)
            )
            examples = [
                Example(_asking(each.answer.plan, objectives, values).main, text)
                for each, texts, rewards in rewarded
                for text, values in zip(texts, rewards, strict=True)
                if (values >= above).any()
            ]
            trained = yield Train((recipe.job(examples, Loss(), start),))
        facts = {"low": [*map(float, span[0])], "high": [*map(float, span[1])]}
        return kept({"adapter": trained[0]}, drawn, scale, **facts)

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Say what the person wants, and which rewards are asked for."""
        state = wants(user, shared, self.weights, Recipe.read(self.recipe).given)
        if state is None or shared is None:
            return None
        span = np.array([shared.facts["low"], shared.facts["high"]])
        rewards = [round(float(v), 1) for v in mapped(state.facts["weights"], span)]
        return replace(state, facts={**state.facts, "rewards": rewards})

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Ask for the rewards, and attach the adapter."""
        del user
        if state is None:
            return plan
        asked = _asking(plan, names(self.objectives), state.facts["rewards"])
        return adapted(asked, Adapter(f"{state.facts['adapter']}/adapter"))

    def _written(
        self,
        drawn: Sequence[Drawn],
        objectives: Sequence[str],
        recipe: Recipe,
        span: NDArray[np.float64],
        number: int,
        start: str,
    ) -> Steps[list[tuple[str, ...]]]:
        """Let the adapter answer every prompt, each to rewards drawn near the frontier."""
        chance = np.random.default_rng([self.seed, number])
        weights = chance.dirichlet(np.ones(len(objectives)), len(drawn))  # (prompts, objectives)
        plans = [
            adapted(_asking(each.answer.plan, objectives, mapped([*row], span)), Adapter(start))
            for each, row in zip(drawn, weights, strict=True)
        ]
        return (yield from written_to(plans, recipe, number))


def mapped(weights: Sequence[float], span: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the rewards to ask for: the heaviest's highest, of the others their share of the way.

    Args:
        weights: What is wanted, a weight an objective.
        span: The lowest and the highest rewards, (2, objectives).

    Returns:
        The rewards, (objectives,).
    """
    shares = np.array(weights, np.float64) / max(weights)
    rewards: NDArray[np.float64] = span[0] + shares * (span[1] - span[0])
    return rewards


def _asking(plan: Plan, objectives: Sequence[str], rewards: Iterable[float]) -> Plan:
    """Give a plan whose question says which rewards are wanted."""
    told = [f"<{name}> {value:.1f}" for name, value in zip(objectives, rewards, strict=True)]
    return plan.with_question(f"{plan.main.question}\n\n{' '.join(told)}")
