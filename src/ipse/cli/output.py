"""Where the command line writes: answers on stdout, everything else on stderr.

What people wrote is shown as it is: no markup is read in it, and no control character of it
reaches the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = [
    "ERR",
    "OUT",
    "counted",
    "document",
    "plain",
    "short",
    "show_all",
    "table",
    "warn",
    "when",
    "write",
]

OUT = Console(markup=False, emoji=False, highlight=False)
ERR = Console(markup=False, emoji=False, highlight=False, stderr=True)


def plain(text: str) -> str:
    """Replace the control characters of a text, but for line ends and tabs."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def short(name: str) -> str:
    """Give the start of a record's id, which is enough to name it by."""
    return name[:8]


def when(time: datetime) -> str:
    """Give a time to the minute, in UTC."""
    return f"{time:%Y-%m-%d %H:%M}"


def write(text: str, end: str = "\n") -> None:
    """Write text on stdout as it is, at once and without folding lines."""
    typer.echo(plain(text), nl=False)
    typer.echo(end, nl=False)


def warn(text: str) -> None:
    """Write a line on stderr."""
    typer.echo(plain(text), err=True)


def document(data: object) -> None:
    """Write one JSON document on stdout; JSON has no word for what is not finite: it is null."""
    plain_data = json.loads(json.dumps(data, default=_jsonable), parse_constant=lambda _: None)
    typer.echo(json.dumps(plain_data, ensure_ascii=False, indent=2))


def show_all(*parts: RenderableType) -> None:
    """Show tables and texts on stdout, one below the other; lines of text are not folded."""
    for part in parts:
        OUT.print(part, soft_wrap=isinstance(part, str))


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> RenderableType:
    """Lay rows out under their columns' names; numbers stand to the right.

    Args:
        columns: The names.
        rows: The cells, one for each column.

    Returns:
        The table.
    """
    cells = [tuple(row) for row in rows]
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        numbers = bool(cells) and all(isinstance(row[place], int | float) for row in cells)
        made.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        made.add_row(*(Text(plain(_cell(cell))) for cell in row))
    return made


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return when(value) if isinstance(value, datetime) else str(value)


def _jsonable(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is not JSON-able")


def counted(count: int, what: str, several: str = "") -> str:
    """Say how many there are, such as `1 state` or `2 states`."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"
