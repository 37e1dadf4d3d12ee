"""Texts that begin alike as one tree of tokens: what they share is computed once, with gradients.

Keys and values that are kept (`Past`) are written in place and so carry no gradients; here a token
attends to the nodes above it instead. This file knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Forest", "Tree", "grow"]


@dataclass(frozen=True, eq=False)
class Tree:
    """Some texts, each beginning of which stands once.

    Attributes:
        ids: The token of each node; a node stands behind the one it hangs from.
        depths: Each node's place in the texts that go through it, (nodes,).
        paths: The nodes of each text, in its order.
        sees: Whether a node attends to another: to itself and all it hangs from, (nodes, nodes).
    """

    ids: tuple[int, ...]
    depths: Tensor
    paths: tuple[tuple[int, ...], ...]
    sees: Tensor


def grow(texts: Sequence[Sequence[int]], device: torch.device | None = None) -> Tree:
    """Make the tree of some texts.

    Args:
        texts: The tokens of each.
        device: Where its tensors are to be.

    Returns:
        The tree.
    """
    nodes: dict[tuple[int, int], int] = {}  # by what they hang from, and their token
    depths: list[int] = []
    paths: list[tuple[int, ...]] = []
    for text in texts:
        path: list[int] = []
        for depth, token in enumerate(text):
            key = (path[-1] if path else -1, token)
            if key not in nodes:
                nodes[key] = len(nodes)
                depths.append(depth)
            path.append(nodes[key])
        paths.append(tuple(path))
    sees = torch.eye(len(nodes), dtype=torch.bool)  # (nodes, nodes)
    for (above, _), node in nodes.items():
        if above >= 0:
            sees[node] |= sees[above]
    ids = tuple(token for _, token in nodes)
    return Tree(ids, torch.tensor(depths, device=device), tuple(paths), sees.to(device))


@dataclass(frozen=True, eq=False)
class Forest:
    """What every token of a batch of trees attends to; they lie end to end.

    Attributes:
        trees: The trees.
    """

    trees: Sequence[Tree]

    @property
    def starts(self) -> list[int]:
        """The first line of each tree."""
        found, start = list[int](), 0
        for tree in self.trees:
            found.append(start)
            start += len(tree.ids)
        return found

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend, as `network.Attend` says."""
        del layer
        sizes = [len(tree.ids) for tree in self.trees]
        found = []
        # Split, not sliced: the gradients of slices would each be written into zeros of full size.
        parts = zip(*(torch.split(each, sizes) for each in (q, k, v)), strict=True)
        for tree, part in zip(self.trees, parts, strict=True):
            queries, keys, values = (each.transpose(0, 1)[None] for each in part)
            each = functional.scaled_dot_product_attention(
                queries, keys, values, attn_mask=tree.sees, enable_gqa=True
            )  # (1, heads, nodes, width)
            found.append(each[0].transpose(0, 1).flatten(1))  # (nodes, heads * width)
        return torch.cat(found)
