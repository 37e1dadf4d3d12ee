"""Gates ahead of low-rank weights that stay as they are: `job.Gates`.

`A (x sigmoid(x . g))` is `sigmoid(x . g) A x`: a gate is one number a token and module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import Network
from ipse.backends.local.training.effects import At, Block, Effect, LowRank
from ipse.backends.local.training.homes import find_homes, taken
from ipse.backends.local.training.layout import Layout
from ipse.backends.local.training.learnable import Lines
from ipse.errors import InvalidJob
from ipse.job import Gates

__all__ = ["LearnedGates"]


class LearnedGates:
    """The gates of one job.

    Attributes:
        places: No soft prompt is learned.
        by_row: All rows are changed alike.
        parameters: What changes: all gates end to end.
    """

    places: int = 0
    by_row: bool = False

    def __init__(self, learn: Gates, network: Network, start: Mapping[str, NDArray[Any]]) -> None:
        """Begin with every gate half open.

        Args:
            learn: What is learned.
            network: What it is learned beside.
            start: The weights behind the gates.

        Raises:
            InvalidJob: If there are none.
        """
        if not start:
            raise InvalidJob("gates are learned ahead of weights that are there: give a start")
        self._homes = find_homes(network, learn.modules)
        self._scale = float(start["scale"]) if "scale" in start else 1.0
        self._weights: dict[At, tuple[Tensor, list[Block]]] = {}
        rank = learn.rank
        for at, homes in self._homes.items():
            a = torch.cat([taken(start, f"{h.path}.lora_A", (rank, h.inputs)) for h in homes])
            blocks = []
            for i, home in enumerate(homes):
                b = taken(start, f"{home.path}.lora_B", (home.width, rank))
                ranks = slice(i * rank, (i + 1) * rank)
                blocks.append(Block(ranks, home.outputs, b.to(network.device, network.dtype)))
            self._weights[at] = a.to(network.device, network.dtype), blocks
        every = [home for homes in self._homes.values() for home in homes]
        shapes = {f"{home.path}.gate": (home.inputs,) for home in every}
        self._layout = Layout(shapes)
        size = sum(home.inputs for home in every)
        self._gates = torch.zeros(size, device=network.device, requires_grad=True)
        self._dtype = network.dtype
        self.parameters: Mapping[str, Tensor] = {"gates": self._gates}

    def effect(self, lines: Lines) -> Effect:
        """Give the gated terms of the job's lines."""
        pieces = self._layout.cut(self._gates.to(self._dtype))
        terms = {}
        for at, (a, blocks) in self._weights.items():
            gates = torch.stack([pieces[f"{home.path}.gate"] for home in self._homes[at]])
            terms[at] = (LowRank(lines.lines, a, blocks, self._scale, gates=gates),)
        return Effect(terms)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the gates, by module."""
        pieces = self._layout.cut(self._gates.detach().cpu())
        return {name: piece.numpy().copy() for name, piece in pieces.items()}
