"""`ipse bench`: every method on real people, with controls, standard errors and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.padding import Padding
from rich.text import Text

from ipse.cli.call import Call, command, compositions
from ipse.cli.output import plain, table, warn
from ipse.cli.reporting import report_of
from ipse.cli.tables import by_group, console, results
from ipse.cli.waiting import waiting
from ipse.errors import UsageError
from ipse.evaluation.compare import same_lines
from ipse.evaluation.grid import Grid, always
from ipse.evaluation.ledger import Run, read_run
from ipse.evaluation.metrics import METRICS
from ipse.evaluation.run import remove, run
from ipse.evaluation.summary import Table
from ipse.evaluation.tabulate import tables
from ipse.evaluation.task import Measure
from ipse.evaluation.tasks import FAMILIES, TASKS, open_task
from ipse.lm import LM
from ipse.settings import Settings, open_lm

__all__ = ["bench", "show"]

_PEOPLE = 20


@command
def bench(
    call: Call,
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="TASK...", show_default=False)
    ] = None,
    methods: Annotated[str, typer.Option(help="Compositions, by commas.")] = "",
    models: Annotated[str, typer.Option(help="Models, by commas.")] = "",
    measures: Annotated[str, typer.Option(help="Of find, nats, choose, write.")] = "",
    people: Annotated[int, typer.Option(min=1, help="The most people of a task.")] = _PEOPLE,
    items: Annotated[int | None, typer.Option(min=0, help="Items of each; 0 is all.")] = None,
    seed: Annotated[int, typer.Option(help="Of whatever is drawn by chance.")] = 0,
    only: Annotated[bool, typer.Option("--only", help="Leave the usual baselines out.")] = False,
    control: Annotated[bool, typer.Option(help="Also with another person's records.")] = True,
    data: Annotated[Path | None, typer.Option(envvar="IPSE_DATA", help="The data folder.")] = None,
    out: Annotated[Path, typer.Option(help="Where results go.")] = Path("ipse-bench"),
    again: Annotated[
        Path | None, typer.Option("--from", help="Run what made these results.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, not on.")] = False,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or auto.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the tasks.")] = False,
) -> None:
    """Compare methods on real people; a run that was stopped goes on where it was."""
    if listed:
        _list(call, data)
        return
    if again is not None and tasks:
        raise UsageError("--from says what to run: name no task beside it")
    settings = call.settings.model_copy(update={"dtype": dtype} if dtype else {})
    names = tuple(name.strip() for name in models.split(","))
    if again is not None:
        grid = Grid.from_json(read_run(again).header.get("grid", {}))
        lms = _opened(settings, grid.models)
    else:
        lms = _opened(settings, names)
        chosen = compositions(methods)
        grid = Grid(
            tasks=tuple(_with_items(task, items) for task in tasks or ()),
            methods=tuple(chosen if only else (*always(lms), *chosen)),
            models=names,
            measures=cast(tuple[Measure, ...], tuple(measures.split(",") if measures else ())),
            people=people,
            seed=seed,
            control=control,
        )
    if fresh:
        remove(out)
    with waiting() as progress:
        run(grid, out, lms, root=data, progress=progress)
    _answer(call, out, again)


def _opened(settings: Settings, names: Sequence[str]) -> list[LM]:
    each = [settings.model_copy(update={"model": name} if name else {}) for name in names]
    return [open_lm(one, warn) for one in each]


def _with_items(task: str, items: int | None) -> str:
    if items is None:
        return task
    return f"{task}{',' if ':' in task else ':'}items={items}"


def _list(call: Call, data: Path | None) -> None:
    """Name the tasks, what each measures, and what it needs."""
    rows = [_about(name, data) for name in (*TASKS, *FAMILIES) if f"{name}-1" not in FAMILIES]
    shown = [
        (
            row["name"],
            ", ".join(row["measures"]),
            METRICS[row["metrics"][0]].title if row["metrics"] else f"judged: {row['judge']}",
            "here" if row["present"] else row["home"].partition(" ")[0],
        )
        for row in sorted(rows, key=lambda row: str(row["name"]))
    ]
    call.answer(rows, table(("task", "measures", "headline", "data"), shown))


def _about(name: str, data: Path | None) -> dict[str, Any]:
    task = open_task(name, data)
    summary = (type(task).__doc__ or "").partition("\n")[0]
    return {
        "name": name,
        "summary": summary,
        "measures": task.measures,
        "metrics": task.metrics,
        "judge": task.judge,
        "present": task.source.present(data),
        "shipped": task.source.shipped,
        "folder": task.source.folder,
        "files": task.source.files,
        "home": task.source.home,
        "licence": task.source.licence,
    }


def show(runs: Sequence[Run], report: Path) -> list[Table]:
    """Show what runs found in the terminal, and write their page.

    Args:
        runs: The runs.
        report: The page.

    Returns:
        Their tables.
    """
    drawn = [each for found in runs for each in tables(found)]
    report_of(runs, drawn, report)
    terminal = console()
    for each in drawn:
        title = f"{each.task} · {each.measure}" + (f" · {each.model}" if each.model else "")
        terminal.print(Text(f"\n{title}", style="bold"), f"({each.people} people)")
        terminal.print(results(each))
        if each.groups:
            terminal.print()
            terminal.print(by_group(each))
        terminal.print(Padding(plain(each.verdict), (1, 0, 0, 0)))
    terminal.print("\n* certain: p < 0.05, corrected for the number of methods.")
    terminal.print(f"Report: {report}")
    return drawn


def _answer(call: Call, out: Path, again: Path | None) -> None:
    found = read_run(out)
    if not found.items:
        raise UsageError(
            f"nothing was measured: {', '.join(found.header['grid']['tasks'])} has "
            "nobody with anything to compare an answer with"
        )
    report = out / "report.html"
    repeated = same_lines(read_run(again), found) if again else None
    if not call.as_json:
        show([found], report)
        if repeated is not None:
            console().print(f"{repeated[1]:,} of {repeated[0]:,} items are the same as before.")
        return
    drawn = tables(found)
    report_of([found], drawn, report)
    rows = [{**asdict(each), "verdict": each.verdict} for each in drawn]
    data: dict[str, Any] = {"header": found.header, "tables": rows, "report": str(report)}
    call.answer(data if repeated is None else {**data, "repeated": repeated})
