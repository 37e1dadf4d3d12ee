"""Steering vectors trained from preference pairs; the vector is all that has a gradient.

It is added behind one layer, so what the layers up to it make of a pair never changes: that is
computed once, and only the layers above run at each update. A pair's two texts are one tree, for
they begin alike.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ipse.backends.local.attached import Attached, shape_key
from ipse.backends.local.attention import Span
from ipse.backends.local.chunks import PLACE, Chunk, inputs
from ipse.backends.local.head import target_logprobs
from ipse.backends.local.hidden import find_layer, same_length
from ipse.backends.local.lora import Extras
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.network import Steer
from ipse.backends.local.reading import Places
from ipse.backends.local.requests import Place
from ipse.backends.local.sharing import batches
from ipse.backends.local.trees import Forest, Tree, grow
from ipse.cache import Cache
from ipse.lm import FitSteering
from ipse.plan import Plan

__all__ = ["fit_steering"]

_WARM = 0.1
"""The share of the updates in which the learning rate rises."""

_READ = 2048
"""Tokens in one forward pass; an update of more takes several."""

_KEPT = 256 << 20
"""The most bytes of states that are kept from one update to the next."""


def fit_steering(places: Places, ask: FitSteering) -> NDArray[np.float32]:
    """Train a steering vector, (hidden,), by bi-directional preference optimization.

    Args:
        places: Gives where a model is run.
        ask: The pairs and how to train; its docstring has the equation.

    Returns:
        The vector.
    """
    same_length(ask.plans, ask.chosen, ask.rejected)
    place = places(None)
    core = place.model.core
    gradients = _Gradients(place, ask, find_layer(ask.layer, core.layers))
    vector = torch.zeros(core.hidden, device=core.device, requires_grad=True)
    update = torch.optim.AdamW([vector], lr=ask.rate, weight_decay=ask.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(update, lambda at: _rate(at, ask.steps))
    chance = torch.Generator().manual_seed(ask.seed % 2**63)
    order: list[int] = []
    for _ in range(ask.steps):
        while len(order) < ask.batch:
            order += torch.randperm(len(ask.plans), generator=chance).tolist()
        batch, order = order[: ask.batch], order[ask.batch :]
        sign = 1.0 if torch.rand(1, generator=chance) < 0.5 else -1.0
        vector.grad = gradients.of(batch, sign, vector)
        update.step()
        schedule.step()
    return vector.detach().cpu().numpy().astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Pair:
    """What was chosen and what was rejected, behind the same prompt.

    Attributes:
        tree: Both, without the last token of each, which is never read.
        prompt: How many tokens the prompt has, without the places of a prefix.
        nodes: The nodes before each token of the texts, those of what was chosen first.
        targets: Those tokens.
        chosen: How many of them are of what was chosen.
    """

    tree: Tree
    prompt: int
    nodes: tuple[int, ...]
    targets: tuple[int, ...]
    chosen: int


class _Gradients:
    """The gradients of one ask, and what never changes between its updates."""

    def __init__(self, place: Place, ask: FitSteering, layer: int) -> None:
        self._model, self._attachments = place.model, place.attachments
        self._ask, self._layer = ask, layer
        self._pairs: dict[int, _Pair] = {}
        self._frozen: dict[int, Tensor] = {}  # nats without the vector, (2,), by pair
        self._behind: Cache[int, Tensor] = Cache(_bytes, _KEPT)  # (nodes, hidden), by pair

    def of(self, batch: Sequence[int], sign: float, vector: Tensor) -> Tensor:
        """Give the gradient of some pairs' mean loss with respect to the vector, (hidden,)."""
        total = torch.zeros_like(vector)
        for pairs in self._alike(batch):
            with self._attachments.attaching(self._ask.plans[pairs[0]].main) as attached:
                for part in self._passes(pairs, attached):
                    with self._model.turn:
                        loss = self._loss(part, attached, sign, vector) / len(batch)
                        total += torch.autograd.grad(loss, vector)[0]
        return total

    def _alike(self, batch: Sequence[int]) -> Iterator[list[int]]:
        """Split pairs by what their plans attach."""
        shapes: dict[Hashable, list[int]] = {}
        for i in batch:
            shapes.setdefault(shape_key(self._ask.plans[i].main), []).append(i)
        yield from shapes.values()

    def _passes(self, pairs: Sequence[int], attached: Attached) -> Iterator[list[int]]:
        """Split pairs that attach the same into what one pass can read."""
        ask = self._ask
        for i in pairs:
            if i not in self._pairs:
                texts = (ask.chosen[i], ask.rejected[i])
                self._pairs[i] = _pair(self._model, ask.plans[i], texts, attached)
        lengths = [len(self._pairs[i].tree.ids) for i in pairs]
        for part in batches(lengths, _READ, len(pairs)):
            yield [pairs[at] for at in part]

    def _loss(
        self, pairs: Sequence[int], attached: Attached, sign: float, vector: Tensor
    ) -> Tensor:
        """Give the sum of the pairs' losses: -log sigmoid(d beta [gain chosen - gain rejected])."""
        with torch.no_grad():
            if new := [i for i in dict.fromkeys(pairs) if i not in self._frozen]:
                self._frozen.update(zip(new, self._likelihoods(new, attached, None), strict=True))
            frozen = torch.stack([self._frozen[i] for i in pairs])  # (pairs, 2)
        gains = self._likelihoods(pairs, attached, sign * vector) - frozen
        margins = sign * self._ask.beta * (gains[:, 0] - gains[:, 1])  # (pairs,)
        return -functional.logsigmoid(margins).sum()

    def _likelihoods(
        self, pairs: Sequence[int], attached: Attached, added: Tensor | None
    ) -> Tensor:
        """Give log-likelihoods of what was chosen and rejected, in nats, (pairs, 2)."""
        core, chosen = self._model.core, [self._pairs[i] for i in pairs]
        with torch.no_grad():
            x = torch.cat([self._states(i, attached) for i in pairs])  # (nodes, hidden)
        x = x if added is None else x + added.to(x.dtype)
        x = _run(self._model, chosen, attached, x, self._layer + 1, None)
        starts = Forest([pair.tree for pair in chosen]).starts
        lines, targets, rows = list[int](), list[int](), list[int]()
        for row, (start, pair) in enumerate(zip(starts, chosen, strict=True)):
            lines += [start + node for node in pair.nodes]
            targets += pair.targets
            rows += [2 * row] * pair.chosen + [2 * row + 1] * (len(pair.nodes) - pair.chosen)
        where = torch.tensor([lines, targets, rows], dtype=torch.long, device=x.device)
        logprobs = target_logprobs(core, x[where[0]], where[1])  # (targets,)
        return logprobs.new_zeros(2 * len(chosen)).index_add(0, where[2], logprobs).view(-1, 2)

    def _states(self, i: int, attached: Attached) -> Tensor:
        """Give a pair's states behind the layer, (nodes, hidden)."""
        found = self._behind.get(i)
        if found is None:
            pair, core = self._pairs[i], self._model.core
            ids = pair.tree.ids
            x, _ = inputs(core, [Chunk(ids, 0, Span(0, len(ids)), attached, ())])
            found = _run(self._model, [pair], attached, x, 0, self._layer + 1)
            self._behind.put(i, found)
        return found


