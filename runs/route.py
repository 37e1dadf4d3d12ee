"""Measure the router: does it recognise questions, and does choosing beat the best single choice?

    python runs/route.py --data DATA [--quick] [--only questions]

Questions: the share that is taken for what it is, on the held-out half of `runs/data/queries.jsonl`
(ours), on LoCoMo (`DATA/locomo`, all but its open-domain questions ask for a fact), and on what
people were asked for reasons (UKPConvArg, shipped). Answers: nats a token of what was said, on
people of both tasks, under each composition that the router may choose, used for every question,
and under the router. An item's score under the router is its score under what is chosen for it.
Writes `docs/results/route.json`; of the data it keeps nothing but numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ipse.backends import open_backend
from ipse.evaluation.cell import Cell
from ipse.evaluation.grid import commit, hardware, versions
from ipse.evaluation.stats import estimate, paired
from ipse.evaluation.task import Person, Task, spread
from ipse.evaluation.tasks import open_task
from ipse.evaluation.tasks.locomo import Locomo
from ipse.importers import read, sample_path
from ipse.lm import LM
from ipse.methods import Learned, finish_all, parse
from ipse.queries import KINDS
from ipse.records import Record
from ipse.route import Route, Router

ROOT = Path(__file__).parents[1]
SAMPLE = Path(__file__).parent / "data" / "queries.jsonl"
RESULTS = ROOT / "docs" / "results" / "route.json"
ROUTE = Route(adapter="")  # adapters take training: see the standard grid for what they bring

Scores = dict[tuple[str, str], float]
"""Nats a token by person and item."""


def questions(router: Router, data: Path) -> dict[str, dict[str, Any]]:
    """Say how each set of questions is taken: how many, and which share for each kind.

    Args:
        router: What takes them.
        data: The data folder.

    Returns:
        By set.
    """
    rows = [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]
    sets: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["split"] == "test":
            sets[f"own sample, {row['kind']}"].append(row["text"])
    if (data / "locomo").is_dir():
        for person in Locomo(root=data).people(sys.maxsize):
            for item in person.items:
                sets[f"locomo, {item.group}"].append(item.question)
    asked = (one.input for one in read("ukpconvarg", sample_path()) if isinstance(one, Record))
    sets["ukpconvarg, reasons and choices"] = list(asked)[:3000]
    found = {}
    for name, texts in sets.items():
        kinds = [router.query(text).kind for text in texts]
        shares = {kind: round(kinds.count(kind) / len(kinds), 4) for kind in KINDS}
        found[name] = {"questions": len(texts), **shares}
        sys.stderr.write(f"{name}: {found[name]}\n")
    return found


def scores(spec: str, task: Task, people: Sequence[Person], lm: LM) -> Scores:
    """Score every item under one composition.

    Args:
        spec: The composition.
        task: What the items are of.
        people: Whose they are.
        lm: The model.

    Returns:
        The scores.
    """
    methods = parse(spec)
    states = [
        finish_all([method.enroll(person.history, None) for person in people], lm)
        for method in methods
    ]
    known = {
        person.history.id: [
            Learned(method, each[place], f"{method.name}-{place}")
            for method, each in zip(methods, states, strict=True)
        ]
        for place, person in enumerate(people)
    }
    cell = Cell(task, "model", spec, "own", "nats")
    lines, _ = cell.measure(people, known, lm, "route", 0)
    return {
        (line["person"], line["item"]): line["scores"]["nats"] / max(1, line["scores"]["tokens"])
        for line in lines
    }


def of_people(found: Scores) -> dict[str, float]:
    """Give each person's mean."""
    values: dict[str, list[float]] = defaultdict(list)
    for (person, _), value in found.items():
        values[person].append(value)
    return {person: float(np.mean(each)) for person, each in values.items()}


def answers(router: Router, tasks: Mapping[Task, Sequence[Person]], lm: LM) -> dict[str, Any]:
    """Compare the router with each composition that it may choose.

    Args:
        router: What chooses.
        tasks: The people of each task.
        lm: The model.

    Returns:
        What was found.
    """
    specs = [ROUTE.short, *(getattr(ROUTE, kind).split("|")[0] for kind in KINDS)]
    rows: dict[str, dict[str, float]] = {spec: {} for spec in (*specs, "route")}
    chosen: dict[str, dict[str, int]] = {}
    for task, people in tasks.items():
        found = {}
        for spec in specs:
            found[spec] = scores(spec, task, people, lm)
            sys.stderr.write(f"{task.name}, {spec}: {np.mean([*found[spec].values()]):.3f} nats\n")
        choices = {
            (person.history.id, item.id): router.choose(
                ROUTE, person.history, item.question, lambda _: False
            ).methods
            for person in people
            for item in person.items
        }
        found["route"] = {key: found[choices[key]][key] for key in found[specs[0]]}
        used = [choices[key] for key in found["route"]]
        chosen[task.name] = {spec: used.count(spec) for spec in specs}
        for spec, values in found.items():
            means = of_people(values)
            rows[spec] |= {f"{task.name} {person}": mean for person, mean in means.items()}
    best = min(specs, key=lambda spec: float(np.mean([*rows[spec].values()])))
    order = list(rows["route"])
    return {
        "nats": {spec: estimate([row[p] for p in order]).rounded(5) for spec, row in rows.items()},
        "by task": {
            task.name: {spec: _of_task(task, row) for spec, row in rows.items()} for task in tasks
        },
        "chosen": chosen,
        "best single": best,
        "gain over best single": paired(
            [rows[best][p] for p in order], [rows["route"][p] for p in order]
        ).rounded(5),
    }


def _of_task(task: Task, row: Mapping[str, float]) -> float:
    return round(float(np.mean([v for name, v in row.items() if name.startswith(task.name)])), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the data folder")
    parser.add_argument("--quick", action="store_true", help="two people a task, three questions")
    parser.add_argument("--only", default="", choices=("", "questions"), help="no model is loaded")
    parser.add_argument("--save", type=Path, default=RESULTS, help="where to")
    options = parser.parse_args()
    lm = open_backend("local")
    router = Router(lm)
    found: dict[str, Any] = {"questions": questions(router, options.data)}
    if not options.only:
        names = ["ukpconvarg-reason:items=6"]
        names += ["locomo"] if (options.data / "locomo").is_dir() else []
        tasks = {}
        for name in names:
            task = open_task(name, options.data)
            most, items = (2, 3) if options.quick else (8, 6)
            people = list(task.people(most))
            tasks[task] = [Person(p.history, spread(p.items, items), p.other) for p in people]
        found["answers"] = answers(router, tasks, lm)
    found |= {
        "command": "python runs/route.py --data DATA" + (" --quick" if options.quick else ""),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "hardware": hardware(),
        "versions": versions(),
    }
    options.save.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stderr.write(f"Wrote {options.save}\n")


if __name__ == "__main__":
    main()
