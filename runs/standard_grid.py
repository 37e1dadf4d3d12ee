"""The standard grid: every method on the shipped people with the embedded model, in half an hour.

    python runs/standard_grid.py           what docs/results/grid.json keeps; `make bench` runs it
    python runs/standard_grid.py --all     also what `make bench` leaves as it is: the authors, and
                                           the methods that train
    python runs/standard_grid.py --only adapters    one part anew
    python runs/standard_grid.py --quick   a few people, to see that it runs; nothing is kept

A run that was stopped goes on where it was. `make docs` then writes the pages that show it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ipse.backends import open_backend
from ipse.cli.bench import show
from ipse.cli.waiting import waiting
from ipse.evaluation.grid import Grid
from ipse.evaluation.ledger import Run, read_run
from ipse.evaluation.metrics import METRICS
from ipse.evaluation.run import run
from ipse.evaluation.summary import Table
from ipse.evaluation.tabulate import cells_of, compared, tables
from ipse.methods import METHODS, parse, spec

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "grid.json"
OUT = ROOT / "ipse-bench"

_TRAINED = "training takes minutes: `ipse bench ukpconvarg-reason --methods {}`"

LEFT_OUT = {
    **{
        name: _TRAINED.format(name)
        for name in (
            "collaborative",
            "fermi",
            "hypernetwork",
            "ia3",
            "mod",
            "pieces",
            "plora",
            "rewarded-soup",
            "shared-adapter",
            "user-adapter",
            "user-dpo",
            "user-identifier",
            "user-prefix",
        )
    },
    "best-of-n": "it chooses among answers and makes none likelier: `ipse bench "
    "ukpconvarg-reason --methods best-of-n --measures write`",
    "cipher": "nobody there edits a draft; `python runs/editors.py` measures those who do",
    "drift": "enrolling takes a minute a person: `ipse bench ukpconvarg-reason --methods drift`",
    "reward-guided": "`ipse bench ukpconvarg-reason --methods reward-guided`",
    "steer": "training takes a minute a person: `python runs/standard_grid.py --only steering`",
    **dict.fromkeys(
        ("modpo", "morlhf", "rewards-in-context"),
        "it serves objectives, not words: `python -m runs.objectives`",
    ),
    **dict.fromkeys(
        ("group-preference", "low-rank-reward", "variational-preference"),
        "it chooses among answers: `python runs/preferences.py` measures what it tells of them",
    ),
    "style-vector": "enrolling takes a quarter of a minute: the same command",
}
"""Methods that do not fit into half an hour, and what measures them."""

_METHODS = tuple(sorted(METHODS.keys() - LEFT_OUT.keys()))

GRIDS = {
    "reasons": Grid(("ukpconvarg-reason:items=2",), _METHODS, measures=("nats",), people=20),
    "writing": Grid(
        ("ukpconvarg-reason:items=1",),
        ("recent", "hybrid", "profile"),  # writing takes longer than reading: one of each kind
        measures=("write",),
        people=16,
    ),
}

SHARED = spec(parse("shared-adapter:records=10"))
OWN = spec(parse("user-adapter:records=40,task=records=10"))
UNGATED = spec(parse("user-adapter:records=300,task=records=10,gate=false"))
RIVALS = (SHARED, f"recent+{SHARED}", OWN, UNGATED)
_PEOPLE = 10
"""Of whom adapters are learned: half a minute of two cores each."""

MORE = {
    "authors": Grid(("authors:items=1",), _METHODS, measures=("nats",), people=12),
    "steering": Grid(
        ("ukpconvarg-reason:items=3",),
        ("recent", "steer", "style-vector"),
        measures=("nats",),
        people=12,
    ),
    "adapters": Grid(
        ("ukpconvarg-reason:items=3",),
        (
            "recent",
            "hybrid",
            SHARED,
            f"recent+{SHARED}",
            f"hybrid+{SHARED}",
            OWN,
            f"recent+{OWN}",
            f"hybrid+{OWN}",
        ),
        measures=("nats", "write"),
        people=_PEOPLE,
        batch=1000,  # everybody learns together
    ),
    "together": Grid(
        ("ukpconvarg-reason:items=3",),
        (
            SHARED,
            "user-identifier:records=10",
            "ia3:records=10",
            "plora:records=10,own=20,own_epochs=2",
            "hypernetwork:records=10",
            "user-prefix:records=10",
            "pieces:task=records=10",
            "collaborative:own=20",
        ),
        measures=("nats", "write"),
        people=_PEOPLE,
        batch=1000,
    ),
    "lengths": Grid(
        (
            *(f"ukpconvarg-reason:items=3,least=100,latest={latest}" for latest in (10, 30, 100)),
            "ukpconvarg-reason:items=3,least=300,latest=300",
        ),
        ("recent", SHARED, f"recent+{SHARED}", UNGATED, f"recent+{UNGATED}"),
        measures=("nats",),
        people=8,
        batch=1000,
    ),
}
"""What `--all` runs besides: the authors and the vectors in a quarter of an hour each, the methods
that train weights in half an hour each."""


ADAPTERS = ("adapters", "together", "lengths")
"""Those of them that docs/results/adapters.md shows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few people; nothing is kept")
    parser.add_argument("--all", action="store_true", help="everything")
    parser.add_argument("--only", default="", choices=("", *(GRIDS | MORE)), help="one part anew")
    options = parser.parse_args()
    quick = options.quick
    lm = open_backend("local", dtype="float32")  # the same numbers on every machine
    found: dict[str, Run] = {}
    for name, grid in _chosen(options.all, options.only).items():
        out = OUT / (f"quick-{name}" if quick else name)
        with waiting() as progress:
            run(replace(grid, people=3) if quick else grid, out, [lm], progress=progress)
        found[name] = read_run(out)
    show([*found.values()], OUT / "report.html")
    if quick:
        return
    earlier = json.loads(RESULTS.read_text("utf-8"))["runs"] if RESULTS.exists() else {}
    kept = {
        "command": "python runs/standard_grid.py",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "runs": earlier | {name: _kept(one) for name, one in found.items()},
    }
    kept["runs"] = {name: kept["runs"][name] for name in GRIDS | MORE if name in kept["runs"]}
    kept["minutes"] = round(sum(kept["runs"][name]["minutes"] for name in GRIDS), 1)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")
    sys.stderr.write(f"Wrote {RESULTS.relative_to(ROOT)}. Next: make docs\n")


