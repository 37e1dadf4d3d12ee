"""`ipse judge`: let models judge what a run has written, and say how far they agree."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import RenderableType

from ipse.cli.call import Call, command
from ipse.cli.output import plain, table, warn
from ipse.cli.waiting import waiting
from ipse.errors import UsageError
from ipse.evaluation.judging.answer import answers
from ipse.evaluation.judging.rubrics import find_rubric
from ipse.evaluation.judging.run import judge_all, judged_path
from ipse.evaluation.judging.summary import Summary
from ipse.evaluation.ledger import read_run
from ipse.evaluation.stats import Estimate
from ipse.lm import LM
from ipse.settings import Settings, open_lm

__all__ = ["judge"]

_KEY = "IPSE_JUDGE_API_KEY"
_HTTP = re.compile(r"http:(.+?)@(https?://.+)")
_FURTHER = 5
"""The most scores that are shown beside the headline."""


@command
def judge(
    call: Call,
    results: Annotated[Path, typer.Argument(help="A folder or file of results.")],
    judges: Annotated[
        list[str],
        typer.Option("--judge", metavar="SPEC", help="local, local:MODEL or http:MODEL@BASE_URL."),
    ],
    rubric: Annotated[str, typer.Option(help="How to judge; empty: as each task says.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Where verdicts go; empty: beside the results.")
    ] = None,
    thinking: Annotated[
        int, typer.Option(min=0, help="Tokens a judge may think for before it replies.")
    ] = 0,
) -> None:
    """Let models judge written answers; what was judged already is not asked again."""
    if rubric:
        find_rubric(rubric)
    lms = [_open(call.settings, spec) for spec in judges]
    written = answers(read_run(results).items)
    path = out or judged_path(results)
    with waiting() as report:
        found = judge_all(written, lms, path, rubric=rubric, thinking=thinking, progress=report)
    data = {"judged": str(path), "summaries": [_data(each) for each in found]}
    call.answer(data, *_shown(found), f"Every verdict: {path}")


def _open(settings: Settings, spec: str) -> LM:
    """Open the judge that a spec names; it shares nothing with the model of the settings."""
    values: dict[str, Any] = {"model": "", "embedding_model": ""}
    kind, _, model = spec.partition(":")
    if kind == "local" and (model or spec == "local"):
        values |= {"backend": "local", "model": model}
    elif named := _HTTP.fullmatch(spec):
        # One server's key is no other's business.
        same = settings.base_url.rstrip("/") == named[2].rstrip("/")
        key = os.environ.get(_KEY) or (settings.api_key.get_secret_value() if same else "")
        values |= {"backend": "http", "model": named[1], "base_url": named[2]}
        values["api_key"] = SecretStr(key)
    else:
        raise UsageError(
            f"{spec!r} names no judge. Known: local, local:MODEL, http:MODEL@BASE_URL, such as "
            f"http:qwen3@http://localhost:8000/v1 with its key in {_KEY}"
        )
    return open_lm(settings.model_copy(update=values), warn)


def _shown(found: list[Summary]) -> Iterator[RenderableType]:
    cells: dict[tuple[str, str, str], list[Summary]] = {}
    for each in found:
        cells.setdefault((each.task, each.model, each.rubric), []).append(each)
    for (task, model, rubric), rows in cells.items():
        judges = list(dict.fromkeys(judge for row in rows for judge in row.judges))
        told = f"{task}, written by {model}, judged as {rubric} by {', '.join(judges)}"
        yield plain(f"\n{told}")
        yield _table(find_rubric(rubric).score, rows)
        for row in rows:
            if further := _further(row):
                yield plain(f"{_method(row)}: {further}")
            if len(row.judges) > 1:
                yield plain(f"{_method(row)}: {_each_judge(row)}")
        if len(judges) == 1:
            yield "One judge agrees with nobody: name another with --judge."


def _table(headline: str, rows: list[Summary]) -> RenderableType:
    columns = ("method", headline.replace("_", " "), "alpha", "unparsable", "n", "people")
    return table(columns, map(_row, rows))


def _row(row: Summary) -> tuple[object, ...]:
    return (
        _method(row),
        _estimate(row.score),
        f"{row.weakest[1]:.2f} ({row.weakest[0]})" if row.weakest else "undefined",
        f"{row.unparsable:.0%}",
        row.items,
        row.score.people if row.score else 0,
    )


def _method(row: Summary) -> str:
    return row.method if row.whose == "own" else f"{row.method}, {row.whose}"


def _further(row: Summary) -> str:
    """Give the other scores of a method, and its headline by group, as one line."""
    others = {name: e for name, e in row.scores.items() if e is not row.score}
    others = others if len(others) <= _FURTHER else {}
    told = [(name.replace("_", " "), e) for name, e in others.items()]
    return ", ".join(f"{name} {e.mean:.2f}" for name, e in (*told, *row.groups.items()))


def _each_judge(row: Summary) -> str:
    return ", ".join(
        f"{_estimate(one.score)} by {judge} ({one.unparsable:.0%} unparsable)"
        for judge, one in row.judges.items()
    )


def _estimate(e: Estimate | None) -> str:
    if e is None:
        return "none"
    return f"{e.mean:.3f}" + (f" ±{e.error:.3f}" if math.isfinite(e.error) else "")


def _data(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "group_mean": summary.group_mean}
