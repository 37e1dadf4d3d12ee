"""Files that come to the page and leave it: what is known of one person, and nothing of another.

It knows the engine, and nothing of how a page is drawn.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ipse.engine import Ipse
from ipse.errors import InvalidFile
from ipse.importers import Problem, read
from ipse.records import Record

__all__ = ["SAMPLE", "export", "sample", "take"]

SAMPLE = "ada"
"""The name of the sample person, who is invented."""

_SAMPLE = Path(__file__).parent / "sample.jsonl"
_FORMATS = {".csv": "csv", ".json": "chatgpt", ".jsonl": "jsonl", ".zip": "chatgpt"}
_MANIFEST = "manifest.json"


def sample() -> list[Record]:
    """Give the records of the sample person."""
    return _records(_SAMPLE, SAMPLE, "jsonl")


def take(engine: Ipse, person: str, name: str, content: bytes) -> int:
    """Take a file about a person: all of it, or on an error nothing.

    Args:
        engine: Where to.
        person: Whom it must be about; a line about anyone else is an error.
        name: The file's name, which says what format it has.
        content: What is in it.

    Returns:
        How many records are new.

    Raises:
        InvalidFile: If it is of no known format, is malformed, or is of another person.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in _FORMATS:
        raise InvalidFile(f"{name!r} is of no format known here. Known: {', '.join(_FORMATS)}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content)
        if suffix == ".zip" and _is_export(path):
            return engine.store.import_user(path, person).records.new
        return engine.add(_records(path, person, _FORMATS[suffix], name)).new


def export(engine: Ipse, person: str) -> bytes:
    """Give all that is known and learned of a person as one zip; `take` reads it.

    Args:
        engine: Knows them.
        person: Who.

    Returns:
        The zip's bytes.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        engine.store.export_user(person, path)
        return path.read_bytes()


def _is_export(path: Path) -> bool:
    """Whether a zip is an export of ours, and not ChatGPT's."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _MANIFEST in archive.namelist()
    except zipfile.BadZipFile as error:
        raise InvalidFile(f"the zip cannot be read: {error}") from error


def _records(path: Path, person: str, form: str, name: str = "") -> list[Record]:
    """Read records of one person, none of which may be malformed or another's."""
    found: Sequence[Record | Problem] = list(read(form, path, user=person))
    records = [one for one in found if isinstance(one, Record)]
    for one in found:
        if isinstance(one, Problem):
            raise InvalidFile(f"line {one.line} of {name!r}: {one.reason}. Nothing was taken")
    if other := next((one for one in records if one.user != person), None):
        raise InvalidFile(f"{name!r} tells of {other.user!r}, not of {person!r}. Nothing was taken")
    if not records:
        raise InvalidFile(f"there is nothing in {name!r} that tells of {person!r}")
    return records
