"""`drift`: what a person prefers as a mixture of attributes, each a system prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ipse.errors import UsageError, unknown
from ipse.lm import Likelihood, Score
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.preferred import preferred
from ipse.plan import Fusion, Plan, Stream
from ipse.preferences import Pair
from ipse.records import User
from ipse.state import State

__all__ = ["PROMPTS", "Drift"]

PROMPTS = {
    "casual": "Answer like a friend in a chat: casual words, contractions, no ceremony.",
    "concise": "Answer in as few words as possible. Leave out everything that is not needed.",
    "direct": "Answer bluntly. Take a clear side and do not hedge.",
    "emotional": "Answer with feeling. Say what is moving, upsetting or delightful.",
    "factual": "Answer with facts: evidence, numbers and sources, and no opinion.",
    "formal": "Answer in formal, impersonal language, as in an official letter.",
    "humorous": "Answer with wit. Make a joke where one fits.",
    "modest": "Answer carefully. Say what is uncertain and what others may think.",
    "plain": "Answer in short sentences and simple words that a child can follow.",
    "technical": "Answer as an expert for experts, in precise technical terms.",
    "thorough": "Answer at length. Explain every step, with reasons and examples.",
    "vivid": "Answer in vivid pictures, with details that can be seen and heard.",
}
"""The attributes there are, each as the system prompt that asks for it."""


@dataclass(frozen=True)
class Drift(Method):
    """Decode towards attributes, weighed by a person's pairs (Drift, 2502.14289).

    An attribute's reward of an answer is `log p(y | s_i, x) - log p(y | s_0, x)`, with its system
    prompt and without. With `W` and `L` its sums over what was chosen and what was rejected, the
    person's weights are `p = (W - L) / ||W - L||`, and every token is drawn from
    `log p(y_t) + 1/beta sum_i p_i (log p(y_t | s_i) - log p(y_t | s_0))`.

    Pairs are the person's preferences. Where there are fewer than `pairs`, what the person wrote
    stands as preferred to what the model writes in answer to the same.

    Attributes:
        attributes: Their names, parted by blanks; each is one more reading of every token.
        beta: How hard the model holds on to its own.
        per_token: Whether a reward is the mean over an answer's tokens. The paper's is the sum,
            which tells long answers from short ones more than one attribute from another.
        small: The model that the attributes are read with, with the large one's tokenizer; where it
            is not given the large one stands in for it.
        pairs: How many pairs at most: the latest.
        given: The most words of a prompt; both its ends are kept.
        tokens: The longest answer of the model's own, in tokens; 0 asks for none.
        refresh: The weights are found anew after so many records came or went.
    """

    name: ClassVar[str] = "drift"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2502.14289"
    stores: ClassVar[str] = "a weight an attribute"
    trains: ClassVar[bool] = True

    attributes: str = "casual concise formal thorough vivid"
    beta: float = 1.0
    per_token: bool = True
    small: str = ""
    pairs: int = 20
    given: int = 60
    tokens: int = 40
    refresh: int = 20

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Find the person's weights."""
        del shared
        names = self._names()
        pairs = yield from preferred(user, self.pairs, self.given, self.tokens)
        if not pairs:
            return None
        gains = yield from self._gains(pairs)
        length = math.hypot(*gains)
        if length == 0:
            return None
        facts = {
            "weights": {name: gain / length for name, gain in zip(names, gains, strict=True)},
            "pairs": len(pairs),
            "records": len(user),
        }
        lineage = dict.fromkeys(name for pair in pairs for name in pair.records)
        return State(facts=facts, lineage=tuple(lineage))

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the weights until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Read under each attribute, and shift the model by what they change."""
        del user
        if state is None:
            return plan
        generic = plan.generic or plan.main
        weights: dict[str, float] = dict(sorted(state.facts["weights"].items()))
        read = [(self._under(generic, name), weight) for name, weight in weights.items()]
        if self.small:  # what it says without any is not the anchor
            read.append((replace(generic, model=self.small), -sum(weights.values())))
        if plan.main != generic:  # what methods before have made of it, in full
            read.insert(0, (plan.main, self.beta))
        streams = [stream for stream, _ in read]
        pushes = (*(plan.strength * weight for _, weight in read), 1.0)
        fusion = Fusion("shift", pushes, (("beta", self.beta),))
        return replace(plan, main=streams[0], others=(*streams[1:], generic), fusion=fusion)

    def _gains(self, pairs: Sequence[Pair]) -> Steps[list[float]]:
        """Give `W - L`, one number an attribute, in nats, or nats a token."""
        bare = [replace(Plan.ask(p.prompt).main, model=self.small or None) for p in pairs]
        readings = [bare, *([self._under(each, n) for each in bare] for n in self._names())]
        plans = tuple(Plan(stream) for streams in readings for stream in streams for _ in range(2))
        texts = tuple(text for pair in pairs for text in (pair.chosen, pair.rejected))
        scores: list[Score] = yield Likelihood(plans, texts * len(readings))
        costs = [s.nats / (max(1, s.tokens) if self.per_token else 1) for s in scores]
        # Costs are negative log-probabilities: what was rejected less what was chosen.
        apart = [costs[place + 1] - costs[place] for place in range(0, len(costs), 2)]
        count = len(pairs)
        base, *under = (math.fsum(apart[i : i + count]) for i in range(0, len(apart), count))
        return [each - base for each in under]

    def _under(self, stream: Stream, name: str) -> Stream:
        return replace(stream.with_context(PROMPTS[name]), model=self.small or stream.model)

    def _names(self) -> tuple[str, ...]:
        names = tuple(self.attributes.split())
        for name in names:
            if name not in PROMPTS:
                raise unknown("attribute", name, PROMPTS)
        if not names or len(set(names)) < len(names):
            raise UsageError(
                "attributes are different names, parted by blanks, such as 'concise formal'; "
                f"got {self.attributes!r}"
            )
        return names
