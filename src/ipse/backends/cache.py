"""A cache folder whose entries are whole or not there, whoever dies while writing them.

An entry is built in a folder beside its place and renamed into it; a manifest of file sizes,
written last, tells a whole entry from a damaged one. This file knows nothing of models.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from ipse.errors import StoreFailure

__all__ = ["build_once", "cache_folder", "is_whole", "note", "recall", "remembered"]

_MANIFEST = "ipse-manifest.json"
_PARTIAL = ".partial-"


def cache_folder() -> Path:
    """Give the folder of the cache: `IPSE_CACHE`, or `~/.cache/ipse`."""
    return Path(os.environ.get("IPSE_CACHE") or Path.home() / ".cache" / "ipse")


def is_whole(folder: Path) -> bool:
    """Say whether an entry is there with every file it was built with, each at its full size."""
    try:
        sizes = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Build an entry unless it is there: one builder at a time, the others wait for it.

    Args:
        folder: The entry's place.
        build: Writes the entry's files into the empty folder it is given.

    Returns:
        The entry's place, whole.

    Raises:
        StoreFailure: If the cache folder cannot be written.
    """
    if is_whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            if not is_whole(folder):
                _build(folder, build)
    except OSError as error:
        raise StoreFailure(
            f"cannot write {str(folder)!r}: {error}. "
            "Free the space, or set IPSE_CACHE to a folder you may write"
        ) from error
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    # The lock is held, so whatever else is half-built here was left by a builder that died.
    for leftover in folder.parent.glob(f".{folder.name}{_PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.parent / f".{folder.name}{_PARTIAL}{uuid.uuid4().hex[:8]}"
    partial.mkdir()
    try:
        build(partial)
        files = sorted(path for path in partial.rglob("*") if path.is_file())
        sizes = {str(path.relative_to(partial)): path.stat().st_size for path in files}
        (partial / _MANIFEST).write_text(json.dumps(sizes, indent=1), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remembered(key: str, measure: Callable[[], str]) -> str:
    """Give a small fact, measured at most once and kept in the cache folder.

    Args:
        key: What the fact is about; anything that changes the fact belongs in it.
        measure: Finds the fact out.

    Returns:
        The fact. A cache that cannot be written costs a measurement each time, nothing more.
    """
    known = recall(key)
    if known is not None:
        return known
    fact = measure()
    note(key, fact)
    return fact


def recall(key: str) -> str | None:
    """Give a fact that was kept; None where none was."""
    try:
        return _fact(key).read_text("utf-8")
    except (OSError, ValueError):
        return None


def note(key: str, fact: str) -> None:
    """Keep a small fact; where the cache cannot be written, it is not kept."""
    path = _fact(key)
    partial = path.with_suffix(f".{uuid.uuid4().hex[:8]}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(fact, "utf-8")
        partial.replace(path)


def _fact(key: str) -> Path:
    return cache_folder() / "facts" / hashlib.sha256(key.encode()).hexdigest()[:32]
