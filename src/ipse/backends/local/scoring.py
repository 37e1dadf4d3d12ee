"""How likely a text is as the answer to a plan.

Every stream of every plan is one row to read. Beginnings that rows share are read once; the head,
which costs most, runs at the target's places only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ipse.backends.local.fusion import fuse, live_streams
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.reading import Places, Reading, read
from ipse.lm import Progress, Score
from ipse.plan import Plan

__all__ = ["score"]

_WINDOW = 1024
"""Items whose hidden states are in memory together."""

_HEAD = 256
"""Places at which the head runs in one go; each takes 4 bytes a vocabulary entry."""


@dataclass(frozen=True)
class _Item:
    rows: tuple[Reading, ...]
    kind: str
    weights: tuple[float, ...]
    settings: tuple[tuple[str, float], ...]
    target: tuple[int, ...]

    @property
    def prompt_tokens(self) -> int:
        return sum(row.prompt for row in self.rows)

    @property
    def places(self) -> int:
        return len(self.rows) * len(self.target)


def score(
    places: Places,
    plans: Sequence[Plan],
    targets: Sequence[str],
    on_progress: Progress | None = None,
) -> list[Score]:
    """Give the log-probability of each target as the answer to its plan.

    Args:
        places: Gives where a model is run, by its name; None is the backend's own.
        plans: What comes before the targets.
        targets: One text a plan; the end of the turn is not part of it.
        on_progress: Told how many rows are read, and of how many: one a stream of a plan.

    Returns:
        One score a plan.
    """
    own = places(None).model
    items = [_item(own, plan, text) for plan, text in zip(plans, targets, strict=True)]
    total = sum(len(item.rows) for item in items)
    scores: list[Score] = []
    done = 0
    for first in range(0, len(items), _WINDOW):
        window = items[first : first + _WINDOW]
        rows = [row for item in window for row in item.rows]
        states: dict[int, Tensor] = {}
        for found in read(places, rows):
            states.update(found)
            if on_progress:
                on_progress(done + len(states), total)
        done += len(rows)
        scores.extend(_finish(places, window, [states[i] for i in range(len(rows))]))
    return scores


def _item(model: LanguageModel, plan: Plan, text: str) -> _Item:
    streams, weights = live_streams(plan)
    target = tuple(model.tokens(text))
    rows = []
    for stream in streams:
        prompt = model.prompt(stream.messages)
        model.fits(len(prompt), len(target))
        rows.append(Reading(stream, (*prompt, *target), len(prompt), len(prompt)))
    kind = plan.fusion.kind if plan.fusion else ""
    settings = plan.fusion.settings if plan.fusion else ()
    return _Item(tuple(rows), kind, weights, settings, target)


def _finish(places: Places, items: Sequence[_Item], states: Sequence[Tensor]) -> Iterator[Score]:
    row = 0
    for chunk in _chunks(items):
        rows = [each for item in chunk for each in item.rows]
        logprobs = iter(_logprobs(places, rows, states[row : row + len(rows)]))
        for item in chunk:
            streams = torch.stack([next(logprobs) for _ in item.rows])  # (streams, target, vocab)
            yield Score(_target(item, streams), item.prompt_tokens)
        row += len(rows)


def _logprobs(places: Places, rows: Sequence[Reading], states: Sequence[Tensor]) -> list[Tensor]:
    """Give each row's distributions, (target, vocab), by the head of its own model."""
    found: dict[int, Tensor] = {}
    for name in {row.stream.model for row in rows}:
        chosen = [i for i, row in enumerate(rows) if row.stream.model == name]
        every = places(name).model.logprobs(torch.cat([states[i] for i in chosen]))
        parts = torch.split(every, [len(states[i]) for i in chosen])
        found.update(zip(chosen, parts, strict=True))
    return [found[i] for i in range(len(rows))]


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


def _target(item: _Item, streams: Tensor) -> tuple[float, ...]:
    if not item.target:
        return ()
    fused = fuse(item.kind, streams, item.weights, item.settings)  # (target, vocab)
    target = torch.tensor(item.target, device=fused.device)
    found: list[float] = fused.gather(-1, target[:, None])[:, 0].tolist()
    return tuple(found)
