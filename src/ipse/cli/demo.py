"""`ipse demo`: does it help to know the person? On real people, in a few minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ipse.cli.call import Call, command
from ipse.cli.output import ERR, OUT, plain, warn
from ipse.evaluation.demo import DEMO_METHODS, Demo, run_demo
from ipse.evaluation.run import Progress as Report
from ipse.evaluation.stats import Estimate
from ipse.evaluation.summary import Row, verdict
from ipse.settings import open_lm

__all__ = ["demo"]

_WIDTH = 100


@command
def demo(
    call: Call,
    people: Annotated[int, typer.Option(min=2, max=40, help="How many people.")] = 12,
    items: Annotated[int, typer.Option(min=1, help="Held-out answers of each.")] = 3,
    full: Annotated[bool, typer.Option("--full", help="40 people, 10 answers each.")] = False,
    methods: Annotated[str, typer.Option(help="Compositions, by commas.")] = ",".join(DEMO_METHODS),
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("ipse-demo"),
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, or auto: the faster.")] = "auto",
) -> None:
    """Show on real people that knowing them helps: a table and a report."""
    people, items = (40, 10) if full else (people, items)
    compositions = [text.strip() for text in methods.split(",") if text.strip()]
    lm = open_lm(call.settings.model_copy(update={"dtype": dtype}), warn)
    began = monotonic()
    with _progress(3 + 3 * len(compositions)) as report:
        found = run_demo(out, lm, report, people=people, items=items, methods=compositions)
    if call.as_json:
        call.answer(_data(found))
        return
    _show(found, monotonic() - began)


def _show(found: Demo, seconds: float) -> None:
    # A table that is cut off says nothing: where there is no terminal to fit, it is written whole.
    console = OUT if OUT.is_terminal else Console(width=_WIDTH, highlight=False, markup=False)
    console.print()
    console.print(_table(found.table))
    console.print(Padding(plain(verdict(found.table)), (0, 0, 1, 0)))
    console.print(
        f"The other person wrote on {100 * found.shared_topics:.0f}% of the topics asked about.\n"
    )
    example = found.example
    console.print(Text("One person, before and after", style="bold"))
    for title, text in (
        ("asked", example.question),
        ("generic", example.before),
        (example.method, example.after),
        ("what the person wrote", example.written),
    ):
        console.print(Text(title, style="dim"))
        console.print(Padding(Text(plain(text)), (0, 0, 1, 2)))
    console.print(Text("records the model had read", style="dim"))
    for line in example.evidence:
        console.print(Padding(Text(plain(f"· {line}")), (0, 0, 0, 2)))
    console.print(f"\nReport: {found.report}    ({seconds:.0f} s)")


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("method")
    for title in (
        "nats per token\n± std. error",
        "gain over generic\n[95% interval]",
        "gain over another\nperson's records",
        "ms a\nrequest",
        "prompt\ntokens",
        "bytes a\nperson",
    ):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            Text(row.method, style="bold green" if row.helps else ""),
            f"{row.nats.mean:.3f} ±{row.nats.error:.3f}",
            _interval(row.gain),
            _interval(row.personal),
            f"{row.ms:.0f}",
            f"{row.prompt_tokens:.0f}",
            f"{row.nbytes:,.0f}",
        )
    return table


def _interval(e: Estimate | None) -> str:
    return f"{e.mean:+.2f} [{e.low:+.2f}, {e.high:+.2f}]" if e else ""


def _data(found: Demo) -> dict[str, Any]:
    return {
        "methods": [{**asdict(row), "helps": row.helps} for row in found.table],
        "verdict": verdict(found.table),
        "shared_topics": found.shared_topics,
        "example": asdict(found.example),
        "report": str(found.report),
    }


@contextmanager
def _progress(steps: int) -> Iterator[Report]:
    """Show how far it is: as a bar with an estimate, or as a line a step where nobody looks."""
    began = monotonic()
    seen: list[str] = []
    bar = Progress(
        TextColumn("{task.description:34}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )
    task = bar.add_task("", total=steps)

    def report(what: str, done: int, total: int) -> None:
        if what not in seen:
            seen.append(what)
            if not ERR.is_terminal:
                warn(f"{monotonic() - began:6.1f} s  {what}")
        completed = len(seen) - 1 + done / max(1, total)
        bar.update(task, description=what, completed=completed)

    with bar:
        yield report
