"""BM25 over one person's records, as four arrays and nothing else.

`score(d, q) = sum_t idf(t) tf (k1 + 1) / (tf + k1 (1 - b + b |d| / avg|d|))` with
`idf(t) = ln(1 + (N - df + 1/2) / (df + 1/2))` (Robertson and Zaragoza 2009, with Lucene's idf,
which is never negative). Every weight is computed once when the index is built; a query only adds
up the posting lists of its words.

Words stand as sorted 64-bit hashes instead of a vocabulary, so that a person's index opens from a
memory-mapped file with nothing to parse: with a million people almost every index is cold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.text import words

__all__ = ["BM25"]


@dataclass(frozen=True, eq=False)
class BM25:
    """A BM25 index of some documents.

    Attributes:
        terms: The words' hashes, ascending, uint64 of (terms,).
        starts: Where each word's postings start, int64 of (terms + 1,).
        docs: The documents of each posting, ascending for a word, int32 of (postings,).
        weights: The score each posting adds, float32 of (postings,).
        size: How many documents there are.
    """

    terms: NDArray[np.uint64]
    starts: NDArray[np.int64]
    docs: NDArray[np.int32]
    weights: NDArray[np.float32]
    size: int

    @classmethod
    def build(cls, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> BM25:
        """Index some documents.

        Args:
            texts: The documents.
            k1: How soon repeating a word stops to count.
            b: How much a long document is discounted, in [0, 1].

        Returns:
            The index.
        """
        bags = [words(text) for text in texts]
        lengths = np.array([len(bag) for bag in bags], np.float64)  # (documents,)
        owner = np.repeat(np.arange(len(bags), dtype=np.int64), lengths.astype(np.int64))
        hashes = _hashes(word for bag in bags for word in bag)  # (words,)
        terms, inverse = np.unique(hashes, return_inverse=True)
        pairs, counts = np.unique(inverse * max(1, len(bags)) + owner, return_counts=True)
        term, docs = np.divmod(pairs, max(1, len(bags)))  # both (postings,)
        frequency = np.bincount(term, minlength=len(terms))  # (terms,) documents with the word
        starts = np.concatenate([[0], np.cumsum(frequency)]).astype(np.int64)
        idf = np.log1p((len(bags) - frequency + 0.5) / (frequency + 0.5))
        damp = k1 * (1 - b + b * lengths / max(1e-9, lengths.mean() if len(bags) else 1.0))
        weights = idf[term] * counts * (k1 + 1) / (counts + damp[docs])
        return cls(terms, starts, docs.astype(np.int32), weights.astype(np.float32), len(bags))

    def scores(self, query: str) -> NDArray[np.float32]:
        """Score every document; a word counts as often as the query has it.

        Args:
            query: What is searched for.

        Returns:
            Scores of (documents,); 0 where no word is shared.
        """
        found = np.zeros(self.size, np.float32)
        if not len(self.terms):
            return found
        asked, times = np.unique(_hashes(words(query)), return_counts=True)
        at = np.searchsorted(self.terms, asked)
        at[at == len(self.terms)] = 0
        known = self.terms[at] == asked
        spans = zip(self.starts[at[known]], self.starts[at[known] + 1], times[known], strict=True)
        for start, end, count in spans:
            # Three times as fast as `found[docs] += weights`.
            np.add.at(found, self.docs[start:end], self.weights[start:end] * np.float32(count))
        return found

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give the index as named arrays; `from_arrays` gives it back without copying."""
        return {
            "terms": self.terms,
            "starts": self.starts,
            "docs": self.docs,
            "weights": self.weights,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], size: int) -> BM25:
        """Open an index of `size` documents from what `to_arrays` gave."""
        return cls(arrays["terms"], arrays["starts"], arrays["docs"], arrays["weights"], size)


def _hashes(found: Iterable[str]) -> NDArray[np.uint64]:
    known: dict[str, int] = {}  # not kept: words of people are no cache's to remember
    for word in (listed := list(found)):
        if word not in known:
            known[word] = _hash(word)
    return np.fromiter((known[word] for word in listed), np.uint64, len(listed))


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
