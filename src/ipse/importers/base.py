"""What every importer is made of: problems, lines, times, and records made without raising.

An importer is a function from a path and options to an iterator of records and problems. It reads
lazily, writes nothing and gives the same for the same file, so whoever calls it can write batches
as they come, or read once to look for problems and once more to write. It knows no store.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, InvalidRecord
from ipse.records import Record

__all__ = [
    "DAMAGED",
    "EPOCH",
    "MAX_LINE",
    "Entry",
    "Importer",
    "Line",
    "Problem",
    "document",
    "lines",
    "made",
    "moment",
    "nth",
    "objects",
    "opened",
]

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Where time starts in a file that has none: its order then stands for time, a second a line."""

MAX_LINE = 64 * 2**20
"""The longest line that is read, in bytes: three texts of a million characters, all escaped."""

DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a truncated or damaged file raises."""

_GZIP = b"\x1f\x8b"
_YEAR = re.compile(r"[0-9]{4}")
_SECONDS = re.compile(r"-?[0-9]+(\.[0-9]*)?")
_ISO_DIGITS = 8


@dataclass(frozen=True)
class Problem:
    """One malformed piece of a file: reported and counted, never a reason to stop.

    Attributes:
        file: The file.
        line: The line, or the number of the message, question or conversation; from 1.
        reason: What is wrong with it.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


Importer = Callable[..., Iterator[Record | Problem]]
"""A path, then options by keyword; options without a default are required."""

Line = tuple[int, bytes]
"""A line's number, from 1, and its bytes with the line's end."""

Entry = tuple[int, dict[str, Any]]
"""A line's number, from 1, and the JSON object it holds."""


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file for reading bytes, plain or gzip, whatever its name says.

    Args:
        path: The file.

    Yields:
        The open file.

    Raises:
        InvalidFile: If it cannot be opened.
    """
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise InvalidFile(f"cannot read {path}: {error}") from error
    with file:
        if file.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        else:
            yield file


def lines(path: Path) -> Iterator[Line | Problem]:
    """Give a file's lines one at a time; one too long, or a damaged end, is a problem.

    Args:
        path: The file, plain or gzip.

    Yields:
        Lines, and problems where there are any.
    """
    number = 0
    try:
        with opened(path) as file:
            while raw := file.readline(MAX_LINE + 1):
                number += 1
                if len(raw) <= MAX_LINE:
                    yield number, raw
                    continue
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(MAX_LINE)
                yield Problem(str(path), number, f"a line is at most {MAX_LINE:,} bytes")
    except DAMAGED as error:
        yield Problem(str(path), number + 1, f"the file is damaged or cut off here: {error}")


def objects(path: Path) -> Iterator[Entry | Problem]:
    """Give the JSON objects of a file that holds one a line; empty lines are read over.

    Args:
        path: The file, plain or gzip.

    Yields:
        Objects with the number of their line, and a problem for every malformed line.
    """
    for line in lines(path):
        if isinstance(line, Problem):
            yield line
        elif line[1].strip():
            yield _parsed(path, *line)


def document(path: Path) -> Any:
    """Read a whole file as one JSON value.

    Args:
        path: The file, plain or gzip.

    Returns:
        The value.

    Raises:
        InvalidFile: If it cannot be opened, is cut off, or is not JSON in UTF-8.
    """
    try:
        with opened(path) as file:
            return json.loads(file.read().decode("utf-8-sig"))
    except (*DAMAGED, ValueError, RecursionError) as error:
        raise InvalidFile(f"{path} is not a whole JSON file in UTF-8: {error}") from error


def made(path: Path, number: int, fields: Mapping[str, Any]) -> Record | Problem:
    """Make a record of what a file says, or say why that cannot be; null is as good as absent."""
    try:
        return Record.from_json({key: value for key, value in fields.items() if value is not None})
    except (InvalidRecord, TypeError, ValueError, OverflowError, RecursionError) as error:
        return Problem(str(path), number, str(error))


def moment(value: object) -> datetime:
    """Read a time as files write it; where it names no zone it is taken as UTC.

    Args:
        value: ISO 8601, a year, or seconds since 1970.

    Returns:
        The time, with a zone.

    Raises:
        InvalidRecord: If it is none of these.
    """
    text = str(value).strip()
    try:
        if _YEAR.fullmatch(text):
            return datetime(int(text), 1, 1, tzinfo=UTC)
        if _SECONDS.fullmatch(text) and len(text) != _ISO_DIGITS:
            return datetime.fromtimestamp(float(text), UTC)
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRecord(
            f"a time is ISO 8601, a year or seconds since 1970; got {text[:80]!r}"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def nth(number: int) -> datetime:
    """Give the time of the nth thing in a file without times."""
    return EPOCH + timedelta(seconds=number)


def _parsed(path: Path, number: int, raw: bytes) -> Entry | Problem:
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Problem(str(path), number, f"not UTF-8: {error}")
    except (ValueError, RecursionError) as error:
        return Problem(str(path), number, f"not JSON: {error}")
    if not isinstance(data, dict):
        return Problem(str(path), number, f"a line holds one JSON object; got {str(data)[:80]!r}")
    return number, data
