"""Factors of outputs: `job.Scales`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import Network
from ipse.backends.local.training.effects import Effect, Factor
from ipse.backends.local.training.homes import find_homes, taken
from ipse.backends.local.training.layout import Layout
from ipse.backends.local.training.learnable import Lines
from ipse.job import Scales

__all__ = ["LearnedScales"]


class LearnedScales:
    """The factors of one job.

    Attributes:
        places: No soft prompt is learned.
        by_row: All rows are changed alike.
        parameters: What changes: every factor less 1, so that weight decay draws it to 1.
    """

    places: int = 0
    by_row: bool = False

    def __init__(self, learn: Scales, network: Network, start: Mapping[str, NDArray[Any]]) -> None:
        """Begin as the start is, or with 1 everywhere.

        Args:
            learn: What is learned.
            network: What it is learned beside.
            start: Arrays to go on from; empty begins anew.
        """
        self._homes = find_homes(network, learn.modules)
        self._dtype = network.dtype
        homes = [home for members in self._homes.values() for home in members]
        shapes = {f"{home.path}.scales": (home.width,) for home in homes}
        self._layout = Layout(shapes)
        begun = {
            name: taken(start, name, shape) - 1 if start else torch.zeros(shape)
            for name, shape in shapes.items()
        }
        changes = self._layout.join(begun).to(network.device).requires_grad_()
        self._changes = changes
        self.parameters: Mapping[str, Tensor] = {"changes": changes}

    def effect(self, lines: Lines) -> Effect:
        """Give the factors of the job's lines."""
        pieces = self._layout.cut((1 + self._changes).to(self._dtype))
        return Effect(
            factors={
                at: [
                    Factor(lines.lines, home.outputs, pieces[f"{home.path}.scales"])
                    for home in homes
                ]
                for at, homes in self._homes.items()
            }
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what was learned, by the names of `ipse.lm.Loader`."""
        pieces = self._layout.cut(1 + self._changes.detach().cpu())
        return {name: piece.numpy().copy() for name, piece in pieces.items()}
