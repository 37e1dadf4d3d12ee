"""One pass over the frozen model for rows of many jobs, and how rows are shared out over passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

import torch
from torch import Tensor

from ipse.backends.local.attached import Attached, shape_key
from ipse.backends.local.attention import Span
from ipse.backends.local.chunks import PLACE, Chunk, inputs, reading_adapters, steer
from ipse.backends.local.head import target_logprobs
from ipse.backends.local.requests import Place
from ipse.backends.local.training.attending import Causal
from ipse.backends.local.training.effects import Effect, Effects
from ipse.backends.local.training.learnable import Learnable, Lines
from ipse.backends.local.training.loss import nats, weighted_nats
from ipse.backends.local.training.losses import loss_of
from ipse.backends.local.training.rows import Row
from ipse.loss import Loss

__all__ = ["Asked", "Pass", "passes"]

_WORTH = 4
"""Tokens that rows have to share for it to be worth while."""

_PLAIN = Loss()


@dataclass(frozen=True, eq=False)
class Asked:
    """A row that is to be read, with the one of the text it is preferred to, if any.

    Attributes:
        learnable: What its job learns.
        row: The row.
        weight: What its loss counts in that of the pass.
        chance: Its source of chance while it is learned from; None where it is only looked at.
        loss: What its job makes small.
        reference: Log-probabilities of its tokens as the job began, (tokens,), those of the
            rejected text last; None where its loss needs none, or only they are looked at.
    """

    learnable: Learnable
    row: Row
    weight: float = 1.0
    chance: torch.Generator | None = None
    loss: Loss = _PLAIN
    reference: Tensor | None = None

    @property
    def begins(self) -> tuple[int, ...]:
        """Where each of its rows begins to be read: a pair's prompt is read once, if it can be."""
        shares = not (self.learnable.by_row or self.row.example.stream.steering)
        return tuple(
            self.row.ahead + row.prompt - 1 if at and shares else 0
            for at, row in enumerate(self.row.both)
        )

    @property
    def length(self) -> int:
        """How many lines it takes."""
        rows = zip(self.row.both, self.begins, strict=True)
        return sum(self.learnable.places + r.ahead + len(r.ids) - begin for r, begin in rows)

    @property
    def counts(self) -> list[int]:
        """How many tokens of each of its rows have to come out."""
        return [len(row.targets) for row in self.row.both]

    def cost(self, nats: Sequence[float]) -> float:
        """Give its loss where nothing is learned, by the nats of its tokens."""
        if self.reference is None:
            return self.row.example.weight * fmean(nats)
        return self.loss_at(-self.reference.new_tensor(nats)).item()

    def loss_at(self, logprobs: Tensor) -> Tensor:
        """Give its loss, (), by how likely its tokens are, (tokens,)."""
        reference = () if self.reference is None else torch.split(self.reference, self.counts)
        return loss_of(self.loss, self.row.example, torch.split(logprobs, self.counts), reference)


