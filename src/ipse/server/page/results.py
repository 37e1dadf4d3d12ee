"""Results of `ipse bench`, read from files: the one place of the server that knows the evaluation.

docs/results/grid.json      several runs with their tables
ipse-bench/results.jsonl    one run, item by item: the tables are made here
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile
from ipse.evaluation.ledger import RESULTS, read_run
from ipse.evaluation.metrics import METRICS
from ipse.evaluation.tabulate import tables

__all__ = ["Found", "find", "read"]


@dataclass(frozen=True)
class Found:
    """One table of a run.

    Attributes:
        name: What it is of: task, measure and model.
        title: What its headline score is called.
        score: The headline score's name.
        lower: Whether less of it is better.
        people: How many people.
        rows: One a method, as `ipse bench --json` gives them.
        origin: Commit and machine it was made with.
    """

    name: str
    title: str
    score: str
    lower: bool
    people: int
    rows: tuple[Mapping[str, Any], ...]
    origin: str


def find(places: Sequence[Path]) -> list[Path]:
    """Give the results there are: files, run folders, and those directly inside a folder.

    Args:
        places: Files and folders; what is not there is passed over.

    Returns:
        Their paths.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(place.iterdir()) if place.is_dir() else []
        found += [path for path in (place, *inside) if _is_one(path)]
    return list(dict.fromkeys(found))


def read(path: Path) -> list[Found]:
    """Read results.

    Args:
        path: One of those that `find` gives.

    Returns:
        Their tables.

    Raises:
        InvalidFile: If there is nothing to read.
    """
    if path.is_dir():
        run = read_run(path)
        return [_found("", run.header, asdict(table)) for table in tables(run)]
    try:
        runs = json.loads(path.read_text("utf-8"))["runs"]
        return [
            _found(name, run["header"], table)
            for name, run in runs.items()
            for table in run["tables"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidFile(f"{path.name} holds no tables of ipse bench: {error!r}") from error


def _is_one(path: Path) -> bool:
    if path.is_dir():
        return (path / RESULTS).is_file()
    return path.suffix == ".json" and path.is_file() and b'"runs"' in path.read_bytes()[:400]


def _found(run: str, header: Mapping[str, Any], table: Mapping[str, Any]) -> Found:
    score = table["metrics"][0]
    metric = METRICS[score]
    name = " · ".join(filter(None, (run, table["task"], table["measure"], table["model"])))
    people = max((row["scores"][score]["people"] for row in table["rows"]), default=0)
    origin = f"commit {header.get('commit', 'unknown')}, {header.get('hardware', 'unknown')}"
    return Found(name, metric.title, score, metric.lower, people, tuple(table["rows"]), origin)
