"""The report: one HTML file that needs nothing else, to be looked at rather than read."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ipse.evaluation.metrics import METRICS
from ipse.evaluation.plots import frontier, gain_by_history, gains, rankings
from ipse.evaluation.summary import Row, Table

__all__ = ["Example", "size", "write_report"]


@dataclass(frozen=True)
class Example:
    """One question answered before and after.

    Attributes:
        method: The composition behind the second answer.
        user: Whose question it is.
        question: What is asked.
        before: The generic model's answer.
        after: The personal answer.
        written: What the person wrote.
        evidence: The records the model had read, as lines.
    """

    method: str
    user: str
    question: str
    before: str
    after: str
    written: str
    evidence: tuple[str, ...]


def write_report(
    path: Path,
    tables: Sequence[Table],
    *,
    title: str,
    lead: str,
    footer: str,
    note: str = "",
    example: Example | None = None,
    judged: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a report.

    Args:
        path: The file.
        tables: What was found.
        title: The heading.
        lead: What was done, in a sentence.
        footer: How to get the same again: command, versions, data, licence.
        note: What else a reader has to know, or "".
        example: One question answered before and after.
        judged: What models judged of it: one mapping of column titles to cells a row.
    """
    environment = Environment(
        loader=PackageLoader("ipse.evaluation"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["size"] = size
    text = environment.get_template("report.html.j2").render(
        title=title,
        lead=lead,
        footer=footer,
        note=note,
        sections=[_section(table) for table in tables],
        metrics=METRICS,
        example=example,
        judged=judged,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def size(nbytes: float) -> str:
    """Write a number of bytes so that a person can read it."""
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} GB"


def _section(table: Table) -> dict[str, Any]:
    best = table.best
    return {
        "table": table,
        "gains": gains(table),
        "rankings": rankings(table) if table.measure == "find" else "",
        "frontier": frontier(table) if len(table.rows) > 2 else "",
        "history": gain_by_history(table, best.method) if best and best.control else "",
        "best": best,
        "detectable": _detectable(table.rows),
    }


def _detectable(rows: Sequence[Row]) -> tuple[float, float] | None:
    """Give the range of the smallest differences that would have been seen."""
    found = [c.detectable for r in rows for c in (r.gain, r.over_recent, r.personal) if c]
    finite = [value for value in found if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else None
