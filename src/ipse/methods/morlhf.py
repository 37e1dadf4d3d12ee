"""`morlhf`: one adapter a vector of weights, by reinforcement with the weighted rewards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Job, Loss, Trained
from ipse.lm import Hold, Train
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import adapted
from ipse.methods.objectives import Scale, names, vectors
from ipse.methods.ranking import Drawn, Recipe, draw, kept, written_to
from ipse.methods.wants import wants_nearest
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["Morlhf", "advantages"]


@dataclass(frozen=True)
class Morlhf(Method):
    """Train one adapter a vector of weights on what it wrote itself: MORLHF (2306.01693, eq. 3).

    Round by round an adapter writes answers, their rewards are weighted, and each answer counts by
    how far it is above the mean of the others to its prompt (RLOO, 2402.14740, eq. 8), less the
    distance to the adapter of the round before. The adapter whose weights are nearest to what a
    person wants serves them.

    Attributes:
        objectives: Attributes parted by blanks, each with a minus where less of it is better.
        weights: What everybody wants, parted by blanks; "" measures it for each person.
        vectors: What adapters are trained for, parted by semicolons; "" is five even steps for two
            objectives, and for others each alone, and all alike.
        rounds: How often answers are written and learned from.
        asked: How many prompts a round.
        kl: What the distance to the round's beginning counts, in nats a token.
        recipe: How answers are drawn and adapters learn, settings parted by semicolons.
    """

    name: ClassVar[str] = "morlhf"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2306.01693"
    stores: ClassVar[str] = "a weight an objective"
    shared: ClassVar[bool] = True

    objectives: str = "-length formality"
    weights: str = ""
    vectors: str = ""
    rounds: int = 3
    asked: int = 16
    kl: float = 0.1
    recipe: str = "epochs=1"

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Let all vectors' adapters write and learn side by side."""
        objectives, recipe = names(self.objectives), Recipe.read(self.recipe)
        every = vectors(self.vectors, objectives)
        found = yield from draw(people, objectives, recipe)
        if found is None:
            return None
        drawn, scale = found
        starts, trained = [""] * len(every), list[Trained]()
        for number in range(max(1, self.rounds)):
            chosen = [drawn[i % len(drawn)] for i in self._places(number, len(drawn))]
            written = yield from self._written(chosen, starts, recipe, number)
            jobs = [
                self._job(recipe, scale, chosen, texts, weights, start)
                for texts, weights, start in zip(written, every, starts, strict=True)
            ]
            trained = yield Train(tuple(jobs))
            starts = []
            for each in trained:
                name: str = yield Hold(each.arrays)
                starts.append(name)
        parts = {str(i): each for i, each in enumerate(trained)}
        return kept(parts, drawn, scale, vectors=every)

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Say what the person wants, and which adapter is nearest to it."""
        return wants_nearest(user, shared, self.weights, Recipe.read(self.recipe).given)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Attach the adapter."""
        del user
        if state is None:
            return plan
        return adapted(plan, Adapter(f"{state.facts['adapter']}/{state.facts['part']}"))

    def _places(self, number: int, count: int) -> range:
        """Give which prompts a round is of: the next ones, all of them in turn."""
        size = min(max(1, self.asked), count)
        return range(number * size, number * size + size)

    def _written(
        self, chosen: Sequence[Drawn], starts: Sequence[str], recipe: Recipe, number: int
    ) -> Steps[list[list[tuple[str, ...]]]]:
        """Let each adapter answer each prompt; give the answers, by adapter and prompt.

        In the first round all are the model as it is, whose answers are there already.
        """
        if not number:
            here = [tuple(t for t in d.texts if t != d.answer.text) for d in chosen]
            return [here] * len(starts)
        plans = [
            adapted(each.answer.plan, *([Adapter(start)] if start else []))
            for start in starts
            for each in chosen
        ]
        texts = iter((yield from written_to(plans, recipe, number)))
        return [list(islice(texts, len(chosen))) for _ in starts]

    def _job(
        self,
        recipe: Recipe,
        scale: Scale,
        chosen: Sequence[Drawn],
        written: Sequence[Sequence[str]],
        weights: Sequence[float],
        start: str,
    ) -> Job:
        """Give a round's job of one adapter."""
        examples = []
        for each, texts in zip(chosen, written, strict=True):
            # A prompt that nothing, or all the same, is written to teaches what a person wrote.
            some = texts if len(set(texts)) > 1 else (*texts, each.answer.text)
            rewards = scale.rewards([each.answer.plan.main.question] * len(some), some) @ weights
            for text, above in zip(some, advantages(rewards), strict=True):
                examples.append(Example(each.answer.plan.main, text, weight=float(above)))
        return recipe.job(examples, Loss(kl=self.kl), start)


def advantages(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how far each reward is above the mean of the others, (answers,); 0 of a single one."""
    count = len(rewards)
    if count < 2:
        return np.zeros(count)
    above: NDArray[np.float64] = (rewards - rewards.mean()) * count / (count - 1)
    return above
