"""`ipse demo`: does it help to know the person? On real people, in a few minutes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from ipse.cli.call import Call, command, compositions
from ipse.cli.output import plain, warn
from ipse.cli.tables import console, results
from ipse.cli.waiting import waiting
from ipse.evaluation.demo import DEMO_METHODS, Demo, run_demo
from ipse.settings import open_lm

__all__ = ["demo"]


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
    chosen = compositions(methods)
    lm = open_lm(call.settings.model_copy(update={"dtype": dtype}), warn)
    began = monotonic()
    with waiting() as progress:
        found = run_demo(out, lm, progress, people=people, items=items, methods=chosen)
    if call.as_json:
        call.answer(_data(found))
        return
    _show(found, monotonic() - began)


def _show(found: Demo, seconds: float) -> None:
    terminal = console()
    terminal.print()
    terminal.print(results(found.table))
    terminal.print(Padding(plain(found.table.verdict), (0, 0, 1, 0)))
    terminal.print(
        f"The other person wrote on {100 * found.shared_topics:.0f}% of the topics asked about. "
        "* certain: p < 0.05, corrected for the number of methods.\n"
    )
    example = found.example
    terminal.print(Text("One person, before and after", style="bold"))
    for title, text in (
        ("asked", example.question),
        ("generic", example.before),
        (example.method, example.after),
        ("what the person wrote", example.written),
    ):
        terminal.print(Text(title, style="dim"))
        terminal.print(Padding(Text(plain(text)), (0, 0, 1, 2)))
    terminal.print(Text("records the model had read", style="dim"))
    for line in example.evidence:
        terminal.print(Padding(Text(plain(f"· {line}")), (0, 0, 0, 2)))
    terminal.print(f"\nReport: {found.report}    ({seconds:.0f} s)")


def _data(found: Demo) -> dict[str, Any]:
    return {
        "table": {**asdict(found.table), "verdict": found.table.verdict},
        "helping": [row.method for row in found.table.rows if row.helps],
        "shared_topics": found.shared_topics,
        "example": asdict(found.example),
        "report": str(found.report),
    }
