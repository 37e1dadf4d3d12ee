"""Two runs side by side: what differs in how they were made, and in what they found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipse.evaluation.ledger import Line, Run
from ipse.evaluation.metrics import METRICS
from ipse.evaluation.stats import Comparison, Estimate, holm
from ipse.evaluation.tabulate import compared, metrics_of, scored

__all__ = ["Change", "Difference", "changes", "differences", "same_lines"]

_Cell = tuple[str, str, str, str, str]
_KEY = ("task", "model", "measure", "method", "whose")


@dataclass(frozen=True)
class Difference:
    """One setting that two runs do not share.

    Attributes:
        name: Which.
        first: Its value in the first run, None where it has none.
        second: Its value in the second.
    """

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Change:
    """One score of one method in both runs.

    Attributes:
        task: The task.
        model: The model's name.
        method: The composition.
        whose: Whose records it was given.
        metric: The score's name.
        first: Its value in the first run.
        second: Its value in the second.
        better: How much better the second is, person by person; None where the runs have nobody in
            common.
        identical: Whether every item of both has the very same scores and output.
    """

    task: str
    model: str
    method: str
    whose: str
    metric: str
    first: Estimate
    second: Estimate
    better: Comparison | None
    identical: bool


def differences(first: Run, second: Run) -> list[Difference]:
    """Give what differs between two runs' settings, machines, code and models."""
    one, two = _flat(first.header), _flat(second.header)
    return [
        Difference(name, one.get(name), two.get(name))
        for name in dict.fromkeys((*one, *two))
        if one.get(name) != two.get(name) and name != "run"
    ]


def changes(first: Run, second: Run) -> list[Change]:
    """Compare what two runs found of the methods that both have, by each table's headline.

    Args:
        first: One run.
        second: The other.

    Returns:
        One change for each cell that both have, in the first one's order; corrected for one
        another.
    """
    one, two = _cells(first), _cells(second)
    found = [_change(key, one[key], two[key]) for key in one if key in two and _headline(key)]
    tested = [change.better for change in found if change.better]
    fixed = iter(holm(tested))
    return [
        Change(**{**vars(change), "better": next(fixed)}) if change.better else change
        for change in found
    ]


def same_lines(first: Run, second: Run) -> tuple[int, int]:
    """Count the items that both runs have, and those of them with the same prompt and outcome."""
    one, two = _by_item(first), _by_item(second)
    shared = one.keys() & two.keys()
    return len(shared), sum(_outcome(one[key]) == _outcome(two[key]) for key in shared)


def _headline(key: _Cell) -> str:
    return next(iter(metrics_of(key[0], key[2])), "")


def _change(key: _Cell, one: Mapping[str, list[Line]], two: Mapping[str, list[Line]]) -> Change:
    name = _headline(key)
    metric = METRICS[name]
    alike = {u: [_outcome(x) for x in v] for u, v in one.items()} == {
        u: [_outcome(x) for x in v] for u, v in two.items()
    }
    task, model, _, method, whose = key
    return Change(
        task, model, method, whose, name, scored(metric, one), scored(metric, two),
        compared(metric, two, one), alike,
    )  # fmt: skip


def _outcome(line: Line) -> tuple[Any, ...]:
    return line["prompt"], line["output"], line["scores"], line["evidence"]


def _by_item(run: Run) -> dict[tuple[str, ...], Line]:
    return {(*(x[name] for name in _KEY), x["person"], x["item"]): x for x in run.items}


def _cells(run: Run) -> dict[_Cell, dict[str, list[Line]]]:
    found: dict[_Cell, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in run.items:
        task, model, measure, method, whose = (line[name] for name in _KEY)
        found[task, model, measure, method, whose][line["person"]].append(line)
    return found


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
