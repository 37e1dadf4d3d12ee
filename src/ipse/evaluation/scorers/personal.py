"""Scores of personalization: do outputs differ between people as the people's own words do?

Several people answer about one document. What a person wrote is u, what the system wrote for them
is s, and sigma is a distance between two texts, in 0..1.

EGISES    "Accuracy is not enough" (2023.findings-emnlp.169): how unlike the spread of outputs is
          that of the people's own words. 0 is alike; lower is better. It does not look at whether
          an output is near its own person's words.
PerSEval  arXiv 2407.00453: responsiveness, discounted where outputs are far from the words of
          their person. Higher is better.

Formulas and constants are those of the authors' code. Ours differs from it in four ways, none of
which changes an ordinary number: the softmax is computed so that it cannot overflow, where theirs
gives no number; nothing is rounded on the way, as an older version of theirs does; nobody is drawn
at random; and EDP is 1 - S, to which some versions of theirs add 1e-7.

Knows no task and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from statistics import fmean

from ipse.errors import UsageError
from ipse.evaluation.scorers.text import rouge_l

__all__ = ["Distance", "Shared", "degress", "edp", "egises", "perseval", "rouge_distance"]

Distance = Callable[[str, str], float]
"""A distance between two texts, in 0..1, the same both ways; 0 of a text to itself."""

_ALIKE = 1e-5
"""Lets two spreads that are both zero count as alike."""

_TINY = 1e-7
"""Keeps the penalties' divisors from zero."""


@dataclass(frozen=True)
class Shared:
    """One document, and what was written about it for several people.

    Attributes:
        document: Its text; the authors put the title before it.
        targets: What each person wrote themselves.
        outputs: What the system wrote for each, in the same order.

    Raises:
        UsageError: If there are fewer than two people, or not as many outputs.
    """

    document: str
    targets: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.targets) < 2:
            raise UsageError(f"a document needs at least 2 people, not {len(self.targets)}")
        if len(self.targets) != len(self.outputs):
            raise UsageError(f"{len(self.targets)} people have {len(self.outputs)} outputs")


def rouge_distance(one: str, other: str) -> float:
    """Give 1 - ROUGE-L; two empty texts are 1 apart, as two without a common word are."""
    return 1 - rouge_l(one, other)


def egises(documents: Sequence[Shared], sigma: Distance = rouge_distance) -> float:
    """Give EGISES: 1 - mean over documents of the mean over people of DEGRESS.

    Args:
        documents: Documents with at least two people each; each document counts the same.
        sigma: The distance.

    Returns:
        EGISES, in 0..1; lower is better.

    Raises:
        UsageError: If there are no documents.
    """
    return 1 - _mean([fmean(degress(shared, sigma)) for shared in documents])


def perseval(documents: Sequence[Shared], sigma: Distance = rouge_distance) -> float:
    """Give PerSEval: mean over documents of the mean over people of DEGRESS * EDP.

    Args:
        documents: Documents with at least two people each; each document counts the same.
        sigma: The distance.

    Returns:
        PerSEval, in 0..1; higher is better, and the people's own words get 0.999.

    Raises:
        UsageError: If there are no documents.
    """
    return _mean(
        [
            fmean(d * e for d, e in zip(degress(shared, sigma), edp(shared, sigma), strict=True))
            for shared in documents
        ]
    )


def degress(shared: Shared, sigma: Distance = rouge_distance) -> tuple[float, ...]:
    """Give each person's degree of responsiveness.

    X_ij = softmax over j of (sigma(u_i, u_j) / sigma(u_i, d)) * sigma(u_i, u_j), and Y_ij the same
    of s; DEGRESS_i = mean over j of (min(X_ij, Y_ij) + 1e-5) / (max(X_ij, Y_ij) + 1e-5). Softmax
    and mean are over the other people, j != i. Of two people, X is thus sigma itself.

    Args:
        shared: A document with its people.
        sigma: The distance.

    Returns:
        One value a person, in 0..1; 1 is a spread just like that of the people's own words.
    """
    wanted = _spreads(shared.targets, shared.document, sigma)
    given = _spreads(shared.outputs, shared.document, sigma)
    return tuple(
        fmean((min(x, y) + _ALIKE) / (max(x, y) + _ALIKE) for x, y in zip(xs, ys, strict=True))
        for xs, ys in zip(wanted, given, strict=True)
    )


def edp(shared: Shared, sigma: Distance = rouge_distance) -> tuple[float, ...]:
    """Give what each person's DEGRESS is worth, by how near outputs are to their person's words.

    With d_i = sigma(s_i, u_i) and S(x; a) = 1 / (1 + 10^a e^(-10 x)):
    ACP_i = S((d_i - d_min) / (d_mean - d_min + 1e-7); 4), for being worse off than others;
    ADP = S(d_min / (1 - d_min + 1e-7); 4), for even the best being far;
    EDP_i = 1 - S(ACP_i + ADP; 3).

    Args:
        shared: A document with its people.
        sigma: The distance.

    Returns:
        One value a person, in 0..1; near 1 is no discount.
    """
    off = [sigma(s, u) for s, u in zip(shared.outputs, shared.targets, strict=True)]
    least = min(off)
    spread = fmean(off) - least + _TINY
    drop = _sigmoid(least / (1 - least + _TINY), 4)
    return tuple(1 - _sigmoid(_sigmoid((d - least) / spread, 4) + drop, 3) for d in off)


def _spreads(texts: Sequence[str], document: str, sigma: Distance) -> list[list[float]]:
    """Give how far each text is from each other one, weighted, as (people, people - 1)."""
    return [
        _weighted(
            [sigma(text, other) for j, other in enumerate(texts) if j != i], sigma(text, document)
        )
        for i, text in enumerate(texts)
    ]


def _weighted(distances: Sequence[float], from_document: float) -> list[float]:
    """Weight distances by the softmax of their ratios to the distance from the document.

    A text that is its document has ratios of 0, as in the authors' code.
    """
    ratios = [d / from_document if from_document else 0.0 for d in distances]
    highest = max(ratios)
    powers = [exp(ratio - highest) for ratio in ratios]
    total = sum(powers)
    return [d * power / total for d, power in zip(distances, powers, strict=True)]


def _sigmoid(x: float, a: int) -> float:
    return 1 / (1 + 10.0**a * exp(-10 * x))


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise UsageError("there is nothing to score: no document has at least 2 people")
    return fmean(values)