def _chosen(everything: bool, only: str) -> dict[str, Grid]:
    if only:
        return {only: (GRIDS | MORE)[only]}
    return GRIDS | MORE if everything else GRIDS


def _seconds(one: Run) -> float:
    """Give how long a run took, wherever it was stopped in between."""
    timed = ("seconds", "plan_seconds", "run_seconds")
    return sum(line.get(name, 0.0) for line in one.costs for name in timed)


def _kept(one: Run) -> dict[str, Any]:
    """Give what pages show: no person's name, nothing anybody wrote."""
    found = tables(one)
    drawn = [nameless(table) for table in found]
    for table in drawn:
        _note_versus(one, table)
    verdicts = [table.verdict for table in found]
    minutes = round(_seconds(one) / 60, 1)
    return {"header": one.header, "minutes": minutes, "tables": drawn, "verdicts": verdicts}


def _note_versus(one: Run, table: dict[str, Any]) -> None:
    """Say of every method how much better it is than those that adapters have to beat."""
    key = ("task", "model", "measure")
    cells = cells_of([line for line in one.items if all(line[k] == table[k] for k in key)])
    metric = METRICS[table["metrics"][0]]
    for row in table["rows"]:
        rivals = [name for name in RIVALS if (name, "own") in cells and name != row["method"]]
        own = cells[row["method"], "own"]
        row["versus"] = {name: asdict(compared(metric, own, cells[name, "own"])) for name in rivals}


def nameless(table: Table) -> dict[str, Any]:
    """Give a table as JSON-able data, without a line of any one person."""
    rows = tuple(replace(row, people={}, control={}) for row in table.rows)
    return asdict(replace(table, rows=rows, records={}))


if __name__ == "__main__":
    main()
