"""How likely a text is as the answer to a plan.

Every stream of every plan is one row to read. Beginnings that rows share are read once; the head,
which costs most, runs at the target's places only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ipse.backends.local.attached import Attached, shape_key
from ipse.backends.local.attention import Past, Span
from ipse.backends.local.chunks import PLACE, Chunk, Steered
from ipse.backends.local.fusion import fuse, live_streams
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.requests import Place
from ipse.backends.local.sharing import Row, batches, groups
from ipse.lm import Progress, Score
from ipse.plan import Plan, Stream

__all__ = ["Places", "score"]

Places: TypeAlias = Callable[[str | None], Place]
"""Gives where a model is run, by its name; None is the backend's own."""

_WINDOW = 1024
"""Items whose hidden states are in memory together."""

_READ = 2048
"""Tokens read in one forward pass."""

_HEAD = 256
"""Places at which the head runs in one go; each takes 4 bytes a vocabulary entry."""


@dataclass(frozen=True)
class _Reading:
    """What one stream of a plan reads: its prompt and the target."""

    stream: Stream
    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class _Item:
    rows: tuple[_Reading, ...]
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
        for found in _read(places, rows):
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
        rows.append(_Reading(stream, (*prompt, *target), len(prompt)))
    kind = plan.fusion.kind if plan.fusion else ""
    settings = plan.fusion.settings if plan.fusion else ()
    return _Item(tuple(rows), kind, weights, settings, target)


def _read(places: Places, rows: Sequence[_Reading]) -> Iterator[dict[int, Tensor]]:
    """Read rows shape by shape, and give each one's states, (target, hidden), by its index."""
    shapes: dict[Hashable, list[int]] = {}
    for i, row in enumerate(rows):
        # Where steering begins may be counted from the prompt's end.
        length = row.start if any(s.start < 0 for s in row.stream.steering) else 0
        shapes.setdefault((row.stream.model, shape_key(row.stream), length), []).append(i)
    for members in shapes.values():
        first = rows[members[0]]
        place = places(first.stream.model)
        with place.attachments.attaching(first.stream) as attached:
            steering = attached.steered(first.start)
            alike = [_row(rows[i], attached) for i in members]
            for found in _read_alike(place.model, alike, attached, steering):
                yield {members[i]: states for i, states in found.items()}


def _row(reading: _Reading, attached: Attached) -> Row:
    ahead = attached.length
    return Row((*(PLACE,) * ahead, *reading.ids), reading.start + ahead)


def _read_alike(
    model: LanguageModel, rows: Sequence[Row], attached: Attached, steering: Sequence[Steered]
) -> Iterator[dict[int, Tensor]]:
    """Read rows that attach the same, batch by batch; what beginnings share, once."""
    for group in groups(rows):
        past = None
        if group.shared:
            past = Past(model.core, group.shared)
            ids = rows[group.rows[0]].ids[: group.shared]
            model.read([Chunk(ids, 0, Span(0, len(ids), past, keep=True), attached, steering)])
            past.length = group.shared
        lengths = [len(rows[i].inputs) - group.shared for i in group.rows]
        for batch in batches(lengths, _READ, len(lengths)):
            chosen = [group.rows[i] for i in batch]
            chunks: list[Chunk] = []
            for i in chosen:
                ids = rows[i].inputs[group.shared :]
                start = chunks[-1].lines.stop if chunks else 0
                span = Span(start, len(ids), past)
                chunks.append(Chunk(ids, group.shared, span, attached, steering))
            hidden = model.read(chunks)  # (tokens, hidden)
            yield {
                # Cloned, for a view would keep the whole batch in memory.
                i: hidden[chunk.lines][rows[i].start - 1 - group.shared :].clone()
                for i, chunk in zip(chosen, chunks, strict=True)
            }


def _finish(places: Places, items: Sequence[_Item], states: Sequence[Tensor]) -> Iterator[Score]:
    row = 0
    for chunk in _chunks(items):
        rows = [each for item in chunk for each in item.rows]
        logprobs = iter(_logprobs(places, rows, states[row : row + len(rows)]))
        for item in chunk:
            streams = torch.stack([next(logprobs) for _ in item.rows])  # (streams, target, vocab)
            yield Score(_target(item, streams), item.prompt_tokens)
        row += len(rows)


def _logprobs(places: Places, rows: Sequence[_Reading], states: Sequence[Tensor]) -> list[Tensor]:
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
