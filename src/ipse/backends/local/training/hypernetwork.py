"""A network that makes low-rank weights from a line: `job.Hypernetwork`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear, silu

from ipse.backends.local.network import Network, Site
from ipse.backends.local.training.chance import generator
from ipse.backends.local.training.effects import At, Block, Effect, LowRank
from ipse.backends.local.training.homes import Home, find_homes, taken
from ipse.backends.local.training.learnable import Lines
from ipse.backends.local.training.tables import table_of
from ipse.job import Hypernetwork, Job

__all__ = ["LearnedHypernetwork"]


class LearnedHypernetwork:
    """The network of one job.

    What is made for a kind of module is named by its path with `*` for the layer's number.

    Attributes:
        places: No soft prompt is learned.
        by_row: Rows are changed by their line of the table.
        parameters: What changes.
    """

    places: int = 0
    by_row: bool = True

    def __init__(
        self,
        job: Job,
        learn: Hypernetwork,
        network: Network,
        start: Mapping[str, NDArray[Any]],
        table: NDArray[Any] | None,
    ) -> None:
        """Begin as the start is, or as what changes nothing.

        Args:
            job: The job.
            learn: What of it is learned here.
            network: What the weights are made for.
            start: Arrays to go on from; empty begins anew.
            table: What they are made from, (lines, width).
        """
        self._learn = learn
        self._dtype = network.dtype
        self._table = table_of(job, network, table, 1, 1)
        homes = find_homes(network, learn.modules)
        self._layers = sorted({layer for layer, _ in homes})
        self._kinds = _kinds(homes, self._layers[0])
        self._order = sorted(kind for members in self._kinds.values() for kind, _ in members)
        shapes = _shapes(self._kinds, learn, self._table.shape[1], len(self._layers))
        begun = (
            {name: taken(start, name, shape) for name, shape in shapes.items()}
            if start
            else _fresh(shapes, learn.rank, job.seed)
        )
        self.parameters: Mapping[str, Tensor] = {
            name: tensor.to(network.device).requires_grad_() for name, tensor in begun.items()
        }

    def effect(self, lines: Lines) -> Effect:
        """Give the low-rank terms of the job's lines; neighbors under one line share theirs."""
        begin, spans = lines.lines.start, list[tuple[int, slice]]()
        pairs = zip((row.example.lines[0] for row in lines.rows), lines.lengths, strict=True)
        for line, group in groupby(pairs, key=lambda pair: pair[0]):
            end = begin + sum(length for _, length in group)
            spans.append((line, slice(begin, end)))
            begin = end
        every = sorted({line for line, _ in spans})
        made = self._made(every)
        terms: dict[At, list[LowRank]] = {}
        for line, span in spans:
            for at, (a, blocks) in made[every.index(line)].items():
                term = LowRank(span, a, blocks, self._learn.alpha / self._learn.rank)
                terms.setdefault(at, []).append(term)
        return Effect(terms)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the network, with the scale of what it makes."""
        found: dict[str, NDArray[Any]] = {
            name: tensor.detach().cpu().numpy().copy() for name, tensor in self.parameters.items()
        }
        return {**found, "scale": np.asarray(self._learn.alpha / self._learn.rank, np.float32)}

    def _made(self, lines: Sequence[int]) -> list[dict[At, tuple[Tensor, list[Block]]]]:
        """Make the weights of some lines."""
        rank, layers = self._learn.rank, self._layers
        found: list[dict[At, tuple[Tensor, list[Block]]]] = [{} for _ in lines]
        hidden = self._hidden(lines)  # (lines, kinds, layers, hidden)
        for site, homes in self._kinds.items():
            both = []
            for kind, home in homes:
                h = hidden[:, self._order.index(kind)]
                a = self._head(f"{kind}.A", h).view(-1, rank, home.inputs)
                b = self._head(f"{kind}.B", h).view(-1, home.width, rank)
                both.append((a, b.unbind(0)))
            joint = torch.cat([a for a, _ in both], dim=1).unbind(0)  # (ranks, in) each
            for place, a in enumerate(joint):
                blocks = [
                    Block(slice(i * rank, (i + 1) * rank), home.outputs, b[place])
                    for i, ((_, home), (_, b)) in enumerate(zip(homes, both, strict=True))
                ]
                line, layer = divmod(place, len(layers))
                found[line][layers[layer], site] = a, blocks
        return found

    def _hidden(self, lines: Sequence[int]) -> Tensor:
        """Give what the heads read, (lines, kinds, layers, hidden)."""
        own, weights = self._table[list(lines)], self.parameters
        kinds, layers = weights["codes.module"], weights["codes.layer"]
        shape = (len(own), len(kinds), len(layers), -1)
        parts = (own[:, None, None], kinds[None, :, None], layers[None, None])
        x = torch.cat([part.expand(shape) for part in parts], dim=-1)
        x = silu(linear(x, weights["first.weight"], weights["first.bias"]))
        return silu(linear(x, weights["second.weight"], weights["second.bias"]))

    def _head(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return linear(x, weight, bias).to(self._dtype)


def _kinds(homes: Mapping[At, list[Home]], first: int) -> dict[Site, list[tuple[str, Home]]]:
    """Give the kinds of modules, by product: each path without its layer, and one of its homes."""
    return {
        site: [(re.sub(r"\.\d+\.", ".*.", home.path, count=1), home) for home in members]
        for (layer, site), members in homes.items()
        if layer == first
    }


def _shapes(
    kinds: Mapping[Site, list[tuple[str, Home]]], learn: Hypernetwork, width: int, layers: int
) -> dict[str, tuple[int, ...]]:
    every = [one for members in kinds.values() for one in members]
    found: dict[str, tuple[int, ...]] = {
        "codes.module": (len(every), learn.code),
        "codes.layer": (layers, learn.code),
        "first.weight": (learn.hidden, width + 2 * learn.code),
        "first.bias": (learn.hidden,),
        "second.weight": (learn.hidden, learn.hidden),
        "second.bias": (learn.hidden,),
    }
    for kind, home in every:
        for part, size in (("A", home.inputs), ("B", home.width)):
            found[f"{kind}.{part}.weight"] = (learn.rank * size, learn.hidden)
            found[f"{kind}.{part}.bias"] = (learn.rank * size,)
    return found


def _fresh(shapes: Mapping[str, tuple[int, ...]], rank: int, seed: int) -> dict[str, Tensor]:
    """Draw weights evenly within 1/sqrt(inputs), and an `A` as for low-rank weights; no `B`."""
    chance = generator("begin", seed)
    found = {}
    for name, shape in shapes.items():
        found[name] = torch.zeros(shape)
        *_, part, kind = name.split(".")
        if part == "codes":
            found[name].normal_(generator=chance)
        elif part == "A":
            found[name].uniform_(-1, 1, generator=chance).div_((shape[0] / rank) ** 0.5)
            found[name].div_(shape[1] ** 0.5 if kind == "weight" else 1)
        elif kind == "weight" and part != "B":
            found[name].uniform_(-1, 1, generator=chance).div_(shape[1] ** 0.5)
    return found
