"""What is done with questions once they are plans: find, score, choose, write.

A batch of plans goes to the model as one, so that a backend reads what they share once. What comes
back is scored here, item by item; what is only defined over many items is left to the summary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ipse.evaluation.metrics import written
from ipse.evaluation.scorers import mrr, ndcg, recall, recall_all, recall_any
from ipse.evaluation.task import Item, Measure, Task
from ipse.lm import LM, Progress
from ipse.methods import Chooser, write
from ipse.plan import Plan
from ipse.records import User

__all__ = ["DEPTH", "Outcome", "measurable", "measure"]

DEPTH = 20
"""How many records a search is asked for where its ranking is what is measured."""


@dataclass(frozen=True)
class Outcome:
    """What came of one item.

    Attributes:
        scores: By name; what each means is said in `ipse.evaluation.metrics`.
        output: What the model wrote, or the choice it found likeliest.
        prompt_tokens: Tokens read, over all that was read for it.
        tokens: Tokens written or scored.
    """

    scores: dict[str, float]
    output: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    more: dict[str, Any] = field(default_factory=dict)


def measurable(kind: Measure, item: Item) -> bool:
    """Say whether an item has what a measure compares with."""
    if kind == "find":
        return bool(item.evidence)
    if kind == "nats":
        return bool(item.target.strip())
    if kind == "choose":
        return len(item.choices) > 1 and 0 <= item.right < len(item.choices)
    return True


def measure(
    kind: Measure,
    task: Task,
    items: Sequence[Item],
    plans: Sequence[Plan],
    lm: LM,
    progress: Progress | None = None,
    choosers: Sequence[Chooser] = (),
) -> list[Outcome]:
    """Do one thing with every item.

    Args:
        kind: What.
        task: The task they are of.
        items: The items, each `measurable`.
        plans: One plan an item.
        lm: The model.
        progress: Told how far the model is.
        choosers: One an item: whose rewards choose where several answers are written. Without
            them the first is taken.

    Returns:
        One outcome an item.
    """
    if kind == "write":
        whose = choosers or [Chooser(User(""))] * len(plans)
        return _write(task, items, plans, lm, progress, whose)
    return _MEASURES[kind](task, items, plans, lm, progress)


def _find(
    task: Task, items: Sequence[Item], plans: Sequence[Plan], lm: LM, progress: Progress | None
) -> list[Outcome]:
    """Look for the evidence among what each plan lets the model read, best one last."""
    del task, lm, progress
    return [
        Outcome(_ranked(plan.evidence[::-1], frozenset(item.evidence)))
        for item, plan in zip(items, plans, strict=True)
    ]


def _ranked(found: Sequence[str], wanted: frozenset[str]) -> dict[str, float]:
    scores = {f"recall_{k}": recall(found, wanted, k) for k in (1, 5, 10, DEPTH)}
    for k in (5, 10):
        scores[f"recall_any_{k}"] = recall_any(found, wanted, k)
        scores[f"recall_all_{k}"] = recall_all(found, wanted, k)
    return scores | {"ndcg_10": ndcg(found, wanted, 10), "mrr": mrr(found, wanted)}


def _nats(
    task: Task, items: Sequence[Item], plans: Sequence[Plan], lm: LM, progress: Progress | None
) -> list[Outcome]:
    del task
    scores = lm.score(plans, [item.target for item in items], progress)
    return [
        Outcome({"nats": _round(s.nats), "tokens": s.tokens}, "", s.prompt_tokens, s.tokens)
        for s in scores
    ]


def _choose(
    task: Task, items: Sequence[Item], plans: Sequence[Plan], lm: LM, progress: Progress | None
) -> list[Outcome]:
    """Score every choice as the answer; the prompt, which choices share, is read once."""
    asked = [plan for item, plan in zip(items, plans, strict=True) for _ in item.choices]
    choices = [choice for item in items for choice in item.choices]
    scores = iter(lm.score(asked, choices, progress))
    outcomes = []
    for item in items:
        own = [next(scores) for _ in item.choices]
        costs = [s.nats / (max(1, s.tokens) if task.normalized else 1) for s in own]
        best = min(range(len(costs)), key=costs.__getitem__)
        outcomes.append(
            Outcome(
                {"accuracy": float(best == item.right), "likelihood": _share(costs, item.right)},
                item.choices[best],
                own[0].prompt_tokens,
                sum(s.tokens for s in own),
                {"nats_of_choices": [_round(s.nats) for s in own], "chosen": best},
            )
        )
    return outcomes


def _share(costs: Sequence[float], right: int) -> float:
    """Give the right choice's share of the likelihood of all choices."""
    least = min(costs)
    weights = [math.exp(least - cost) for cost in costs]
    return _round(weights[right] / math.fsum(weights))


def _write(
    task: Task,
    items: Sequence[Item],
    plans: Sequence[Plan],
    lm: LM,
    progress: Progress | None,
    choosers: Sequence[Chooser],
) -> list[Outcome]:
    sampled = [replace(p, sampling=replace(p.sampling, max_tokens=task.tokens)) for p in plans]
    replies = write(sampled, choosers, lm, progress)
    return [
        Outcome(
            {name: _round(value) for name, value in written(task.metrics, r.text, item).items()},
            r.text,
            r.prompt_tokens,
            r.tokens,
            {"candidates": list(r.candidates), "rewards": list(r.rewards)} if r.rewards else {},
        )
        for item, r in zip(items, replies, strict=True)
    ]


def _round(value: float) -> float:
    """Keep what is sure: the last digits of a float32 sum depend on the order of its terms."""
    return float(f"{value:.6g}")


_MEASURES: dict[Measure, Callable[..., list[Outcome]]] = {
    "find": _find,
    "nats": _nats,
    "choose": _choose,
}
