"""The scores there are: what each is called, what it is of, and which way is better.

A score is computed for each item where it can be, and for all of a method's items where it is only
defined so. A person counts once: their items' scores are averaged before people are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from ipse.evaluation import scorers
from ipse.evaluation.ledger import Line
from ipse.evaluation.task import Item, Measure

__all__ = ["METRICS", "Metric", "written"]


@dataclass(frozen=True)
class Metric:
    """One score.

    Attributes:
        title: What a table calls it.
        measure: Which measure gives it.
        of: Its value for some lines: those of one person, or of everyone where `whole`.
        lower: Whether less is better.
        whole: Whether it is only defined over everyone's lines together; not a number where it is
            not defined for these.
    """

    title: str
    measure: Measure
    of: Callable[[Sequence[Line]], float]
    lower: bool = False
    whole: bool = False


def written(names: Sequence[str], output: str, item: Item) -> dict[str, float]:
    """Score one written answer.

    Args:
        names: Names in `METRICS`; those of other measures, and those that need all items, give
            nothing here.
        output: The answer.
        item: What was asked.

    Returns:
        The scores by name.
    """
    found = {_PARTS.get(name, name) for name in names}
    return {name: score(output, item) for name, score in _WRITTEN.items() if name in found}


def _mean(name: str) -> Callable[[Sequence[Line]], float]:
    return lambda lines: fmean(line["scores"][name] for line in lines)


def _nats_per_token(lines: Sequence[Line]) -> float:
    tokens = sum(line["scores"]["tokens"] for line in lines)
    return math.fsum(line["scores"]["nats"] for line in lines) / float(max(1, tokens))


def _rmse(lines: Sequence[Line]) -> float:
    return scorers.rmse([line["scores"]["squared_error"] for line in lines])


def _macro_f1(lines: Sequence[Line]) -> float:
    outputs, targets = [x["output"] for x in lines], [x["target"] for x in lines]
    return scorers.macro_f1(outputs, targets, lines[0]["choices"])


def _bleu(lines: Sequence[Line]) -> float:
    return scorers.corpus_bleu([x["output"] for x in lines], [x["target"] for x in lines])


def _token_f1(output: str, item: Item) -> float:
    category = item.meta.get("category")
    if isinstance(category, int):
        return scorers.locomo_f1(output, item.target, category)
    return scorers.token_f1(output, item.target)


@lru_cache(maxsize=1 << 16)
def _distance(one: str, other: str) -> float:
    # Resampling people compares the same texts hundreds of times.
    return scorers.rouge_distance(one, other)


def _personal(score: Callable[..., float]) -> Callable[[Sequence[Line]], float]:
    """Lift a score of documents that several people answered to the lines of all of them."""

    def of(lines: Sequence[Line]) -> float:
        documents: dict[str, dict[str, Line]] = defaultdict(dict)
        for line in lines:
            documents[line["document"]].setdefault(line["person"], line)
        shared = [
            scorers.Shared(
                next(iter(people.values()))["question"],
                tuple(line["target"] for line in people.values()),
                tuple(line["output"] for line in people.values()),
            )
            for people in documents.values()
            if len(people) > 1
        ]
        return score(shared, _distance) if shared else math.nan

    return of


def _found(title: str, name: str) -> Metric:
    return Metric(title, "find", _mean(name))


_PARTS = {"rmse": "squared_error", "mae": "absolute_error"}
"""Scores of many items that are made of a score of one item under another name."""

_WRITTEN: dict[str, Callable[[str, Item], float]] = {
    "label_accuracy": lambda out, item: scorers.label_accuracy(out, item.target, item.choices),
    "absolute_error": lambda out, item: scorers.absolute_error(out, item.target),
    "squared_error": lambda out, item: scorers.squared_error(out, item.target),
    "rouge_1": lambda out, item: scorers.rouge_1(out, item.target),
    "rouge_l": lambda out, item: scorers.rouge_l(out, item.target),
    "meteor": lambda out, item: scorers.meteor(out, item.target),
    "chrf": lambda out, item: scorers.chrf(out, item.target),
    "token_f1": _token_f1,
    "edit_distance": lambda out, item: scorers.edit_distance(out, item.target),
}

METRICS: dict[str, Metric] = {
    "nats_per_token": Metric("nats per token", "nats", _nats_per_token, lower=True),
    "accuracy": Metric("accuracy of the likeliest", "choose", _mean("accuracy")),
    "likelihood": Metric("likelihood of the right", "choose", _mean("likelihood")),
    "label_accuracy": Metric("accuracy", "write", _mean("label_accuracy")),
    "macro_f1": Metric("macro-F1", "write", _macro_f1, whole=True),
    "mae": Metric("MAE", "write", _mean("absolute_error"), lower=True),
    "rmse": Metric("RMSE", "write", _rmse, lower=True, whole=True),
    "rouge_1": Metric("ROUGE-1", "write", _mean("rouge_1")),
    "rouge_l": Metric("ROUGE-L", "write", _mean("rouge_l")),
    "meteor": Metric("METEOR", "write", _mean("meteor")),
    "chrf": Metric("chrF", "write", _mean("chrf")),
    "bleu": Metric("BLEU", "write", _bleu, whole=True),
    "token_f1": Metric("token F1", "write", _mean("token_f1")),
    "edit_distance": Metric("words to edit", "write", _mean("edit_distance"), lower=True),
    "egises": Metric("EGISES", "write", _personal(scorers.egises), lower=True, whole=True),
    "perseval": Metric("PerSEval", "write", _personal(scorers.perseval), whole=True),
    **{
        f"recall_{k}": Metric(f"recall at {k}", "find", _mean(f"recall_{k}"))
        for k in (1, 5, 10, 20)
    },
    **{
        f"recall_{which}_{k}": Metric(f"{which} found at {k}", "find", _mean(f"recall_{which}_{k}"))
        for which in ("any", "all")
        for k in (5, 10)
    },
    "ndcg_10": _found("NDCG at 10", "ndcg_10"),
    "mrr": _found("MRR", "mrr"),
}
"""Every score, by the name tasks and results give it."""
