"""How long work shows how far it is: a bar with an estimate, or lines where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ipse.cli.output import ERR, warn

__all__ = ["waiting"]


@contextmanager
def waiting() -> Iterator[Callable[[str, float], None]]:
    """Show how far it is.

    Yields:
        To be told what is being done, and which share of everything is done, in [0, 1].
    """
    began = monotonic()
    seen: list[str] = []
    bar = Progress(
        TextColumn("{task.description:40}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )
    task = bar.add_task("", total=1.0)

    def report(what: str, share: float) -> None:
        if what not in seen:
            seen.append(what)
            if not ERR.is_terminal:
                warn(f"{monotonic() - began:6.1f} s  {100 * share:3.0f}%  {what}")
        bar.update(task, description=what, completed=share)

    with bar:
        yield report
