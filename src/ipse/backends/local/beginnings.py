"""Beginnings that were read before: the longest that a new text shares is not read again.

A beginning is known by everything that shaped it: the model, what was attached, and every token. A
retrained adapter has another name, so nothing read with the old one is ever found for the new.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ipse.backends.local.attention import Past

__all__ = ["BLOCK", "Beginnings", "chain"]

BLOCK = 16
"""Tokens that are looked up together; from there on, one by one."""


def chain(shape: Hashable, ids: Sequence[int]) -> list[int]:
    """Give one hash a whole block of tokens; each is of everything up to its block's end.

    Args:
        shape: Everything but the tokens that shapes what is read.
        ids: The tokens.

    Returns:
        The hashes, from the first block on.
    """
    found: list[int] = []
    last = hash(shape)
    for start in range(0, len(ids) - BLOCK + 1, BLOCK):
        last = hash((last, tuple(ids[start : start + BLOCK])))
        found.append(last)
    return found


@dataclass(frozen=True, eq=False)
class _Entry:
    shape: Hashable
    ids: tuple[int, ...]
    past: Past
    chain: list[int]


class Beginnings:
    """What was read, up to a bound in bytes; the least recently used goes first.

    Attributes:
        nbytes: The bytes of all of it.
        cleared: How often it was let go of. What began to be read before that must not be kept.
    """

    def __init__(self, most: int) -> None:
        """Begin empty.

        Args:
            most: The most bytes to keep; 0 keeps nothing.
        """
        self.nbytes = 0
        self.cleared = 0
        self._most = most
        self._entries: OrderedDict[int, _Entry] = OrderedDict()  # by the hash of its last block
        self._owners: dict[int, _Entry] = {}  # by the hash of any block

    def find(
        self, shape: Hashable, ids: Sequence[int], hashes: Sequence[int]
    ) -> tuple[Past, int] | None:
        """Find the longest beginning of a text, but for its last token, whose state is needed.

        Args:
            shape: Everything but the tokens that shapes what is read.
            ids: The tokens.
            hashes: What `chain` gives for them.

        Returns:
            Where it was read, and how many tokens of it are shared; None where nothing is.
        """
        for value in reversed(hashes):
            entry = self._owners.get(value)
            if entry and entry.shape == shape:
                pairs = zip(entry.ids, ids[:-1], strict=False)
                shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
                if shared:
                    self._use(entry)
                    return entry.past, shared
        return None

    def keep(self, shape: Hashable, ids: Sequence[int], hashes: Sequence[int], past: Past) -> None:
        """Keep what was read, unless it is there already.

        Args:
            shape: Everything but the tokens that shapes what is read.
            ids: The tokens.
            hashes: What `chain` gives for them.
            past: Their keys and values; nobody changes them from now on.
        """
        if not hashes or hashes[-1] in self._owners or past.nbytes > self._most:
            return
        while self.nbytes + past.nbytes > self._most:
            self._drop(next(iter(self._entries.values())))
        entry = _Entry(shape, tuple(ids), past, list(hashes))
        self._entries[hashes[-1]] = entry
        self.nbytes += past.nbytes
        self._use(entry)

    def clear(self) -> None:
        """Let go of everything."""
        self.nbytes = 0
        self.cleared += 1
        self._entries.clear()
        self._owners.clear()

    def _use(self, entry: _Entry) -> None:
        # A block that several share is its latest user's: it stays findable as long as any does.
        self._entries.move_to_end(entry.chain[-1])
        self._owners.update(dict.fromkeys(entry.chain, entry))

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry.chain[-1]]
        self.nbytes -= entry.past.nbytes
        for value in entry.chain:
            if self._owners.get(value) is entry:
                del self._owners[value]
