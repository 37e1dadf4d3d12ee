"""How likely a text is as the answer to a plan.

Every stream of every plan is one row to read. Beginnings that rows share are read once; the head,
which costs most, runs at the target's places only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from ipse.backends.local.fusion import fuse, live_streams
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.sharing import Row, batches, groups
from ipse.lm import Progress, Score
from ipse.plan import Plan

__all__ = ["score"]

_WINDOW = 1024
"""Items whose hidden states are in memory together."""

_READ = 2048
"""Tokens read in one forward pass, padding included."""

_HELD = 32768
"""Tokens whose keys and values are held in one forward pass, a shared beginning once a row."""

_HEAD = 256
"""Places at which the head runs in one go; each takes 4 bytes a vocabulary entry."""


@dataclass(frozen=True)
class _Item:
    rows: tuple[Row, ...]
    kind: str
    weights: tuple[float, ...]
    settings: tuple[tuple[str, float], ...]
    target: tuple[int, ...]

    @property
    def prompt_tokens(self) -> int:
        return sum(row.start for row in self.rows)

    @property
    def places(self) -> int:
        return len(self.rows) * len(self.target)


def score(
    model: LanguageModel,
    plans: Sequence[Plan],
    targets: Sequence[str],
    on_progress: Progress | None = None,
) -> list[Score]:
    """Give the log-probability of each target as the answer to its plan.

    Args:
        model: The model.
        plans: What comes before the targets.
        targets: One text a plan; the end of the turn is not part of it.
        on_progress: Told how many rows are read, and of how many: one a stream of a plan.

    Returns:
        One score a plan.
    """
    items = [_item(model, plan, text) for plan, text in zip(plans, targets, strict=True)]
    total = sum(len(item.rows) for item in items)
    scores: list[Score] = []
    done = 0
    for first in range(0, len(items), _WINDOW):
        window = items[first : first + _WINDOW]
        rows = [row for item in window for row in item.rows]
        states: dict[int, Tensor] = {}
        for found in _read(model, rows):
            states.update(found)
            if on_progress:
                on_progress(done + len(states), total)
        done += len(rows)
        scores.extend(_finish(model, window, [states[i] for i in range(len(rows))]))
    return scores


def _item(model: LanguageModel, plan: Plan, text: str) -> _Item:
    streams, weights = live_streams(plan)
    target = tuple(model.tokens(text))
    rows = []
    for stream in streams:
        prompt = model.prompt(stream.messages)
        model.fits(len(prompt), len(target))
        rows.append(Row((*prompt, *target), len(prompt)))
    kind = plan.fusion.kind if plan.fusion else ""
    settings = plan.fusion.settings if plan.fusion else ()
    return _Item(tuple(rows), kind, weights, settings, target)


def _read(model: LanguageModel, rows: Sequence[Row]) -> Iterator[dict[int, Tensor]]:
    """Read rows batch by batch, and give each one's states, (target, hidden), by its index."""
    for group in groups(rows):
        cache = None
        if group.shared:
            ids = torch.tensor([rows[group.rows[0]].ids[: group.shared]], device=model.device)
            cache = model.new_cache()
            model.read(ids, cache)
        lengths = [len(rows[i].inputs) - group.shared for i in group.rows]
        most = max(1, _HELD // (group.shared + max(lengths)))
        for batch in batches(lengths, _READ, most):
            chosen = [group.rows[i] for i in batch]
            states = _read_batch(model, [rows[i] for i in chosen], group.shared, cache)
            yield dict(zip(chosen, states, strict=True))


def _read_batch(
    model: LanguageModel, rows: Sequence[Row], shared: int, cache: DynamicCache | None
) -> list[Tensor]:
    # Padding on the right, and causal attention: no token sees any, so no mask is needed.
    width = max(len(row.inputs) for row in rows) - shared
    ids = torch.zeros(len(rows), width, dtype=torch.long)  # (batch, length)
    for line, row in zip(ids, rows, strict=True):
        line[: len(row.inputs) - shared] = torch.tensor(row.inputs[shared:])
    past = _repeat(cache, len(rows)) if cache else None
    hidden = model.read(ids.to(model.device), past)  # (batch, length, hidden)
    # Cloned, for a view would keep the whole batch in memory.
    return [
        states[row.start - 1 - shared : len(row.inputs) - shared].clone()
        for states, row in zip(hidden, rows, strict=True)
    ]


def _repeat(cache: DynamicCache, times: int) -> DynamicCache:
    """Give a cache with its one row repeated; what it was made from stays as it is."""
    repeated = deepcopy(cache)
    repeated.batch_repeat_interleave(times)
    return repeated


def _finish(
    model: LanguageModel, items: Sequence[_Item], states: Sequence[Tensor]
) -> Iterator[Score]:
    row = 0
    for chunk in _chunks(items):
        count = sum(len(item.rows) for item in chunk)
        hidden = torch.cat([*states[row : row + count]])  # (places, hidden)
        logprobs = torch.split(model.logprobs(hidden), [item.places for item in chunk])
        for item, found in zip(chunk, logprobs, strict=True):
            yield Score(_target(item, found), item.prompt_tokens)
        row += count


def _chunks(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    places = 0
    for item in items:
        if chunk and places + item.places > _HEAD:
            yield chunk
            chunk, places = [], 0
        chunk.append(item)
        places += item.places
    if chunk:
        yield chunk


def _target(item: _Item, logprobs: Tensor) -> tuple[float, ...]:
    if not item.target:
        return ()
    streams = logprobs.view(len(item.rows), len(item.target), -1)  # (streams, target, vocab)
    fused = fuse(item.kind, streams, item.weights, item.settings)  # (target, vocab)
    target = torch.tensor(item.target, device=fused.device)
    found: list[float] = fused.gather(-1, target[:, None])[:, 0].tolist()
    return tuple(found)