@dataclass(frozen=True, eq=False)
class Pass:
    """Rows that are read together, each with what its stream attaches."""

    place: Place
    asked: Sequence[Asked]
    attached: Sequence[Attached]

    @property
    def tokens(self) -> int:
        """How many lines it has."""
        return sum(asked.length for asked in self.asked)

    def learn(self) -> list[float]:
        """Add the gradients of the weighted losses to the parameters; give each one's loss."""
        with self.place.model.turn:
            if any(asked.loss.refers for asked in self.asked):
                return self._learn_by_reference()
            states, targets = self._states()  # (targets, hidden), (targets,)
            counts = [len(asked.row.targets) for asked in self.asked]
            own = [asked.row.example.weight for asked in self.asked]
            each = [a.weight * w / n for a, w, n in zip(self.asked, own, counts, strict=True)]
            weights = torch.tensor(each, device=states.device)
            weights = weights.repeat_interleave(torch.tensor(counts, device=states.device))
            loss, every = weighted_nats(self.place.model.core, states, targets, weights)
            loss.backward()  # type: ignore[no-untyped-call]
        parts = torch.split(every, counts)
        return [w * part.mean().item() for w, part in zip(own, parts, strict=True)]

    def _learn_by_reference(self) -> list[float]:
        """Do as `learn`, where what a token counts follows from how likely all of them are."""
        states, targets = self._states()
        every = target_logprobs(self.place.model.core, states, targets)  # (targets,)
        parts = torch.split(every, [sum(asked.counts) for asked in self.asked])
        found = [asked.loss_at(part) for asked, part in zip(self.asked, parts, strict=True)]
        whole = torch.stack([a.weight * loss for a, loss in zip(self.asked, found, strict=True)])
        whole.sum().backward()  # type: ignore[no-untyped-call]
        return [loss.item() for loss in found]

    def look(self) -> list[list[float]]:
        """Give the nats of each one's targets, the rejected text's last, and change nothing."""
        with self.place.model.turn, torch.no_grad():
            states, targets = self._states()
            every = nats(self.place.model.core, states, targets)
        return [part.tolist() for part in torch.split(every, [sum(a.counts) for a in self.asked])]

    def _states(self) -> tuple[Tensor, Tensor]:
        """Run the model; give the states that targets follow from, and the targets."""
        network = self.place.model.core
        begins = _begins(self.asked)
        chunks = self._chunks(begins)
        effects = self._effects(chunks)
        x, places = inputs(network, chunks)
        x = _with_prefixes(x, chunks, effects)
        extra = Effects([effect for _, effect in effects], reading_adapters(chunks))
        attend = Causal([(chunk.span.length, chunk.begin) for chunk in chunks])
        x = network.run(x, places, attend, extra, steer(chunks))
        lines, targets = list[int](), list[int]()
        rows = [row for asked in self.asked for row in asked.row.both]
        for row, chunk in zip(rows, chunks, strict=True):
            lines += range(chunk.lines.stop - len(row.targets), chunk.lines.stop)
            targets += row.targets
        where = torch.tensor(lines, device=x.device)
        return x.index_select(0, where), torch.tensor(targets, device=x.device)

    def _chunks(self, begins: Sequence[int]) -> list[Chunk]:
        chunks: list[Chunk] = []
        start = 0
        rows = [
            (asked.learnable.places, row, attached)
            for asked, attached in zip(self.asked, self.attached, strict=True)
            for row in asked.row.both
        ]
        for (learned, row, attached), begin in zip(rows, begins, strict=True):
            ids = (*(PLACE,) * (learned + row.ahead), *row.ids)[begin:]
            steering = [
                (layer, learned + first, vector)
                for layer, first, vector in attached.steered(row.prompt)
            ]
            chunks.append(Chunk(ids, begin, Span(start, len(ids)), attached, steering))
            start += len(ids)
        return chunks

    def _effects(self, chunks: Sequence[Chunk]) -> list[tuple[slice, Effect]]:
        """Give what each job does to its lines, job after job."""
        found = []
        rows = [(asked, row) for asked in self.asked for row in asked.row.both]
        parts = [(asked, row, chunk) for (asked, row), chunk in zip(rows, chunks, strict=True)]
        for _, group in groupby(parts, key=lambda part: id(part[0].learnable)):
            members = list(group)
            lines = slice(members[0][2].lines.start, members[-1][2].lines.stop)
            taken = Lines(
                lines,
                [row for _, row, _ in members],
                [chunk.span.length for _, _, chunk in members],
                [asked.chance for asked, _, _ in members if asked.chance is not None],
            )
            found.append((lines, members[0][0].learnable.effect(taken)))
        return found


def _begins(asked: Sequence[Asked]) -> list[int]:
    """Give where each row begins to be read: what rows of a job share is read in the first.

    Where there are pairs, each pair shares its prompt, which is more.
    """
    begins: list[int] = []
    for _, group in groupby(asked, key=lambda each: id(each.learnable)):
        members = list(group)
        if any(each.row.rejected for each in members):
            begins += [begin for each in members for begin in each.begins]
            continue
        shared = _shared(members)
        begins += [0, *[shared] * (len(members) - 1)]
    return begins


def _shared(members: Sequence[Asked]) -> int:
    """Give how many tokens all rows of a job begin with, before the first that predicts."""
    first = members[0]
    stream = first.row.example.stream
    shapes = {shape_key(each.row.example.stream) for each in members}
    if len(shapes) > 1 or stream.steering or first.learnable.by_row:
        return 0
    most = min(each.row.prompt for each in members) - 1
    rows = [each.row.ids[:most] for each in members]
    same = next((i for i, ids in enumerate(zip(*rows, strict=True)) if len(set(ids)) > 1), most)
    return first.row.ahead + same if same >= _WORTH else 0


def _with_prefixes(
    x: Tensor, chunks: Sequence[Chunk], effects: Sequence[tuple[slice, Effect]]
) -> Tensor:
    """Put the soft prompts that are learned where rows begin."""
    begins = {chunk.span.start: chunk for chunk in chunks}
    where: list[int] = []
    vectors: list[Tensor] = []
    for lines, effect in effects:
        starts = [start for start in begins if lines.start <= start < lines.stop]
        for start, prefix in zip(starts, effect.prefixes, strict=bool(effect.prefixes)):
            where += range(start, start + len(prefix))
            vectors.append(prefix)
    if not vectors:
        return x
    return x.index_copy(0, torch.tensor(where, device=x.device), torch.cat(vectors).to(x.dtype))


def passes(place: Place, asked: Sequence[Asked], tokens: int) -> Iterator[Pass]:
    """Share rows out over passes, each with what it attaches in memory while it is the latest.

    Args:
        place: Where the model is run.
        asked: The rows; those of one job stand together, and stay together as far as they can.
        tokens: The most lines of a pass; a longer row goes alone.

    Yields:
        The passes.
    """
    left = list(asked)
    attachments = place.attachments
    while left:
        chosen, held, size = list[Asked](), list[Attached](), 0
        with ExitStack() as undo:
            while left and (not chosen or size + left[0].length <= tokens):
                stream = left[0].row.example.stream
                # Who holds something must not wait for room: it may be what others wait for.
                found = attachments.acquire_if_room(stream) if held else attachments.acquire(stream)
                if found is None:
                    break
                undo.callback(attachments.release, found)
                held.append(found)
                size += left[0].length
                chosen.append(left.pop(0))
            yield Pass(place, chosen, held)
