"""A soft prompt made from the embeddings of a person's records: `job.SoftPrefix`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear, silu

from ipse.backends.local.network import Network
from ipse.backends.local.training.chance import generator
from ipse.backends.local.training.effects import Effect
from ipse.backends.local.training.homes import taken
from ipse.backends.local.training.learnable import Lines
from ipse.backends.local.training.tables import table_of
from ipse.job import Job, SoftPrefix

__all__ = ["LearnedPrefix"]


class LearnedPrefix:
    """The maker of soft prompts of one job.

    Attributes:
        places: The places of a soft prompt.
        by_row: Each row has a soft prompt of its own.
        parameters: What changes.
    """

    by_row: bool = True

    def __init__(
        self,
        job: Job,
        learn: SoftPrefix,
        network: Network,
        start: Mapping[str, NDArray[Any]],
        table: NDArray[Any] | None,
    ) -> None:
        """Begin as the start is, or anew.

        Args:
            job: The job.
            learn: What of it is learned here.
            network: What reads the prompts.
            start: Arrays to go on from; empty begins anew.
            table: Embeddings of questions and records, (lines, width).
        """
        self._learn = learn
        self._table = table_of(job, network, table, 2)
        self._norm = network.embedding_norm
        self.places = learn.instruction + (learn.places if learn.form == "each" else 1)
        shapes = _shapes(learn, self._table.shape[1], network.hidden)
        begun = (
            {name: taken(start, name, shape) for name, shape in shapes.items()}
            if start
            else _fresh(shapes, learn.sharp, job.seed)
        )
        self.parameters: Mapping[str, Tensor] = {
            name: tensor.to(network.device).requires_grad_() for name, tensor in begun.items()
        }

    def effect(self, lines: Lines) -> Effect:
        """Give the soft prompt of each row."""
        return Effect(prefixes=[self._prefix(row.example.lines) for row in lines.rows])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what makes soft prompts, with the length of each of their vectors."""
        found: dict[str, NDArray[Any]] = {
            name: tensor.detach().cpu().numpy().copy() for name, tensor in self.parameters.items()
        }
        return {**found, "norm": np.asarray(self._norm, np.float32)}

    def _prefix(self, lines: tuple[int, ...]) -> Tensor:
        """Make the soft prompt of a question and some records, (places, hidden)."""
        question, records = self._table[lines[0]], self._table[list(lines[1:])]
        weights, parts = self.parameters, list[Tensor]()
        if self._learn.instruction:
            parts.append(weights["instruction"])
        if self._learn.form == "each":
            latest = records[-self._learn.places :]
            missing = self._learn.places - len(latest)
            parts += [weights["empty"].expand(missing, -1), self._mlp(latest)]
        else:
            shares = torch.softmax(records @ (weights["query"] @ question), dim=0)  # (records,)
            parts.append((shares @ self._mlp(records))[None])
        whole = torch.cat(parts)
        lengths: Tensor = torch.linalg.vector_norm(whole, dim=-1, keepdim=True)
        return self._norm * whole / lengths

    def _mlp(self, records: Tensor) -> Tensor:
        weights = self.parameters
        x = silu(linear(records, weights["mlp.first.weight"], weights["mlp.first.bias"]))
        return linear(x, weights["mlp.second.weight"], weights["mlp.second.bias"])


def _shapes(learn: SoftPrefix, width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "mlp.first.weight": (learn.hidden, width),
        "mlp.first.bias": (learn.hidden,),
        "mlp.second.weight": (hidden, learn.hidden),
        "mlp.second.bias": (hidden,),
    }
    if learn.instruction:
        found["instruction"] = (learn.instruction, hidden)
    if learn.form == "each":
        return {**found, "empty": (hidden,)}
    return {**found, "query": (width, width)}


def _fresh(shapes: Mapping[str, tuple[int, ...]], sharp: float, seed: int) -> dict[str, Tensor]:
    """Draw numbers evenly within 1/sqrt(inputs); questions are compared as they are."""
    chance = generator("begin", seed)
    found = {}
    for name, shape in shapes.items():
        if name == "query":
            found[name] = sharp * torch.eye(*shape)
        elif name.endswith(".bias"):
            found[name] = torch.zeros(shape)
        else:
            drawn = torch.empty(shape).uniform_(-1, 1, generator=chance)
            found[name] = drawn / shape[-1] ** 0.5
    return found
