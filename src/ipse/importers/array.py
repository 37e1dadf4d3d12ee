"""A file that is one JSON list, read one element at a time: it may be larger than the memory."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile
from ipse.importers.base import DAMAGED, opened

__all__ = ["entries"]

_DEEPEST = 64
"""The deepest an element may be nested: a file of brackets alone must not fill the memory."""


def entries(path: Path) -> Iterator[Any]:
    """Give the elements of a file that is one JSON list, one at a time.

    Args:
        path: The file, plain or gzip.

    Yields:
        The elements; no more of the file is read than they need, and a buffer.

    Raises:
        InvalidFile: If it cannot be opened, is cut off, or is not a list in JSON in UTF-8.
    """
    import ijson  # takes 30 ms, which every command would pay

    with opened(path) as file:
        try:
            if file.read(len(BOM_UTF8)) != BOM_UTF8:
                file.seek(0)
            yield from _elements(path, ijson.basic_parse(file, use_float=True))
        except (*DAMAGED, ijson.JSONError, ValueError) as error:
            raise InvalidFile(f"{path} is not a whole JSON file in UTF-8: {error}") from error


def _elements(path: Path, events: Iterator[tuple[str, Any]]) -> Iterator[Any]:
    """Build one element of the outermost list after another of a parser's events."""
    from ijson.common import ObjectBuilder

    if next(events)[0] != "start_array":
        raise InvalidFile(f"{path} is not a list of questions")
    depth, builder = 0, ObjectBuilder()
    for event, value in events:
        depth += event.startswith("start_") - event.startswith("end_")
        if depth > _DEEPEST:
            raise InvalidFile(f"{path} is nested more than {_DEEPEST} levels deep")
        if depth >= 0:  # below 0 the list has ended, and only white space may follow
            builder.event(event, value)
        if depth == 0:
            yield builder.value
            builder = ObjectBuilder()
