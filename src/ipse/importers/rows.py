"""JSON lines read in any order, without holding the file, and the fields of what they hold.

For files whose people's lines lie anywhere in them. Read one through once, keep what matters with
the places of the lines, and read lines again when they are wanted.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, TypeVar, cast

from ipse.errors import InvalidFile
from ipse.importers.base import DAMAGED, MAX_LINE, opened

__all__ = ["Place", "Rows", "need", "need_text"]

T = TypeVar("T")


class Place(NamedTuple):
    """Where a line stands: its number, from 1, and its first byte, from 0."""

    number: int
    offset: int


@dataclass(frozen=True)
class Rows:
    """A file of JSON objects, one a line.

    Attributes:
        path: The file, for messages.
        file: What is read: plain, and able to seek.
    """

    path: Path
    file: IO[bytes]

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Rows]:
        """Open a file; gzip, which cannot seek, is unpacked into a nameless temporary file.

        Args:
            path: The file.

        Yields:
            Its rows.

        Raises:
            InvalidFile: If it cannot be opened or is damaged.
        """
        with ExitStack() as stack:
            try:
                file: Any = stack.enter_context(opened(path))
                if isinstance(file, gzip.GzipFile):
                    plain = stack.enter_context(TemporaryFile())
                    shutil.copyfileobj(file, plain)
                    file = plain
            except DAMAGED as error:
                raise InvalidFile(f"{path} is damaged or cut off: {error}") from error
            yield cls(path, cast(IO[bytes], file))

    def scan(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Give every row with its place, or raise `InvalidFile`; empty lines are read over.

        Nothing else may be read from the file meanwhile.
        """
        self.file.seek(0)
        number, offset = 0, 0
        while raw := self.file.readline(MAX_LINE + 1):
            number += 1
            if raw.strip():
                yield Place(number, offset), self._parsed(number, raw)
            offset += len(raw)

    def at(self, place: Place) -> dict[str, Any]:
        """Give the row at a place that `scan` gave."""
        self.file.seek(place.offset)
        return self._parsed(place.number, self.file.readline(MAX_LINE + 1))

    def where(self, place: Place) -> str:
        """Name a place in a message."""
        return f"{self.path}:{place.number}"

    def _parsed(self, number: int, raw: bytes) -> dict[str, Any]:
        where = f"{self.path}:{number}"
        if len(raw) > MAX_LINE:
            raise InvalidFile(f"{where}: a line is at most {MAX_LINE:,} bytes")
        try:
            data = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise InvalidFile(f"{where} is not JSON in UTF-8: {error}") from error
        if not isinstance(data, dict):
            raise InvalidFile(f"{where}: a line holds one JSON object; got {str(data)[:80]!r}")
        return data


def need(where: str, data: Any, name: str, kind: type[T]) -> T:
    """Give a field of a JSON object, of the type it must have.

    Args:
        where: The file and place, for the message.
        data: The object.
        name: The field.
        kind: The type it must have.

    Returns:
        Its value.

    Raises:
        InvalidFile: If the object is none, or has no such field of that type.
    """
    if not isinstance(data, Mapping):
        raise InvalidFile(f"{where} must be an object with the field {name!r}; got {_short(data)}")
    if name not in data:
        known = ", ".join(map(str, data)) or "none"
        raise InvalidFile(f"{where} has no field {name!r}; its fields: {known[:200]}")
    value = data[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise InvalidFile(f"{where}: {name!r} must be a {kind.__name__}; got {_short(value)}")
    return value


def need_text(where: str, data: Any, name: str) -> str:
    """Give a field that must be text and say something, or raise `InvalidFile`."""
    text = need(where, data, name, str)
    if not text.strip():
        raise InvalidFile(f"{where}: {name!r} is empty")
    return text


def _short(value: object) -> str:
    return repr(value)[:80]
