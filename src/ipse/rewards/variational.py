"""A person as a hidden vector, guessed from their pairs: VPL (2408.10075), scaled down.

An encoder reads pairs and gives a Gaussian over the hidden vector `z`; a reward reads a text and
`z`. Both are small networks, learned together; gradients are written out, and numpy is all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ipse.rewards.learning import (
    Adam,
    Arrays,
    Compared,
    Floats,
    Task,
    compressed,
    sigmoid,
    tasks,
    untied,
)

__all__ = ["Variational"]

_CALM = 8.0
"""How many pairs that say nothing count beside a person's own, so that few pairs say little."""


@dataclass(frozen=True)
class Variational:
    """Pairs to a hidden vector to a reward.

    `h = sum_i tanh(d_i E + e) - tanh(e)` over pairs' differences, by their number and `_CALM`;
    `z ~ N(h M, exp(h S + s))`; and `r(x, z) = mean' x + (tanh(x A + z C + c) - tanh(x A + c)) v`,
    so that no pairs at all give everyone's reward.

    Attributes:
        latent: The length of the hidden vector.
        hidden: The units of each network.
        width: In how many directions texts are looked at: those in which compared ones differ most.
        ridge: How hard everyone's reward is held to none.
        divergence: The weight of the divergence from a standard normal vector.
        steps: Updates.
        batch: People in each.
        known: The most pairs of a person that the encoder reads while it learns.
        asked: The pairs that its guess is tested on.
        rate: The first learning rate.
        decay: Weight decay.
        seed: Of where it begins and of what is drawn.
    """

    latent: int = 8
    hidden: int = 32
    width: int = 32
    ridge: float = 3.0
    divergence: float = 1e-3
    steps: int = 1500
    batch: int = 16
    known: int = 64
    asked: int = 16
    rate: float = 1e-2
    decay: float = 0.1
    seed: int = 0

    def fit(self, people: Sequence[Compared]) -> Arrays:
        """Learn both networks, and everyone's reward."""
        onto, near, mean = compressed(untied(people), self.width, self.ridge)
        learned = self._begin(onto.shape[1])
        several = [one for one in near if len(one) > 1]
        adam = Adam(learned, self.rate, self.steps, self.decay)
        noise = np.random.default_rng([self.seed, 1])
        for task in tasks(several, self.steps, self.batch, self.known, self.asked, self.seed):
            drawn = noise.standard_normal((self.batch, self.latent))
            adam.step(self.loss(learned, mean, task, drawn)[1])
        return {"onto": onto, "mean": onto @ mean, **learned}

    def infer(self, shared: Arrays, own: Compared) -> Arrays:
        """Guess the hidden vector: `latent` (latent,), and `unsure`, its variances."""
        near = own.some(~own.tie).projected(np.asarray(shared["onto"], np.float64))
        given = {name: np.asarray(array, np.float64) for name, array in shared.items()}
        read = _read(given, near.apart[None], np.ones((1, len(near))))[0]
        unsure = np.exp(read @ given["S"] + given["s"])
        return {"latent": (read @ given["M"])[0], "unsure": unsure[0]}

    def reward(self, shared: Arrays, own: Arrays, texts: Floats) -> Floats:
        """Say how much a person likes texts, (texts,)."""
        given = {name: np.asarray(array, np.float64) for name, array in shared.items()}
        near, latent = texts @ given["onto"], np.asarray(own["latent"], np.float64)
        _, more = _personal(given, near[None], latent[None])
        return np.asarray(texts @ given["mean"] + more[0])

    def loss(
        self, learned: Arrays, mean: Floats, task: Task, drawn: Floats
    ) -> tuple[float, dict[str, Floats]]:
        """Give the loss of a task, a mean over its pairs, and its slopes.

        Args:
            learned: The networks.
            mean: Everyone's reward, (width,).
            task: The task.
            drawn: What is drawn for the hidden vectors, (people, latent).

        Returns:
            The loss, in nats a pair, and a slope for every array.
        """
        w = {name: np.asarray(array, np.float64) for name, array in learned.items()}
        apart = task.known[0] - task.known[1]
        read, lit, share = _read(w, apart, task.here)
        middle, log_var = read @ w["M"], read @ w["S"] + w["s"]
        wide = np.exp(log_var / 2)
        latent = middle + wide * drawn
        people, asked = task.asked.shape[1:3]
        count = people * asked
        parts, margin = [], (task.asked[0] - task.asked[1]) @ mean
        for sign, texts in zip((1.0, -1.0), task.asked, strict=True):
            units, more = _personal(w, texts, latent)
            margin = margin + sign * more
            parts.append((sign, texts, *units))
        cost = float(np.logaddexp(0, -margin).sum()) / count
        apart_from = 0.5 * (middle**2 + wide**2 - log_var - 1).sum() / people
        slope = -sigmoid(-margin) / count  # (people, asked)
        found = {name: np.zeros_like(array) for name, array in w.items()}
        to_latent = np.zeros_like(latent)
        for sign, texts, lit_with, lit_without in parts:
            found["v"] += sign * np.einsum("pa,pah->h", slope, lit_with - lit_without)
            with_ = sign * slope[..., None] * w["v"] * (1 - lit_with**2)
            without = sign * slope[..., None] * w["v"] * (1 - lit_without**2)
            found["A"] += np.einsum("paw,pah->wh", texts, with_ - without)
            found["c"] += (with_ - without).sum((0, 1))
            found["C"] += latent.T @ with_.sum(1)
            to_latent = to_latent + with_.sum(1) @ w["C"].T
        to_middle = to_latent + self.divergence * middle / people
        to_log = to_latent * drawn * wide / 2 + self.divergence * (wide**2 - 1) / 2 / people
        found["M"], found["S"], found["s"] = read.T @ to_middle, read.T @ to_log, to_log.sum(0)
        to_read = (to_middle @ w["M"].T + to_log @ w["S"].T)[:, None] * share[..., None]
        inner = to_read * (1 - lit**2)  # (people, known, hidden)
        found["E"] = np.einsum("pkw,pkh->wh", apart, inner)
        base = 1 - np.tanh(w["e"]) ** 2
        found["e"] = inner.sum((0, 1)) - to_read.sum((0, 1)) * base
        return cost + self.divergence * float(apart_from), found

    def _begin(self, width: int) -> dict[str, Floats]:
        chance = np.random.default_rng([self.seed, 2])

        def draw(*shape: int) -> Floats:
            return np.asarray(chance.standard_normal(shape) / np.sqrt(shape[0]))

        return {
            "E": draw(width, self.hidden),
            "e": 0.1 * draw(self.hidden),
            "M": draw(self.hidden, self.latent),
            "S": np.zeros((self.hidden, self.latent)),
            "s": np.full(self.latent, -2.0),
            "A": draw(width, self.hidden),
            "C": draw(self.latent, self.hidden),
            "c": np.zeros(self.hidden),
            "v": 0.3 * draw(self.hidden),
        }


def _read(w: Arrays, apart: Floats, here: Floats) -> tuple[Floats, Floats, Floats]:
    """Read pairs: what the encoder sums up, its units, and each pair's share of the sum."""
    lit = np.tanh(apart @ w["E"] + w["e"])  # (people, known, hidden)
    share = here / (here.sum(1, keepdims=True) + _CALM)
    return ((lit - np.tanh(w["e"])) * share[..., None]).sum(1), lit, share


def _personal(w: Arrays, texts: Floats, latent: Floats) -> tuple[tuple[Floats, Floats], Floats]:
    """Give the units with and without a person, and what the person adds to each reward."""
    inner = texts @ w["A"] + w["c"]  # (people, texts, hidden)
    lit_with, lit_without = np.tanh(inner + (latent @ w["C"])[:, None]), np.tanh(inner)
    return (lit_with, lit_without), (lit_with - lit_without) @ w["v"]
