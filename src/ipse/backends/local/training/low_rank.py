"""Low-rank weights, perhaps with a vector for each owner: `job.Lora`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import Network
from ipse.backends.local.training.chance import generator
from ipse.backends.local.training.effects import At, Block, Effect, LowRank
from ipse.backends.local.training.homes import Home, find_homes, taken
from ipse.backends.local.training.layout import Layout
from ipse.backends.local.training.learnable import Lines
from ipse.errors import InvalidJob
from ipse.job import Job, Lora

__all__ = ["LowRankWeights"]

_Start = Mapping[str, NDArray[Any]]


class LowRankWeights:
    """The weights of one job.

    The modules of a product have one `A` above the other, so one product gives all of `A x`.

    Attributes:
        places: No soft prompt is learned.
        by_row: Whether owners or chance tell rows apart.
        parameters: What changes.
    """

    places: int = 0

    def __init__(self, job: Job, learn: Lora, network: Network, start: _Start) -> None:
        """Begin as the start is, or as what changes nothing: `B` and the owners' vectors are 0.

        Args:
            job: The job.
            learn: What of it is learned here.
            network: What it is learned beside.
            start: Arrays to go on from; empty begins anew.

        Raises:
            InvalidJob: If the job contradicts itself, or the start is of another shape.
        """
        _check(job, learn)
        self._learn = learn
        self._dtype = network.dtype
        self.by_row = bool(learn.width or learn.dropout)
        self._homes = find_homes(network, learn.modules)
        shapes = _shapes(self._homes, learn)
        self._layout = Layout(shapes)
        begun = _loaded(self._homes, learn, start) if start else _fresh(shapes, job.seed)
        weights = self._layout.join(begun).to(network.device).requires_grad_(not learn.only_owners)
        self._weights = weights
        self._owners = sorted({e.owner for e in job.examples if e.owner}) if learn.width else []
        vectors = [_vector(start, owner, learn.width) for owner in self._owners]
        self._vectors = torch.stack(vectors).to(network.device) if vectors else torch.empty(0)
        self.parameters: dict[str, Tensor] = {} if learn.only_owners else {"weights": weights}
        if vectors:
            self.parameters["owners"] = self._vectors.requires_grad_()

    def effect(self, lines: Lines) -> Effect:
        """Give the low-rank terms of the job's lines."""
        pieces = self._layout.cut(self._weights.to(self._dtype))
        theirs = self._vectors_of(lines)
        rank = self._learn.rank
        terms = {}
        for at, homes in self._homes.items():
            blocks = [
                Block(slice(i * rank, (i + 1) * rank), home.outputs, pieces[f"{home.path}.lora_B"])
                for i, home in enumerate(homes)
            ]
            c = None if theirs is None else theirs @ pieces[_joint(at, "lora_P")].T
            term = LowRank(
                lines.lines,
                pieces[_joint(at, "lora_A")],
                blocks,
                self._learn.alpha / rank,
                c,
                self._keep(lines, homes[0].inputs),
                1 - self._learn.dropout,
            )
            terms[at] = (term,)
        return Effect(terms)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what was learned, by the names of `ipse.lm.Loader`; perhaps only the owners'."""
        vectors = self._vectors.detach().cpu().numpy()
        found = {f"owners/{owner}": vectors[i].copy() for i, owner in enumerate(self._owners)}
        if self._learn.only_owners:
            return found
        rank = self._learn.rank
        pieces = self._layout.cut(self._weights.detach().cpu())
        for at, homes in self._homes.items():
            for i, home in enumerate(homes):
                for part in ("lora_A", "lora_P") if self._learn.width else ("lora_A",):
                    joint = pieces[_joint(at, part)][i * rank : (i + 1) * rank]
                    found[f"{home.path}.{part}"] = joint.numpy().copy()
                found[f"{home.path}.lora_B"] = pieces[f"{home.path}.lora_B"].numpy().copy()
        return {**found, "scale": np.float32(self._learn.alpha / rank)}

    def _vectors_of(self, lines: Lines) -> Tensor | None:
        """Give the owner's vector at each line, (lines, width): 0 where the owner has none."""
        if not self._owners:
            return None
        every = torch.cat([self._vectors, self._vectors.new_zeros(1, self._learn.width)])
        known = {owner: i for i, owner in enumerate(self._owners)}
        which = [known.get(row.example.owner, len(known)) for row in lines.rows]
        at = torch.tensor(which).repeat_interleave(torch.tensor(lines.lengths))
        return every.to(self._dtype)[at.to(every.device)]

    def _keep(self, lines: Lines, inputs: int) -> Tensor | None:
        """Draw which inputs are not left out, (lines, inputs)."""
        if not self._learn.dropout or not lines.chances:
            return None
        drawn = [
            torch.rand(length, inputs, generator=chance) >= self._learn.dropout
            for length, chance in zip(lines.lengths, lines.chances, strict=True)
        ]
        return torch.cat(drawn).to(self._weights.device)


def _check(job: Job, learn: Lora) -> None:
    if learn.only_owners and not (learn.width and job.start):
        raise InvalidJob(
            "only_owners learns owners' vectors beside weights that are there: it needs a start "
            f"and a width; got start={job.start!r} and width={learn.width}"
        )
    if learn.width and not any(example.owner for example in job.examples):
        raise InvalidJob(
            f"owners are to have vectors of width {learn.width}, and no example names its owner"
        )


def _joint(at: At, part: str) -> str:
    return f"{at[0]}.{at[1]}.{part}"


def _shapes(homes: Mapping[At, list[Home]], learn: Lora) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for at, members in homes.items():
        ranks = len(members) * learn.rank
        shapes[_joint(at, "lora_A")] = (ranks, members[0].inputs)
        if learn.width:
            shapes[_joint(at, "lora_P")] = (ranks, learn.width)
        shapes |= {f"{home.path}.lora_B": (home.width, learn.rank) for home in members}
    return shapes


def _fresh(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Draw `A` and `P` evenly from -1/sqrt(in) to 1/sqrt(in), as PEFT does, and let `B` be 0."""
    chance = generator("begin", seed)
    found = {}
    for name, shape in shapes.items():
        found[name] = torch.zeros(shape)
        if not name.endswith("lora_B"):
            found[name].uniform_(-1, 1, generator=chance).div_(shape[1] ** 0.5)
    return found


def _loaded(homes: Mapping[At, list[Home]], learn: Lora, start: _Start) -> dict[str, Tensor]:
    """Take weights from the start; a scale other than the job's becomes part of `B`."""
    scale = float(start["scale"]) if "scale" in start else 1.0
    rank, found = learn.rank, {}
    for at, members in homes.items():
        for part, width in (("lora_A", members[0].inputs), ("lora_P", learn.width)):
            if width:
                joint = [taken(start, f"{home.path}.{part}", (rank, width)) for home in members]
                found[_joint(at, part)] = torch.cat(joint)
        for home in members:
            b = taken(start, f"{home.path}.lora_B", (home.width, rank))
            found[f"{home.path}.lora_B"] = b * (scale * rank / learn.alpha)
    return found


def _vector(start: _Start, owner: str, width: int) -> Tensor:
    name = f"owners/{owner}"
    return taken(start, name, (width,)) if name in start else torch.zeros(width)
