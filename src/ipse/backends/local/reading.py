"""Read what many streams read, each with what it attaches; beginnings that they share, once.

A row whose steering begins only behind what it shares is read together with those that are steered
otherwise, or not at all. This file knows nothing of fusions and heads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from torch import Tensor

from ipse.backends.local.attached import Attached, shape_key
from ipse.backends.local.attention import Past, Span
from ipse.backends.local.chunks import PLACE, Chunk, Steered
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.requests import Place
from ipse.backends.local.sharing import Row, batches, groups
from ipse.plan import Stream

__all__ = ["Places", "Reading", "States", "final", "read"]

Places: TypeAlias = Callable[[str | None], Place]
"""Gives where a model is run, by its name; None is the backend's own."""

States: TypeAlias = Callable[[LanguageModel, Sequence[Chunk]], Tensor]
"""Reads tokens, and gives what is wanted of each, (tokens, ...)."""

_READ = 2048
"""Tokens read in one forward pass."""


@dataclass(frozen=True)
class Reading:
    """What one stream reads.

    Attributes:
        stream: The stream.
        ids: The tokens; the last one is never read.
        prompt: How many of them are the prompt's.
        start: The states from the token before this one on are wanted; at least 1.
    """

    stream: Stream
    ids: tuple[int, ...]
    prompt: int
    start: int

    @property
    def late(self) -> bool:
        """Whether it is steered nowhere but where its states are wanted."""
        begins = (s.start if s.start >= 0 else self.prompt + s.start for s in self.stream.steering)
        return all(place >= self.start - 1 for place in begins)

    @property
    def shape(self) -> Hashable:
        """Everything but the tokens that shapes what the beginning is read into."""
        if self.late:
            return self.stream.model, shape_key(self.bare), 0
        # Where steering begins may be counted from the prompt's end.
        length = self.prompt if any(s.start < 0 for s in self.stream.steering) else 0
        return self.stream.model, shape_key(self.stream), length

    @property
    def bare(self) -> Stream:
        """The stream without its steering."""
        return replace(self.stream, steering=())


@dataclass(frozen=True, eq=False)
class _Line:
    """A row as it is read: with the places of its prefix, and its own steering."""

    row: Row
    steering: Sequence[Steered]


def final(model: LanguageModel, chunks: Sequence[Chunk]) -> Tensor:
    """Give the states that the head reads, (tokens, hidden)."""
    return model.read(chunks)


def read(
    places: Places, rows: Sequence[Reading], states: States = final
) -> Iterator[dict[int, Tensor]]:
    """Read rows shape by shape.

    Args:
        places: Gives where a model is run.
        rows: The rows.
        states: Reads tokens.

    Yields:
        By a row's index, what is wanted of it, (tokens, ...).
    """
    shapes: dict[Hashable, list[int]] = {}
    for i, row in enumerate(rows):
        shapes.setdefault(row.shape, []).append(i)
    for members in shapes.values():
        first = rows[members[0]].bare
        place = places(first.model)
        with place.attachments.attaching(first) as attached:
            alike = [_line(place, rows[i], attached) for i in members]
            for found in _read_alike(place.model, alike, attached, states):
                yield {members[i]: wanted for i, wanted in found.items()}


def _line(place: Place, reading: Reading, attached: Attached) -> _Line:
    ahead = attached.length
    row = Row((*(PLACE,) * ahead, *reading.ids), reading.start + ahead)
    if not reading.stream.steering:
        return _Line(row, ())
    # Vectors are small: they stay at hand without being kept from making room for others.
    with place.attachments.attaching(reading.stream) as own:
        return _Line(row, own.steered(reading.prompt))


def _read_alike(
    model: LanguageModel, lines: Sequence[_Line], attached: Attached, states: States
) -> Iterator[dict[int, Tensor]]:
    """Read rows that attach the same, batch by batch; what beginnings share, once."""
    rows = [line.row for line in lines]
    for group in groups(rows):
        past = None
        if group.shared:
            past = Past(model.core, group.shared)
            ids = rows[group.rows[0]].ids[: group.shared]
            span = Span(0, len(ids), past, keep=True)
            states(model, [Chunk(ids, 0, span, attached, lines[group.rows[0]].steering)])
            past.length = group.shared
        lengths = [len(rows[i].inputs) - group.shared for i in group.rows]
        for batch in batches(lengths, _READ, len(lengths)):
            chosen = [group.rows[i] for i in batch]
            chunks: list[Chunk] = []
            for i in chosen:
                ids = rows[i].inputs[group.shared :]
                start = chunks[-1].lines.stop if chunks else 0
                span = Span(start, len(ids), past)
                chunks.append(Chunk(ids, group.shared, span, attached, lines[i].steering))
            found = states(model, chunks)  # (tokens, ...)
            yield {
                # Cloned, for a view would keep the whole batch in memory.
                i: found[chunk.lines][rows[i].start - 1 - group.shared :].clone()
                for i, chunk in zip(chosen, chunks, strict=True)
            }
