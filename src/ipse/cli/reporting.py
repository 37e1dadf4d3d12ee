"""`ipse report` and `ipse compare`: what runs found, as pages and side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, command
from ipse.cli.output import table
from ipse.cli.tables import estimated, interval
from ipse.errors import UsageError
from ipse.evaluation.compare import Change, changes, differences, same_lines
from ipse.evaluation.judging.run import judged_path, read_judged
from ipse.evaluation.judging.summary import summarize
from ipse.evaluation.ledger import Run, read_run
from ipse.evaluation.report import write_report
from ipse.evaluation.summary import Table
from ipse.evaluation.tabulate import tables

__all__ = ["compare", "report", "report_of"]


@command
def report(
    call: Call,
    results: Annotated[list[Path], typer.Argument(help="Folders or files of results.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
) -> None:
    """Turn results into one page of tables and plots."""
    runs = [read_run(path) for path in results]
    drawn = [each for found in runs for each in tables(found)]
    if not drawn:
        raise UsageError(f"there is nothing measured in {', '.join(map(str, results))} yet")
    written = report_of(runs, drawn, out, [row for path in results for row in _judged(path)])
    data = {"report": str(written), "tables": [{**asdict(x), "verdict": x.verdict} for x in drawn]}
    call.answer(data, f"Report: {written}")


@command
def compare(
    call: Call,
    first: Annotated[Path, typer.Argument(help="A folder or file of results.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
) -> None:
    """Compare two runs: what differs in their settings, and in what they found."""
    one, two = read_run(first), read_run(second)
    differ, found = differences(one, two), changes(one, two)
    shared, alike = same_lines(one, two)
    settings = table(
        ("setting", "first", "second"),
        ((d.name, _short(d.first), _short(d.second)) for d in differ),
    )
    cells = table(
        ("task", "method", "records", "score", "first", "second", "second is better by"),
        (_row(change) for change in found),
    )
    said = f"{alike:,} of {shared:,} items that both have are the same."
    data = {
        "differences": [asdict(d) for d in differ],
        "changes": [asdict(c) for c in found],
        "shared_items": shared,
        "same_items": alike,
    }
    call.answer(data, settings if differ else "Nothing differs in their settings.", cells, said)


def report_of(
    runs: Sequence[Run],
    drawn: Sequence[Table],
    path: Path,
    judged: Sequence[Mapping[str, str]] = (),
) -> Path:
    """Write the page of some runs.

    Args:
        runs: The runs.
        drawn: Their tables.
        path: The file.
        judged: What models judged, a row each.

    Returns:
        The file.
    """
    write_report(
        path,
        drawn,
        title="What helps, and what it costs",
        lead=(
            "Every method with the person's own records, against the model that knows nobody, "
            "against their latest records in the prompt, and against itself with another person's."
        ),
        footer=" · ".join(dict.fromkeys(_footer(run) for run in runs)),
        judged=judged,
    )
    return path


def _judged(results: Path) -> list[dict[str, str]]:
    """Give what models judged of some results, if any did."""
    return [
        {
            "task": each.task,
            "method": each.method if each.whose == "own" else f"{each.method}, {each.whose}",
            "rubric": each.rubric,
            "score": estimated(each.score) if each.score else "none",
            "alpha": f"{each.weakest[1]:.2f} ({each.weakest[0]})" if each.weakest else "undefined",
            "unparsable": f"{each.unparsable:.0%}",
            "answers": f"{each.items:,}",
            "judges": ", ".join(each.judges),
        }
        for each in summarize(read_judged(judged_path(results)))
    ]


def _footer(run: Run) -> str:
    header, grid = run.header, run.header["grid"]
    parts = (
        f"run {header['run']}: {', '.join(grid['tasks'])} with {', '.join(grid['methods'])}",
        f"at most {grid['people']} people, seed {grid['seed']}",
        f"commit {header['commit'] or 'unknown'}",
        header["hardware"],
        ", ".join(f"{name} {there}" for name, there in header["versions"].items()),
    )
    return " · ".join(parts)


def _row(change: Change) -> tuple[Any, ...]:
    better = "the very same" if change.identical else interval(change.better)
    return (
        change.task,
        change.method,
        change.whose,
        change.metric,
        estimated(change.first),
        estimated(change.second),
        better,
    )


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
