"""The folder of artefact files, and the sweep that keeps it in step with the database.

A file is written to `incoming/` first, and moved to its place once the row that names it is
committed. What stands in `incoming/` without a row was left by a crash. Files are written, moved
and deleted only while the database's write lock is held, so no two processes ever disagree.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection, delete, select

from ipse import tensors
from ipse.errors import StoreFailure
from ipse.store.database import Database
from ipse.store.schema import chunks, doomed, states

__all__ = ["Artifacts", "referenced"]

_SUFFIX = ".safetensors"


class Artifacts:
    """Arrays by content hash.

    Args:
        folder: Where the files stand; made if need be.

    Raises:
        StoreFailure: If the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        try:
            for each in (folder, self._incoming):
                each.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreFailure(f"cannot make the folder {folder}: {error.strerror}") from error

    def put(self, name: str, arrays: tensors.Arrays) -> None:
        """Write arrays under their content hash; the caller holds the write lock.

        A file that is there already is written anew: it may be the damaged one.
        """
        tensors.write(self._incoming / f"{name}{_SUFFIX}", arrays)

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        """Map arrays and check them against their content hash.

        Args:
            name: The content hash.

        Returns:
            The arrays by name, read only.

        Raises:
            FileNotFoundError: If there is no such file.
            StoreFailure: If the file is damaged.
        """
        try:  # files move from here to there and never back, so this order misses none
            return tensors.read(self._incoming / f"{name}{_SUFFIX}", name)
        except FileNotFoundError:
            return tensors.read(self._folder / f"{name}{_SUFFIX}", name)

    def tidy(self, database: Database) -> None:
        """Sweep if there is anything to sweep; only then is the write lock taken.

        Args:
            database: Where the rows are.

        Raises:
            StoreFailure: If the disk or the database refuses.
        """
        with database.reading() as connection:
            clean = self._is_clean(connection)
        if not clean:
            with database.writing() as connection:
                self.sweep(connection)

    def tidied(self, database: Database) -> bool:
        """Tidy after a commit, where an error would hide what was done; give whether it went."""
        try:
            self.tidy(database)
        except StoreFailure:
            return False
        return True

    def sweep(self, connection: Connection) -> None:
        """Finish what was begun: settle what has a row, delete what has none.

        Args:
            connection: A writer's.

        Raises:
            StoreFailure: If the disk refuses.
        """
        try:
            self._settle(connection)
            self._delete(connection)
        except OSError as error:
            raise StoreFailure(f"cannot tidy {self._folder}: {error}") from error

    def _is_clean(self, connection: Connection) -> bool:
        waiting = connection.execute(select(doomed).limit(1)).first()
        try:
            return waiting is None and not any(self._incoming.iterdir())
        except OSError as error:
            raise StoreFailure(f"cannot look into {self._incoming}: {error}") from error

    def _settle(self, connection: Connection) -> None:
        files = sorted(self._incoming.iterdir())
        kept = referenced(connection, [file.stem for file in files])
        for file in files:
            if file.stem in kept and file.suffix == _SUFFIX:
                os.replace(file, self._folder / file.name)
            else:
                file.unlink()
        if files:
            tensors.sync_folder(self._folder)

    def _delete(self, connection: Connection) -> None:
        names = list(connection.scalars(select(doomed.c.artifact)))
        kept = referenced(connection, names)
        for name in names:
            if name not in kept:
                (self._folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)
        if names:
            # Durable before the rows that name the files are: a power cut cannot bring one back.
            tensors.sync_folder(self._folder)
            connection.execute(delete(doomed))


def referenced(connection: Connection, names: Iterable[str]) -> set[str]:
    """Give those of the artefacts that a state still names."""
    found: set[str] = set()
    for chunk in chunks(names):
        query = select(states.c.artifact).where(states.c.artifact.in_(chunk)).distinct()
        found.update(name for name in connection.scalars(query) if name is not None)
    return found
