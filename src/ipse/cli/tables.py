"""Results as tables in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from ipse.cli.output import OUT
from ipse.evaluation.metrics import METRICS
from ipse.evaluation.report import size
from ipse.evaluation.stats import Comparison, Estimate
from ipse.evaluation.summary import Table

__all__ = ["by_group", "console", "results"]

_WIDTH = 120


def console() -> Console:
    """Give where tables go: one that is cut off says nothing, so without a terminal it is wide."""
    return OUT if OUT.is_terminal else Console(width=_WIDTH, highlight=False, markup=False)


def results(table: Table) -> Grid:
    """Lay out what was found of each method, and what it costs.

    Args:
        table: What was found.

    Returns:
        The table.
    """
    first, *rest = table.metrics
    reads = table.measure != "find"
    drawn = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    drawn.add_column("method", overflow="fold")
    titles = [f"{METRICS[first].title}\n± std. error"]
    titles += ["gain over generic\n[95% interval]"] if reads else []
    titles += ["gain over\nrecent"]
    titles += ["gain over another\nperson's records"] if reads else []
    titles += [_folded(METRICS[name].title) for name in rest[:3]]
    titles += ["ms a\nrequest", "tokens\nread", "stored of\na person"]
    for title in titles:
        drawn.add_column(title, justify="right")
    for row in table.rows:
        cells = [estimated(row.scores[first])]
        cells += [interval(row.gain)] if reads else []
        cells += [f"{row.over_recent.mean:+.3f}{_star(row.over_recent)}" if row.over_recent else ""]
        cells += [interval(row.personal)] if reads else []
        cells += [f"{row.scores[name].mean:.3f}" for name in rest[:3]]
        cells += [f"{row.cost.ms:.0f}", f"{row.cost.prompt_tokens:.0f}", size(row.cost.nbytes)]
        drawn.add_row(Text(row.method, style="bold green" if row.helps else ""), *cells)
    return drawn


def by_group(table: Table) -> Grid:
    """Lay out the headline score by kind of question.

    Args:
        table: What was found.

    Returns:
        The table.
    """
    drawn = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    drawn.add_column("method")
    for name in table.groups:
        drawn.add_column(name, justify="right")
    for row in table.rows:
        found = [group.get(row.method) for group in table.groups.values()]
        drawn.add_row(row.method, *(estimated(e) if e else "" for e in found))
    return drawn


def estimated(e: Estimate) -> str:
    """Write an estimate with its standard error."""
    return f"{e.mean:.3f} ±{e.error:.3f}"


def interval(c: Comparison | None) -> str:
    """Write a difference with its interval; a star says that it is certain."""
    return f"{c.mean:+.2f} [{c.low:+.2f}, {c.high:+.2f}]{_star(c)}" if c else ""


def _star(c: Comparison) -> str:
    return "*" if c.clear else " "


def _folded(title: str) -> str:
    head, _, tail = title.partition(" ")
    return f"{head}\n{tail}" if tail else title
