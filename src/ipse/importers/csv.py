"""Tables: one record a row, with a map from the file's columns to a record's fields.

    text,when,likes
    "Dear Sir,",2024-05-01T09:00:00Z,3

read with `columns={"text": "output", "when": "time"}` and `user="ada"`. A column that bears a
field's name is that field; every other column goes to `meta`. Without a column for the time,
the order of the rows stands for it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, InvalidRecord, UsageError, unknown
from ipse.importers.base import Problem, lines, made, moment, nth
from ipse.records import KINDS, MAX_CHARACTERS, Kind, Record

__all__ = ["FIELDS", "read"]

FIELDS = ("id", "input", "kind", "output", "rejected", "source", "time", "user", "uses")
"""The fields of a record that a column can hold."""

_Row = tuple[int, list[str]]


def read(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    user: str | None = None,
    kind: Kind = "content",
    delimiter: str = ",",
) -> Iterator[Record | Problem]:
    r"""Read records, one row each, from a table with a header.

    Args:
        path: The file, plain or gzip, in UTF-8.
        columns: The file's columns and the record's fields they hold.
        user: Whose records the rows are that name nobody.
        kind: What they are where no column says.
        delimiter: What stands between two cells, such as `;` or a tab, also written `\t`.

    Returns:
        Records, and a problem for every malformed row.

    Raises:
        UsageError: If an option is not what it should be.
    """
    targets = dict(columns or {})
    for name in targets.values():
        if name not in FIELDS:
            raise unknown("field of a record", name, FIELDS)
    if len(set(targets.values())) < len(targets):
        raise UsageError(f"two columns hold one field: {targets}. Map each field once")
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    delimiter = delimiter.replace("\\t", "\t")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(f"a delimiter is one character, such as ',' or ';'; got {delimiter!r}")
    return _records(path, targets, {"user": user, "kind": kind, "source": "csv"}, delimiter)


def _records(
    path: Path, columns: Mapping[str, str], defaults: Mapping[str, Any], delimiter: str
) -> Iterator[Record | Problem]:
    targets: list[str] = []
    header: list[str] = []
    for row in _rows(path, delimiter):
        if isinstance(row, Problem):
            yield row
        elif not header:
            header = row[1]
            targets = _targets(path, header, columns)
        else:
            yield _record(path, row, header, targets, defaults)


def _rows(path: Path, delimiter: str) -> Iterator[_Row | Problem]:
    _allow_long_cells()
    waiting: list[Problem] = []
    reader = csv.reader(_text(path, waiting), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        row = _next(reader)
        yield from waiting
        waiting.clear()
        if row is None:
            return
        if isinstance(row, str):
            yield Problem(str(path), number, row)
        elif not "".join(row).isascii() and not _is_unicode(row):
            yield Problem(str(path), number, "not UTF-8. Save the table as UTF-8 and try again")
        elif row:
            yield number, row


def _text(path: Path, problems: list[Problem]) -> Iterator[str]:
    for line in lines(path):
        if isinstance(line, Problem):
            problems.append(line)
        else:
            encoding = "utf-8-sig" if line[0] == 1 else "utf-8"
            yield line[1].decode(encoding, "surrogateescape")


def _next(reader: Any) -> list[str] | str | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        return str(error)


def _allow_long_cells() -> None:
    # One number for the whole process: only ever raised, so no importing thread cuts off another.
    if csv.field_size_limit() < MAX_CHARACTERS:
        csv.field_size_limit(MAX_CHARACTERS)


def _is_unicode(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def _targets(path: Path, header: list[str], columns: Mapping[str, str]) -> list[str]:
    """Give the field each column holds, "" for those that go to `meta`."""
    for name in columns:
        if name not in header:
            raise unknown(f"column of {path}:", name, header)
    if len(set(header)) < len(header):
        raise InvalidFile(f"two columns of {path} have one name: {', '.join(header)}")
    taken = set(columns.values())
    own = {name: name for name in header if name in FIELDS and name not in taken}
    targets = own | dict(columns)
    if "output" not in targets.values():
        known = ", ".join(header)
        raise UsageError(f"no column of {path} holds the output. Map one of: {known}")
    return [targets.get(name, "") for name in header]


def _record(
    path: Path, row: _Row, header: list[str], targets: list[str], defaults: Mapping[str, Any]
) -> Record | Problem:
    number, cells = row
    if len(cells) != len(header):
        reason = f"a row has {len(header)} cells as the header has; got {len(cells)}"
        return Problem(str(path), number, reason)
    fields = dict(defaults) | {"time": nth(number)}
    meta = {}
    for name, target, cell in zip(header, targets, cells, strict=True):
        if not target:
            meta[name] = cell
        elif cell or target == "time":
            fields[target] = cell
    try:
        fields["time"] = moment(fields["time"])
    except InvalidRecord as error:
        return Problem(str(path), number, str(error))
    if "uses" in fields:
        fields["uses"] = fields["uses"].replace(",", " ").split()
    return made(path, number, fields | {"meta": meta})
