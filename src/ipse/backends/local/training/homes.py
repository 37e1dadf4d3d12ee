"""The modules that a job changes, by the product they are part of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import Network
from ipse.backends.local.training.effects import At
from ipse.errors import InvalidJob
from ipse.job import Module

__all__ = ["Home", "find_homes", "taken"]


@dataclass(frozen=True)
class Home:
    """A module that is changed.

    Attributes:
        path: Its path, by which what is learned of it is named.
        inputs: How many inputs it has.
        outputs: Its outputs among those of the product.
    """

    path: str
    inputs: int
    outputs: slice

    @property
    def width(self) -> int:
        """How many outputs it has."""
        outputs: int = self.outputs.stop - self.outputs.start
        return outputs


def find_homes(network: Network, modules: Sequence[Module]) -> dict[At, list[Home]]:
    """Give the modules of every layer that are changed, in the network's order."""
    found: dict[At, list[Home]] = {}
    for path, part in network.parts.items():
        if path.endswith(tuple(modules)):
            home = Home(path, network.inputs(part), part.outputs)
            found.setdefault((part.layer, part.site), []).append(home)
    return found


def taken(start: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> Tensor:
    """Take an array from what learning goes on from.

    Args:
        start: The arrays there are.
        name: Which is wanted.
        shape: The shape it must have.

    Returns:
        The array, float32.

    Raises:
        InvalidJob: If it is not there, or of another shape.
    """
    if name not in start:
        known = ", ".join(sorted(start)[:4]) or "nothing"
        raise InvalidJob(
            f"the job's start has no array {name!r} (it has {known}, ...). Start from what was "
            "learned with the same settings, or begin anew with start=''"
        )
    if tuple(start[name].shape) != shape:
        raise InvalidJob(
            f"the job's start is of another shape: {name!r} is {tuple(start[name].shape)}, and "
            f"has to be {shape}. Give the settings it was learned with, or begin anew with start=''"
        )
    return torch.tensor(start[name], dtype=torch.float32)
