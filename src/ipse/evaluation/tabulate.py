"""From a run's lines to its tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from ipse.evaluation.grid import GENERIC
from ipse.evaluation.ledger import Line, Run
from ipse.evaluation.metrics import METRICS, Metric
from ipse.evaluation.stats import (
    Comparison,
    Estimate,
    compare,
    compare_whole,
    estimate,
    estimate_whole,
    holm,
)
from ipse.evaluation.summary import Cost, Row, Table
from ipse.evaluation.tasks import open_task

__all__ = ["cells_of", "compared", "metrics_of", "scored", "tables"]

_BASELINE = "recent"
"""The cheap method that every other has to beat: the latest records in the prompt."""

_GROUPS = 12
"""More groups than this are no breakdown but noise, as are groups of one person."""

Lines = Mapping[str, Sequence[Line]]
"""A cell's lines by person."""

Cells = Mapping[tuple[str, str], Lines]
"""By method and whose records it was given."""


def tables(run: Run) -> list[Table]:
    """Make the tables of a run.

    Args:
        run: The run.

    Returns:
        One table for each task, model and measure, in the order they ran.
    """
    found: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
    for line in run.items:
        found[line["task"], line["model"], line["measure"]].append(line)
    return [_table(run, *key, lines) for key, lines in found.items() if metrics_of(key[0], key[2])]


def scored(metric: Metric, lines: Lines) -> Estimate:
    """Give a cell's score over people."""
    if not metric.whole:
        return estimate([metric.of(own) for own in lines.values()])
    people = list(lines.values())
    return estimate_whole(lambda places: metric.of(_joined(people, places)), len(people))


def compared(metric: Metric, first: Lines, second: Lines) -> Comparison | None:
    """Compare two cells over the people that both have; above 0 the first is better.

    Args:
        metric: The score.
        first: One cell's lines.
        second: Another's.

    Returns:
        The comparison; None where they have nobody in common.
    """
    users = [user for user in first if user in second]
    if not users:
        return None
    sign = -1 if metric.lower else 1
    ours, theirs = [first[u] for u in users], [second[u] for u in users]
    if not metric.whole:
        return compare([sign * metric.of(x) for x in ours], [sign * metric.of(x) for x in theirs])

    def difference(places: Sequence[int]) -> float:
        return sign * (metric.of(_joined(ours, places)) - metric.of(_joined(theirs, places)))

    def flipped(marks: Sequence[bool]) -> float:
        one = [b if m else a for a, b, m in zip(ours, theirs, marks, strict=True)]
        two = [a if m else b for a, b, m in zip(ours, theirs, marks, strict=True)]
        everyone = range(len(users))
        return sign * (metric.of(_joined(one, everyone)) - metric.of(_joined(two, everyone)))

    return compare_whole(difference, flipped, len(users))


def _table(run: Run, task: str, model: str, measure: str, lines: Sequence[Line]) -> Table:
    cells = cells_of(lines)
    methods = list(dict.fromkeys(method for method, _ in cells))
    names = _defined(metrics_of(task, measure), cells[methods[0], "own"])
    key = {"task": task, "model": model}
    rows = [_row(method, names, cells, _costs(run, method, measure, key)) for method in methods]
    for column in ("gain", "over_recent", "personal"):
        rows = _corrected(rows, column)
    saw = {f["method"]: (f["people"], f["records"]) for f in run.fits if key.items() <= f.items()}
    bases = dict(zip(run.header["grid"]["models"], run.header["bases"], strict=True))
    return Table(
        task=task,
        model=model,
        base=bases[model],
        measure=measure,
        metrics=names,
        rows=tuple(replace(row, saw=saw.get(row.method)) for row in rows),
        items=sum(map(len, cells[methods[0], "own"].values())),
        records={p["person"]: p["records"] for p in run.people if p["task"] == task},
        groups=_groups(METRICS[names[0]], cells),
    )


def metrics_of(task: str, measure: str) -> tuple[str, ...]:
    """Give a task's scores by one measure; one whose answers only a judge can score has none."""
    return tuple(n for n in open_task(task).metrics if METRICS[n].measure == measure)


def _defined(names: Sequence[str], lines: Lines) -> tuple[str, ...]:
    """Leave out scores that are not defined here: nobody may have answered the same as another."""
    every = [line for each in lines.values() for line in each]
    undefined = {n for n in names if METRICS[n].whole and math.isnan(METRICS[n].of(every))}
    return tuple(name for name in names if name not in undefined)


