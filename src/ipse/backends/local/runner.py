"""One model's rows: those that read and those that write, in one forward pass a step.

The lines of a step are the writing rows' one token each, table by table, then the tokens that
reading rows read now. This file knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ipse.backends.local.attention import Attention, Lane, Past, Span, token_bytes
from ipse.backends.local.bank import Bank
from ipse.backends.local.beginnings import BLOCK, Beginnings
from ipse.backends.local.chunks import Chunk, inputs, reading_adapters, steer
from ipse.backends.local.lora import Extras
from ipse.backends.local.network import Network
from ipse.backends.local.rows import Row, capacity_for

__all__ = ["Runner", "Step"]


@dataclass(eq=False)
class _Table:
    """A lane with the adapters of its rows, and the rows themselves."""

    lane: Lane
    bank: Bank
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """What a step gave.

    Attributes:
        rows: Rows whose next token can be drawn.
        logits: Theirs, (rows, vocab), float32.
    """

    rows: tuple[Row, ...]
    logits: Tensor


class Runner:
    """Rows of one model.

    Attributes:
        network: The model.
        beginnings: What was read before.
        looked_up: Tokens that were looked up there, ever.
        found: Of those, the tokens that were not read again.
    """

    def __init__(self, network: Network, kept: int) -> None:
        """Begin without rows.

        Args:
            network: The model.
            kept: The most bytes of beginnings to keep.
        """
        self.network = network
        self.beginnings = Beginnings(kept)
        self.looked_up = self.found = 0
        self._token_bytes = token_bytes(network)
        self._tables: list[_Table] = []
        self._reading: list[Row] = []

    @property
    def nbytes(self) -> int:
        """The bytes of keys and values of rows, or set aside for those that are still reading."""
        held = sum(table.lane.touched * table.lane.capacity for table in self._tables)
        return held * self._token_bytes + sum(map(self.cost, self._reading))

    @property
    def writing(self) -> int:
        """How many rows are being written."""
        return sum(len(table.rows) for table in self._tables)

    @property
    def only_writes(self) -> bool:
        """Whether the next step reads nothing."""
        return all(row.logits is not None for row in self._reading)

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._reading or self._tables)

    def cost(self, row: Row) -> int:
        """Give the most bytes a row can take: while it moves from reading to writing."""
        return self.bytes_for(len(row.ids), row.size)

    def bytes_for(self, prompt: int, size: int) -> int:
        """Give the most bytes that a row of so many tokens takes, a part of them its prompt."""
        return (capacity_for(size) + prompt) * self._token_bytes

    def admit(self, row: Row) -> None:
        """Let a row begin to read."""
        self._reading.append(row)

    def write(self, row: Row, token: int) -> None:
        """Give a row its next token; the first moves it to those that write."""
        row.token, row.logits = token, None
        if row in self._reading:
            self._reading.remove(row)
            self._join(row)

    def remove(self, row: Row) -> None:
        """Let a row go, wherever it is."""
        row.past = row.logits = None
        if row in self._reading:
            self._reading.remove(row)
        for table in self._tables:
            if row in table.rows:
                self._leave(table, table.rows.index(row))
                return

    def clear(self) -> None:
        """Let every row go, and everything that was kept."""
        self._tables.clear()
        self._reading.clear()
        self.beginnings.clear()

    def step(self, budget: int) -> Step | None:
        """Run the model once: one token for each row that writes, some for those that read.

        Args:
            budget: The most tokens to read for rows that do not write yet.

        Returns:
            What it gave; None where there was nothing to do.
        """
        with torch.inference_mode():
            spans = self._spans(budget)
            if not spans and not self._tables:
                return None
            return self._run(spans)

    def _join(self, row: Row) -> None:
        assert row.past is not None
        capacity = capacity_for(row.size)
        fitting = (t for t in self._tables if t.lane.capacity == capacity)
        table = next((t for t in fitting if len(t.rows) < Lane.SLOTS), None)
        if table is None:
            table = _Table(Lane(self.network, capacity), Bank(Lane.SLOTS))
            self._tables.append(table)
        table.lane.join(row.past)
        table.bank.join(row.attached.adapters)
        table.rows.append(row)
        row.past = None

    def _leave(self, table: _Table, slot: int) -> None:
        table.lane.leave(slot)
        table.bank.leave(slot)
        last = table.rows.pop()
        if slot < len(table.rows):
            table.rows[slot] = last
        if not table.rows:
            self._tables.remove(table)

    def _spans(self, budget: int) -> list[tuple[Row, int]]:
        """Choose who reads how many tokens now: those who came first, first."""
        chosen: list[tuple[Row, int]] = []
        # Who has read everything waits for nobody here: it may be the one that others wait for.
        underway = {
            v for row in self._reading if row.past and row.logits is None for v in row.chain
        }
        for row in self._reading:
            if row.logits is not None or budget <= 0:
                continue
            if row.past is None and not self._begin(row, underway):
                continue
            assert row.past is not None
            count = min(budget, len(row.ids) - row.past.length)
            chosen.append((row, count))
            budget -= count
        return chosen

    def _begin(self, row: Row, underway: set[int]) -> bool:
        """Take over what was read before; wait where another row is just reading the same."""
        found = self.beginnings.find(row.shape, row.ids, row.chain)
        shared = found[1] if found else 0
        if set(row.chain[shared // BLOCK : shared // BLOCK + 1]) & underway:
            return False
        underway.update(row.chain)
        self.looked_up += len(row.ids)
        self.found += shared
        row.past = Past(self.network, len(row.ids))
        if found:
            row.past.begin_with(*found)
        return True

    def _run(self, chosen: Sequence[tuple[Row, int]]) -> Step:
        net = self.network
        writing = [row for table in self._tables for row in table.rows]
        places = [length for table in self._tables for length in table.lane.lengths]
        chunks = _lay(chosen, len(writing))
        lanes = [table.lane for table in self._tables]
        for lane in lanes:
            lane.begin()
        x, where = inputs(net, chunks, [row.token for row in writing], places)
        steering = [row.steering for row in writing]
        x = net.run(
            x,
            where,
            Attention(lanes, [chunk.span for chunk in chunks]),
            Extras(self._banks(), reading_adapters(chunks)),
            steer(chunks, list(zip(places, steering, strict=True))),
        )
        for lane in lanes:
            lane.end()
        return self._outputs(x, writing, [row for row, _ in chosen], chunks)

    def _banks(self) -> list[tuple[slice, Bank]]:
        banks: list[tuple[slice, Bank]] = []
        start = 0
        for table in self._tables:
            end = start + len(table.rows)
            if table.bank.used:
                banks.append((slice(start, end), table.bank))
            start = end
        return banks

    def _outputs(
        self, x: Tensor, writing: Sequence[Row], reading: Sequence[Row], chunks: Sequence[Chunk]
    ) -> Step:
        rows, lines = list(writing), list(range(len(writing)))
        for row, chunk in zip(reading, chunks, strict=True):
            assert row.past is not None
            row.past.length += chunk.span.length
            if row.past.length == len(row.ids):
                if row.asked == self.beginnings.cleared:  # nobody forgot anything meanwhile
                    self.beginnings.keep(row.shape, row.ids, row.chain, row.past)
                rows.append(row)
                lines.append(chunk.lines.stop - 1)
        logits = self.network.logits(x if len(lines) == len(x) else x[lines])  # (rows, vocab)
        for row, line in zip(rows, logits, strict=True):
            row.logits = line
        return Step(tuple(rows), logits)


def _lay(chosen: Sequence[tuple[Row, int]], start: int) -> list[Chunk]:
    """Lay the tokens that rows read now end to end, from a line on."""
    chunks: list[Chunk] = []
    for row, count in chosen:
        assert row.past is not None
        begin = row.past.length
        ids = row.ids[begin : begin + count]
        span = Span(start, count, row.past, keep=True)
        chunks.append(Chunk(ids, begin, span, row.attached, row.steering))
        start += count
    return chunks
