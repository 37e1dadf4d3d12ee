"""Importers: other people's files as records. They know records and errors, and no store."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, UsageError, unknown
from ipse.importers import (
    chatgpt,
    csv,
    jsonl,
    lamp,
    mbox,
    personalllm,
    preferences,
    prism,
    ukpconvarg,
)
from ipse.importers.base import Importer, Problem
from ipse.records import Record

__all__ = ["IMPORTERS", "Importer", "Problem", "read", "sample_path"]

IMPORTERS: dict[str, Importer] = {
    "chatgpt": chatgpt.read,
    "csv": csv.read,
    "jsonl": jsonl.read,
    "lamp": lamp.read,
    "mbox": mbox.read,
    "personalllm": personalllm.read,
    "preferences": preferences.read,
    "prism": prism.read,
    "ukpconvarg": ukpconvarg.read,
}
"""Every format there is, by name."""

_NEEDED = {
    "me": "the addresses you write from, such as me@example.org",
    "task": "one of " + ", ".join(lamp.TASKS),
    "user": "whose records they are",
}


def read(name: str, path: str | Path, /, **options: Any) -> Iterator[Record | Problem]:
    """Read a file of some format as records, lazily.

    Nothing is raised for what stands in a malformed line: that is a `Problem` among the records.
    Reading the same file again gives the same records, so to write all or nothing, look for a
    problem in one reading and write in the next.

    Args:
        name: One of `IMPORTERS`.
        path: The file or, for some formats, the folder.
        **options: The format's own options.

    Returns:
        Records and problems, in the file's order.

    Raises:
        Unknown: If there is no such format or option.
        UsageError: If an option is missing or not what it should be.
        InvalidFile: If the file is missing or unusable as a whole; some of it only shows as the
            iterator runs.
    """
    if name not in IMPORTERS:
        raise unknown("format", name, IMPORTERS)
    _check_options(name, options)
    if not os.path.exists(path):
        raise InvalidFile(f"no such file: {path}")
    return IMPORTERS[name](Path(path), **options)


def sample_path() -> Path:
    """Give the folder of the sample that ships with Ipse, for the format `ukpconvarg`."""
    return Path(str(files("ipse"))) / "data" / "ukpconvarg"


def _check_options(name: str, options: dict[str, Any]) -> None:
    parameters = list(inspect.signature(IMPORTERS[name]).parameters.values())[1:]
    known = [parameter.name for parameter in parameters]
    for option in options:
        if option not in known:
            raise unknown(f"option of the format {name!r}:", option, known)
    for parameter in parameters:
        if parameter.default is parameter.empty and options.get(parameter.name) is None:
            what = _NEEDED.get(parameter.name, "")
            raise UsageError(
                f"the format {name!r} needs the option {parameter.name!r}: {what}. "
                f"Give {parameter.name}=..."
            )