def cells_of(lines: Sequence[Line]) -> Cells:
    """Sort lines into cells, by method and whose records it was given."""
    found: dict[tuple[str, str], dict[str, list[Line]]] = {}
    for line in lines:
        cell = found.setdefault((line["method"], line["whose"]), {})
        cell.setdefault(line["person"], []).append(line)
    return found


def _row(method: str, names: Sequence[str], cells: Cells, cost: Cost) -> Row:
    own, other = cells[method, "own"], cells.get((method, "other"), {})
    metric = METRICS[names[0]]

    def over(baseline: str) -> Comparison | None:
        if method in (baseline, GENERIC) or (baseline, "own") not in cells:
            return None
        return compared(metric, own, cells[baseline, "own"])

    alone = {} if metric.whole else {user: metric.of(lines) for user, lines in own.items()}
    control = {} if metric.whole else {user: metric.of(lines) for user, lines in other.items()}
    return Row(
        method=method,
        scores={name: scored(METRICS[name], own) for name in names},
        gain=over(GENERIC),
        over_recent=over(_BASELINE),
        personal=compared(metric, own, other) if other else None,
        cost=replace(cost, **_read(own)),
        people=alone,
        control=control,
    )


def _read(own: Lines) -> dict[str, Any]:
    """Say what a request reads, from the lines of a cell."""
    lines = [line for each in own.values() for line in each]
    return {
        "prompt_tokens": fmean(line["prompt_tokens"] for line in lines),
        "tokens": fmean(line["tokens"] for line in lines),
        "personal": fmean(line["personal_bytes"] for line in lines),
        "kinds": tuple(sorted({kind for line in lines for kind in line["personal_kinds"]})),
        "read": fmean(len(line["evidence"]) for line in lines),
    }


def _costs(run: Run, method: str, measure: str, key: Mapping[str, str]) -> Cost:
    """Add up what a run's units and enrollments took; of one kept twice, the later counts."""
    own = {**key, "method": method}
    units = {
        line["chunk"]: line
        for line in run.costs
        if line["type"] == "cost"
        and {**own, "measure": measure, "whose": "own"}.items() <= line.items()
    }
    enrolled = {
        line["person"]: line
        for line in run.costs
        if line["type"] == "enroll" and own.items() <= line.items()
    }
    items = max(1, sum(unit["items"] for unit in units.values()))
    seconds = sum(unit["plan_seconds"] + unit["run_seconds"] for unit in units.values())

    def each(name: str) -> float:
        return fmean(line[name] for line in enrolled.values()) if enrolled else 0.0

    return Cost(
        ms=1000 * seconds / items,
        enroll_ms=1000 * each("seconds"),
        nbytes=each("bytes"),
        peak=max((unit["peak_bytes"] for unit in units.values()), default=0),
        left=(sum(u["left_bytes"] for u in units.values()) / items, each("left_bytes")),
    )


def _corrected(rows: Sequence[Row], column: str) -> list[Row]:
    """Correct one column's comparisons for one another."""
    places = [place for place, row in enumerate(rows) if getattr(row, column) is not None]
    fixed = dict(zip(places, holm([getattr(rows[p], column) for p in places]), strict=True))
    changes: list[dict[str, Any]] = [
        {column: fixed[place]} if place in fixed else {} for place in range(len(rows))
    ]
    return [replace(row, **change) for row, change in zip(rows, changes, strict=True)]


def _groups(metric: Metric, cells: Cells) -> dict[str, dict[str, Estimate]]:
    """Give the headline score by group of items and method."""
    names = sorted({x["group"] for own in cells.values() for each in own.values() for x in each})
    if metric.whole or not 1 < len(names) <= _GROUPS:
        return {}
    first = next(iter(cells.values()))
    if any(sum(any(x["group"] == n for x in own) for own in first.values()) < 2 for n in names):
        return {}
    found: dict[str, dict[str, Estimate]] = {name: {} for name in names}
    for (method, whose), own in cells.items():
        if whose != "own":
            continue
        for name in names:
            asked = {user: [x for x in each if x["group"] == name] for user, each in own.items()}
            found[name][method] = scored(metric, {user: x for user, x in asked.items() if x})
    return found


def _joined(people: Sequence[Sequence[Line]], places: Sequence[int]) -> list[Line]:
    """Put the lines of some people together; one drawn twice counts as two people."""
    return [line for place in places for line in people[place]]
