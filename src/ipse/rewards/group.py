"""A person as their pairs themselves, attended to: GPO (2310.11523), scaled down.

A text is liked as far as it is like what the person chose, and unlike what they rejected; what
likeness is, is learned from everyone. One layer of attention; gradients are written out.
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

__all__ = ["Group"]


@dataclass(frozen=True)
class Group:
    """Few-shot preference by attention.

    Under each head, a text's weights over the known texts are `softmax(x K (k K)' / sqrt(size))`,
    beside one known text that says nothing, so that few pairs say little; what they say is 1 for
    what was chosen and -1 for what was rejected. The reward is `mean' x + sum_h gain_h said_h`.

    Attributes:
        heads: Ways to be alike.
        size: The numbers each compares.
        width: In how many directions texts are looked at: those in which compared ones differ most.
        context: How many of a person's pairs are attended to: the latest.
        ridge: How hard everyone's reward is held to none.
        steps: Updates.
        batch: People in each.
        known: The most pairs that are attended to while it learns.
        asked: The pairs that are told from them.
        rate: The first learning rate.
        decay: Weight decay.
        seed: Of where it begins and of what is drawn.
    """

    heads: int = 4
    size: int = 16
    width: int = 32
    context: int = 128
    ridge: float = 3.0
    steps: int = 1000
    batch: int = 8
    known: int = 64
    asked: int = 16
    rate: float = 3e-3
    decay: float = 0.1
    seed: int = 0

    def fit(self, people: Sequence[Compared]) -> Arrays:
        """Learn the heads, and everyone's reward."""
        onto, near, mean = compressed(untied(people), self.width, self.ridge)
        learned = self._begin(onto.shape[1])
        several = [one for one in near if len(one) > 1]
        adam = Adam(learned, self.rate, self.steps, self.decay)
        for task in tasks(several, self.steps, self.batch, self.known, self.asked, self.seed):
            adam.step(self.loss(learned, mean, task)[1])
        return {"onto": onto, "mean": onto @ mean, **learned}

    def infer(self, shared: Arrays, own: Compared) -> Arrays:
        """Keep the latest pairs, `chosen` and `rejected`, (pairs, width) each."""
        near = own.some(~own.tie).some(slice(-self.context, None))
        near = near.projected(np.asarray(shared["onto"], np.float64))
        return {
            "chosen": near.chosen.astype(np.float32),
            "rejected": near.rejected.astype(np.float32),
        }

    def reward(self, shared: Arrays, own: Arrays, texts: Floats) -> Floats:
        """Say how much a person likes texts, (texts,)."""
        w = {name: np.asarray(array, np.float64) for name, array in shared.items()}
        known = np.concatenate([own["chosen"], own["rejected"]]).astype(np.float64)[None]
        half = len(own["chosen"])
        said = np.concatenate([np.ones(half), -np.ones(half)])[None]
        out = _attend(w, (texts @ w["onto"])[None], known, said, np.ones_like(said))[0]
        return np.asarray(texts @ w["mean"] + (out @ w["gain"])[0])

    def loss(self, learned: Arrays, mean: Floats, task: Task) -> tuple[float, dict[str, Floats]]:
        """Give the loss of a task, in nats a pair, and a slope for every array."""
        w = {name: np.asarray(array, np.float64) for name, array in learned.items()}
        known = np.concatenate([*task.known], axis=1)  # (people, 2 known, width)
        here = np.concatenate([task.here, task.here], axis=1)
        said = np.concatenate([task.here, -task.here], axis=1)
        texts = np.concatenate([*task.asked], axis=1)  # (people, 2 asked, width)
        out, shares, keys, queries = _attend(w, texts, known, said, here)
        asked = task.asked.shape[2]
        rewards = texts @ mean + out @ w["gain"]
        margin = rewards[:, :asked] - rewards[:, asked:]
        count = margin.size
        slope = -sigmoid(-margin) / count
        to_reward = np.concatenate([slope, -slope], axis=1)  # (people, texts)
        found = {"gain": np.einsum("pt,pth->h", to_reward, out)}
        to_out = to_reward[..., None] * w["gain"]  # (people, texts, heads)
        # Of a softmax whose last place says 0: its own share is what is left.
        to_logit = shares * (said[:, None, None] - out.transpose(0, 2, 1)[..., None])
        to_logit = to_logit * to_out.transpose(0, 2, 1)[..., None]  # (people, heads, texts, known)
        found["none"] = -(to_logit.sum((0, 2, 3)))
        scale = 1 / np.sqrt(self.size)
        to_query = np.einsum("phtk,phks->phts", to_logit, keys) * scale
        to_key = np.einsum("phtk,phts->phks", to_logit, queries) * scale
        found["K"] = np.einsum("ptw,phts->hws", texts, to_query) + np.einsum(
            "pkw,phks->hws", known, to_key
        )
        return float(np.logaddexp(0, -margin).sum()) / count, found

    def _begin(self, width: int) -> dict[str, Floats]:
        chance = np.random.default_rng([self.seed, 3])
        heads = chance.standard_normal((self.heads, width, self.size)) / np.sqrt(width)
        return {"K": heads, "none": np.full(self.heads, 2.0), "gain": np.full(self.heads, 0.2)}


def _attend(
    w: Arrays, texts: Floats, known: Floats, said: Floats, here: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Attend to known texts: what they say (people, texts, heads), shares, keys and queries."""
    queries = np.einsum("ptw,hws->phts", texts, w["K"])
    keys = np.einsum("pkw,hws->phks", known, w["K"])
    logits = np.einsum("phts,phks->phtk", queries, keys) / np.sqrt(keys.shape[-1])
    logits = np.where(here[:, None, None] > 0, logits, -np.inf)
    none = np.broadcast_to(w["none"][None, :, None, None], (*logits.shape[:3], 1))
    most = np.maximum(logits.max(-1, keepdims=True, initial=-np.inf), none)
    each, nothing = np.exp(logits - most), np.exp(none - most)
    shares = each / (each.sum(-1, keepdims=True) + nothing)
    out = np.einsum("phtk,pk->pth", shares, said)
    return out, shares, keys, queries
