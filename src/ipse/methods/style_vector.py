"""`style-vector`: how the person writes, as one direction in the model's hidden states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Hidden, Hold, Likelihood, Reply, Score, Write
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.pairs import Answer, answers, numbers, steered
from ipse.plan import Need, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["StyleVector"]

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class StyleVector(Method):
    """Add the mean difference between own and neutral texts: StyleVector (2503.05213).

    `v = mean_i [h(y_i) - h(y~_i)]` at one layer, where `y_i` is what the person wrote and `y~_i`
    what the model writes in answer to the same; `scale v` is added from the prompt's last token on.
    The layer and the scale are the ones that serve other people best (`fit`); without it the middle
    one of each list.

    Attributes:
        records: How many of the person's latest answers the vector is made from.
        layers: The layers that `fit` chooses from, counted from 0, negative from the last.
        scales: The scales that `fit` chooses from.
        position: Whether a text's state is the one at its last token, or the mean over its tokens.
        given: The most words of what an answer is to; both its ends are kept.
        tokens: The longest neutral text, in tokens.
        people: How many people `fit` chooses by.
        items: How many later answers of each.
        refresh: The vector is made anew after so many records came or went.
    """

    name: ClassVar[str] = "style-vector"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"steering"})
    paper: ClassVar[str] = "2503.05213"
    stores: ClassVar[str] = "one vector"
    shared: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    records: int = 16
    layers: str = "8 14 20"
    scales: str = "0.5 1.0 2.0"
    position: Literal["last", "mean"] = "last"
    given: int = 60
    tokens: int = 40
    people: int = 8
    items: int = 3
    refresh: int = 20

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Choose the layer and scale under which people's later answers are likeliest."""
        found = (answers(user, self.records + self.items, self.given) for user in people)
        known = list(islice((each for each in found if len(each) > self.items), self.people))
        layers, scales = numbers(self.layers, int), numbers(self.scales, float)
        if not known:
            return None
        vectors = yield from self._vectors([each[: -self.items] for each in known], layers)
        name: str = yield Hold(
            {f"{i}/{layer}": v for layer in layers for i, v in enumerate(vectors[layer])}
        )
        later = [(i, answer) for i, each in enumerate(known) for answer in each[-self.items :]]
        choices = list(product(layers, scales))
        plans = [
            steered(answer.plan, f"{name}/{i}/{layer}", layer, scale, start=-1)
            for layer, scale in choices
            for i, answer in later
        ]
        targets = [answer.text for _, answer in later]
        scores: list[Score] = yield Likelihood(tuple(plans), tuple(targets * len(choices)))
        nats = [
            sum(score.nats for score in scores[first : first + len(later)])
            for first in range(0, len(scores), len(later))
        ]
        layer, scale = choices[int(np.argmin(nats))]
        table = [[*choice, total] for choice, total in zip(choices, nats, strict=True)]
        read = tuple(answer.record for each in known for answer in each)
        return State(facts={"layer": layer, "scale": scale, "nats": table}, lineage=read)

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Let the model answer what the person answered, and take the difference."""
        own = answers(user, self.records, self.given)
        if not own:
            return None
        layer, scale = self._chosen(shared)
        vectors = yield from self._vectors([own], [layer])
        return State(
            facts={"layer": layer, "scale": scale, "records": len(user)},
            arrays={"vector": vectors[layer][0]},
            lineage=tuple(answer.record for answer in own),
        )

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the vector until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Add the vector."""
        del user
        if state is None:
            return plan
        layer, scale = state.facts["layer"], state.facts["scale"]
        return steered(plan, state.kept_name, layer, scale, start=-1)

    def _chosen(self, shared: State | None) -> tuple[int, float]:
        if shared:
            return shared.facts["layer"], shared.facts["scale"]
        layers, scales = numbers(self.layers, int), numbers(self.scales, float)
        return layers[len(layers) // 2], scales[len(scales) // 2]

    def _vectors(
        self, people: Sequence[Sequence[Answer]], layers: Sequence[int]
    ) -> Steps[dict[int, list[Vector]]]:
        """Give each person's vector at each layer."""
        each = [answer for theirs in people for answer in theirs]
        asked = tuple(answer.plan_of(self.tokens) for answer in each)
        replies: list[Reply] = yield Write(asked)
        plans = tuple(answer.plan for answer in each) * 2
        own = tuple(answer.text for answer in each)
        neutral = (r.text.strip() or text for r, text in zip(replies, own, strict=True))
        texts = (*own, *neutral)  # an answer left empty makes no difference
        states: NDArray[np.float32] = yield Hidden(plans, texts, tuple(layers), self.position)
        apart = states[: len(each)] - states[len(each) :]  # (answers, layers, hidden)
        ends = np.cumsum([len(theirs) for theirs in people])[:-1]
        means = [part.mean(0) for part in np.split(apart, ends)]  # (layers, hidden) each
        return {layer: [mean[i] for mean in means] for i, layer in enumerate(layers)}