def _run(
    model: LanguageModel,
    pairs: Sequence[_Pair],
    attached: Attached,
    x: Tensor,
    first: int,
    stop: int | None,
) -> Tensor:
    """Run some layers over trees that lie end to end, (nodes, hidden)."""
    forest = Forest([pair.tree for pair in pairs])
    depths = torch.cat([tree.depths for tree in forest.trees])
    adapters = Extras((), [(slice(0, len(x)), attached.adapters)])
    return model.core.run(x, depths, forest, adapters, _steer(pairs, forest, attached), first, stop)


def _steer(pairs: Sequence[_Pair], forest: Forest, attached: Attached) -> Steer:
    """Give what the plans' own steering adds, by the places of nodes in their texts."""
    found: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for start, pair in zip(forest.starts, pairs, strict=True):
        for layer, first, vector in attached.steered(pair.prompt):
            lines = (pair.tree.depths >= first).nonzero()[:, 0] + start
            found.setdefault(layer, []).append((lines, vector))
    return found


def _pair(model: LanguageModel, plan: Plan, texts: tuple[str, str], attached: Attached) -> _Pair:
    prompt = model.prompt(plan.main.messages)
    chosen, rejected = (model.tokens(text) for text in texts)
    model.fits(len(prompt), max(len(chosen), len(rejected)))
    ahead = (*(PLACE,) * attached.length, *prompt)
    tree = grow([(*ahead, *ids)[:-1] for ids in (chosen, rejected)], model.device)
    nodes = tuple(node for path in tree.paths for node in path[len(ahead) - 1 :])
    return _Pair(tree, len(prompt), nodes, (*chosen, *rejected), len(chosen))


def _bytes(states: Tensor) -> int:
    return states.nbytes


def _rate(at: int, steps: int) -> float:
    """Give the share of the highest rate at an update: up at first, then down along a cosine."""
    warm = max(1, round(_WARM * steps))
    if at < warm:
        return (at + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (at - warm) / max(1, steps - warm)))
