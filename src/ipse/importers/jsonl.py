"""Ipse's own format: one record a line, as `Record.to_json` gives it.

    {"user": "ada", "kind": "content", "time": "2024-05-01T09:00:00+00:00", "output": "Dear Sir,"}

`user`, `kind` and `output` must be there. A line without a time gets one from its place in the
file, so that reading a file twice gives the same records.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ipse.importers.base import Problem, made, nth, objects
from ipse.records import Record

__all__ = ["read"]


def read(path: Path, *, user: str | None = None) -> Iterator[Record | Problem]:
    """Read records, one JSON object a line.

    Args:
        path: The file, plain or gzip.
        user: Whose records the lines are that name nobody.

    Yields:
        Records, and a problem for every malformed line.
    """
    for entry in objects(path):
        if isinstance(entry, Problem):
            yield entry
            continue
        number, data = entry
        given = {key: value for key, value in data.items() if value is not None}
        yield made(path, number, {"user": user, "source": "jsonl", "time": nth(number)} | given)
