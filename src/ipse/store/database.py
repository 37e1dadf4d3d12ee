"""One database: its engine, its transactions, its version, and all that is SQLite's alone.

Readers see one moment. Writers take the write lock when they begin, so what they check is still
true when they commit. SQLite's log is synced at every commit (`synchronous=FULL`): a write that was
answered survives a power cut, which `NORMAL` does not promise. That will do for a note that nobody
was promised, and is on a request's path: it survives a killed process, and is part of the log that
the next commit syncs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLite
from sqlite3 import Error as SQLiteError
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from ipse.errors import StoreFailure, UsageError
from ipse.store.schema import VERSION

__all__ = ["Database"]

_PATIENCE = 30.0  # seconds a writer waits for its turn
_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = (
    "foreign_keys=ON",
    "secure_delete=ON",  # what is deleted is overwritten, in the table and in its indexes
    "synchronous=FULL",
    "temp_store=MEMORY",  # no texts in temporary files
    "cache_size=-65536",  # 64 MiB
    "wal_autocheckpoint=4000",  # pages, 16 MiB: batches scatter over people, so pages repeat
)


class Database:
    """A database of the present version, ready for use by many threads and processes.

    Args:
        where: A path, or an SQLAlchemy URL.

    Raises:
        StoreFailure: If it cannot be opened, is no database, or is newer than this Ipse.
    """

    def __init__(self, where: str | Path) -> None:
        self._url = _url(where)
        if self._url.get_backend_name() != "sqlite":
            raise UsageError(f"unknown database {self._url.get_backend_name()!r}. Known: sqlite")
        self.path = Path(self._url.database or "")
        self._turn = threading.Lock()
        self._engine = _sqlite(self._url, self.path)
        try:
            self._log_ahead()
            self._migrate()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the store."""
        with self._connected("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[Connection]:
        """Give a connection that alone may write: all of it is kept at the end, or none.

        Writers of this process wait for their turn without a connection, so that however many
        they are, one is left for who reads.

        Args:
            synced: Whether what is kept survives a power cut from now on.

        Yields:
            The connection.
        """
        if not self._turn.acquire(timeout=_PATIENCE):
            raise StoreFailure(
                f"the store {self.path} did not answer: another writer of this process has held it "
                f"for {_PATIENCE:g} s. Wait and try again"
            )
        try:
            sync = f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}"
            with self._connected(sync, "BEGIN IMMEDIATE") as connection:
                yield connection
        finally:
            self._turn.release()

    def now(self, connection: Connection) -> int:
        """Give the database's own time, in microseconds since 1970: one clock for all who ask."""
        query = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
        return int(connection.exec_driver_sql(query).scalar_one())

    def empty_log(self, patience: float) -> bool:
        """Move the log into the database and cut it to nothing, so that no old text stays in it.

        Who reads in another process holds the log; what then is left is emptied by the next call,
        the next open, or the last close.

        Args:
            patience: How long to wait for readers, in seconds.

        Returns:
            Whether the log is empty.
        """
        with self._connected() as connection:
            _wait_at_most(connection, patience)
            busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            _wait_at_most(connection, _PATIENCE)
        return not busy

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _connected(self, *begin: str) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection.execution_options(ipse_begin=begin)
                with connection.begin():
                    yield connection
        except (DBAPIError, SQLiteError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise StoreFailure(
                f"the store {self.path} did not answer: {cause}. If another process holds it, "
                "wait and try again; otherwise check the file with: "
                f"sqlite3 {self.path} 'PRAGMA integrity_check'"
            ) from error
        except PoolTimeout as error:
            raise StoreFailure(
                f"the store {self.path} has too many readers at once: {error}. Wait and try again"
            ) from error

    def _log_ahead(self) -> None:
        """Switch to the write-ahead log; here SQLite does not wait for others, so we do."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self._connected() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except StoreFailure as failure:
                if "locked" not in str(failure.__cause__) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _migrate(self) -> None:
        with self.reading() as connection:
            if _version(connection) == VERSION:
                return
        with self.writing() as connection:  # another process may have been first
            found = _version(connection)
            if found != VERSION:
                _upgrade(connection, found, self.path)


def _url(where: str | Path) -> URL:
    if isinstance(where, str) and "://" in where:
        try:
            return make_url(where)
        except ArgumentError as error:
            raise UsageError(f"{where!r} is no database URL. Try sqlite:///ipse.db") from error
    return URL.create("sqlite", database=str(where))


def _sqlite(url: URL, path: Path) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise UsageError("a store needs a file, for its artefacts stand beside it. Try: ipse.db")
    try:
        path.touch(mode=0o600)  # people's texts: for nobody else's eyes
    except OSError as error:
        raise StoreFailure(
            f"cannot open the store {path}: {error.strerror}. Run: mkdir -p {path.parent}"
        ) from error
    # Errors must not print parameters, for these are people's texts.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _PATIENCE})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: SQLite, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where sqlite3 guesses
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _wait_at_most(connection: Connection, patience: float) -> None:
    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * patience)}").close()


def _begin(connection: Connection) -> None:
    # By the driver itself: every answer begins some transactions, and these hold no parameters.
    driver: Any = connection.connection.dbapi_connection
    for statement in connection.get_execution_options().get("ipse_begin", ("BEGIN",)):
        driver.execute(statement).close()


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, found: str | None, path: Path) -> None:
    # Imported here because a store that is up to date, the usual case, does not pay for it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreFailure(
            f"{path} is of version {found!r}; this Ipse knows up to {VERSION!r}. "
            "Run: pip install --upgrade ipse"
        )
    command.upgrade(config, "head")
