"""The report: one HTML file that needs nothing else, to be looked at rather than read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ipse.evaluation.plots import gain_by_history, gains
from ipse.evaluation.run import Result
from ipse.evaluation.summary import best, rows, verdict

__all__ = ["Example", "write_report"]


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
    result: Result,
    example: Example,
    *,
    title: str,
    lead: str,
    footer: str,
    records: dict[str, int],
    shared_topics: float,
) -> None:
    """Write a report.

    Args:
        path: The file.
        result: What was measured.
        example: One question answered before and after.
        title: The heading.
        lead: What was done, in a sentence.
        footer: How to get the same again: command, versions, data, licence.
        records: Each person's number of records.
        shared_topics: The share of answers on whose topic the other person wrote too.
    """
    table = rows(result)
    shown = best(table)
    environment = Environment(
        loader=PackageLoader("ipse.evaluation"), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template("report.html.j2").render(
        title=title,
        lead=lead,
        verdict=verdict(table),
        table=table,
        gains=gains(result, table),
        history=gain_by_history(result, shown.method, records) if shown else "",
        example=example,
        shared_topics=shared_topics,
        footer=footer,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
