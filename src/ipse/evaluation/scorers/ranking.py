"""Scores of a ranking: are the records that hold the answer found, and how far up?

Relevance is binary. Records are named by their ids; one that is ranked twice counts at its first
place, and evidence that is named twice counts once. A question without evidence has no such score,
and asking for one is an error: leave the question out. Knows neither records nor methods.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from ipse.errors import UsageError

__all__ = ["mrr", "ndcg", "recall", "recall_all", "recall_any"]


def recall(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Give the share of the evidence that is among the first `k` records.

    LoCoMo's official script counts a question without evidence as 1; here it is an error.

    Args:
        ranked: The ids that were found, the best first.
        evidence: The ids of the records that hold the answer.
        k: How many records are looked at.

    Returns:
        The share, in 0..1.

    Raises:
        UsageError: If there is no evidence, or `k` is less than 1.
    """
    return sum(_relevance(ranked, evidence, k)) / len(set(evidence))


def recall_any(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Say whether any of the evidence is among the first `k` records (LongMemEval): 1 or 0."""
    return float(any(_relevance(ranked, evidence, k)))


def recall_all(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Say whether all of the evidence is among the first `k` records (LongMemEval): 1 or 0."""
    return float(recall(ranked, evidence, k) == 1)


def ndcg(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Give normalized discounted cumulative gain as LongMemEval has it (arXiv 2410.10813).

    Its official script discounts place i by log2(i) from the second place on, so that the first
    two places are worth the same: DCG = rel_1 + sum over i >= 2 of rel_i / log2(i). The usual form
    discounts by log2(i + 1) from the first on, and gives other numbers. The best ranking holds all
    evidence first; in the official script, all evidence that is in the history at all.

    Args:
        ranked: The ids that were found, the best first.
        evidence: The ids of the records that hold the answer.
        k: How many records are looked at.

    Returns:
        The gain over that of the best ranking, in 0..1.

    Raises:
        UsageError: If there is no evidence, or `k` is less than 1.
    """
    best = [True] * min(k, len(set(evidence)))
    return _gain(_relevance(ranked, evidence, k)) / _gain(best)


def mrr(ranked: Sequence[str], evidence: Collection[str]) -> float:
    """Give 1 over the place of the first evidence, 0 if none was found; its mean is the MRR.

    Args:
        ranked: The ids that were found, the best first.
        evidence: The ids of the records that hold the answer.

    Returns:
        The reciprocal rank, in 0..1.

    Raises:
        UsageError: If there is no evidence.
    """
    relevance = _relevance(ranked, evidence, max(1, len(ranked)))
    return 1 / (relevance.index(True) + 1) if any(relevance) else 0.0


def _relevance(ranked: Sequence[str], evidence: Collection[str], k: int) -> list[bool]:
    """Say of each of the first `k` different records whether it is evidence."""
    if not evidence:
        raise UsageError("a question without evidence cannot be scored; leave it out")
    if k < 1:
        raise UsageError(f"at least 1 record must be looked at, not {k}")
    wanted = frozenset(evidence)
    return [name in wanted for name in list(dict.fromkeys(ranked))[:k]]


def _gain(relevance: Sequence[bool]) -> float:
    return sum(
        1 / max(1.0, math.log2(place)) for place, is_hit in enumerate(relevance, start=1) if is_hit
    )
