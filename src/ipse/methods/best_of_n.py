"""`best-of-n`: several answers are drawn, and the one the person would like best is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.errors import unknown
from ipse.lm import Embed, Likelihood, Score
from ipse.methods.base import Base, Learning, Level, Method, Rewards, Steps
from ipse.methods.embedded import unit
from ipse.methods.passage import with_records
from ipse.methods.preferred import preferred
from ipse.plan import Need, Plan
from ipse.records import Use, User
from ipse.rewards import ATTRIBUTES, measure
from ipse.state import State

__all__ = ["BestOfN"]

_DOUBT = 4.0
"""How many pairs in which a person does not care count beside those they told."""


@dataclass(frozen=True)
class BestOfN(Method):
    """Draw several answers and give the one with the highest reward (2009.01325, appendix G.3).

    Strength between 0 and 1 draws fewer: `1 + strength (n - 1)`, rounded. The first of them is
    what the model would have answered at that temperature and seed.

    Attributes:
        n: How many answers are drawn.
        reward: What the best one has most of. `similarity` to what the person wrote, by embedding;
            `likelihood`, how many nats a token their records make it likelier; `attributes`, each
            weighed by the person's pairs; one attribute, such as `hedging`, or less of it, such as
            `-length`; or `none`: what other methods of the composition say.
        temperature: What answers are drawn at where the request says 0, at which all are alike.
        records: How many of the person's latest texts or pairs the reward is made of.
        tokens: For `attributes`: the longest answer of the model's own, in tokens, that stands as
            less liked than the person's where they told too few pairs; 0 asks for none.
        k: For `likelihood`: how many of the latest records are read.
        given: The most words of what a record answers to; both its ends are kept.
        limit: The most words of what the person wrote.
    """

    name: ClassVar[str] = "best-of-n"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "both"
    needs: ClassVar[frozenset[Need]] = frozenset({"candidates"})
    paper: ClassVar[str] = "2009.01325"
    stores: ClassVar[str] = "one vector, or a weight an attribute"

    n: int = 8
    reward: str = "similarity"
    temperature: float = 0.8
    records: int = 40
    tokens: int = 0
    k: int = 6
    given: int = 16
    limit: int = 80

    @property
    def use(self) -> Use:
        """The model reads records for `likelihood` alone; all else is learned."""
        return "prompt" if self.reward == "likelihood" else "train"

    def enroll(self, user: User, shared: State | None) -> Learning:
        """Learn what the person writes like, or of what they like more."""
        del shared
        if self._kind == "similarity":
            return _style(user, self.records)
        return self._weights(user) if self._kind == "attributes" else None

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Ask for several answers."""
        count = 1 + round(plan.strength * (self.n - 1))
        unknown_to_us = state is None and self._kind in ("similarity", "attributes")
        if count < 2 or not user.records or unknown_to_us:
            return plan
        if self._kind == "likelihood":  # what is read to judge by is read, too
            read = [r.id for r in user.latest(self.k) if r.id not in plan.evidence]
            plan = replace(plan, evidence=(*plan.evidence, *read))
        warm = plan.sampling.temperature or self.temperature
        return replace(plan, candidates=count, sampling=replace(plan.sampling, temperature=warm))

    def rewards(self, plan: Plan, texts: Sequence[str], user: User, state: State | None) -> Rewards:
        """Say how much the person likes each answer, in the reward's own unit."""
        question, kind = plan.main.question, self._kind
        if kind == "likelihood":
            return self._likelihood(question, texts, user)
        if kind == "attribute":
            values = _measured([self.reward.removeprefix("-")], question, texts)[:, 0]
            return _numbers(-values if self.reward.startswith("-") else values)
        if kind == "none" or state is None:
            return None
        if kind == "similarity":
            return _similarity(texts, state)
        weights = state.facts["weights"]
        return _numbers(_measured([*weights], question, texts) @ np.array([*weights.values()]))

    @property
    def _kind(self) -> str:
        own = ("similarity", "likelihood", "attributes", "none")
        if self.reward in own:
            return self.reward
        if self.reward.removeprefix("-") in ATTRIBUTES:
            return "attribute"
        raise unknown("reward", self.reward, (*own, *ATTRIBUTES, *(f"-{a}" for a in ATTRIBUTES)))

    def _weights(self, user: User) -> Steps[State | None]:
        """Weigh each attribute by how surely the person likes more of it in their pairs."""
        pairs = yield from preferred(user, self.records, self.given, self.tokens)
        if not pairs:
            return None
        names, prompts = [*ATTRIBUTES], [pair.prompt for pair in pairs]
        chosen = measure(names, prompts, [pair.chosen for pair in pairs])  # (pairs, attributes)
        more = chosen - measure(names, prompts, [pair.rejected for pair in pairs])
        spread = np.sqrt((more**2).mean(0)) + 1e-9  # (attributes,)
        sure = more.mean(0) / spread * len(pairs) / (len(pairs) + _DOUBT)  # in [-1, 1]
        facts = {"weights": dict(zip(names, _numbers(sure / spread), strict=True))}
        lineage = dict.fromkeys(name for pair in pairs for name in pair.records)
        return State(facts=facts, lineage=tuple(lineage))

    def _likelihood(self, question: str, texts: Sequence[str], user: User) -> Steps[list[float]]:
        """Give how many nats a token the person's records make each answer likelier."""
        without = Plan.ask(question)
        knowing = with_records(
            without, user.latest(self.k), form="turns", given=self.given, limit=self.limit
        )
        plans = (knowing,) * len(texts) + (without,) * len(texts)
        scores: list[Score] = yield Likelihood(plans, (*texts, *texts))
        known, plain = scores[: len(texts)], scores[len(texts) :]
        return [(b.nats - a.nats) / max(1, a.tokens) for a, b in zip(known, plain, strict=True)]


def _style(user: User, count: int) -> Steps[State | None]:
    """Give the direction of the mean of the latest texts a person wrote."""
    own = user.of(("content", "dialogue")).latest(count)
    if not own:
        return None
    vectors = yield Embed(tuple(record.output for record in own))
    mean = unit(np.asarray(vectors, np.float64).mean(0)).astype(np.float32)
    return State(arrays={"mean": mean}, lineage=tuple(record.id for record in own))


def _similarity(texts: Sequence[str], state: State) -> Steps[list[float]]:
    """Give the cosine between each answer and what the person wrote."""
    vectors = yield Embed(tuple(texts))
    return _numbers(np.asarray(vectors, np.float64) @ np.asarray(state.arrays["mean"], np.float64))


def _measured(names: Sequence[str], question: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """Give attributes of answers to one question, (texts, names)."""
    return measure(names, [question] * len(texts), texts)


def _numbers(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values]
