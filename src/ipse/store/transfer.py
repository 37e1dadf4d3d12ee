"""Moving one person from store to store: export and import, each in one transaction.

An export holds the person's own records and states, and nothing of anyone else: a state that
everybody shares, or that is another's, is named where it is a parent, but stays. So a state made
from one is taken by the importing store only if that store has the parent too, as the store it
came from has; otherwise it is left out, and enrolling makes it anew.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Row, select

from ipse.errors import Conflict
from ipse.state import SavedState
from ipse.store import states
from ipse.store.archive import Standing, read_archive, write_archive
from ipse.store.artifacts import Artifacts
from ipse.store.database import Database
from ipse.store.learned import load
from ipse.store.records import add_records, record_rows, view
from ipse.store.schema import owned
from ipse.store.schema import states as state_table
from ipse.store.values import Imported, Manifest
from ipse.store.versions import is_previous, keep_previous

__all__ = ["export_user", "import_user"]


def export_user(database: Database, artifacts: Artifacts, user_id: str, path: Path) -> Manifest:
    """Write one person's data to a file; `Store.export_user` says more."""
    # The write lock keeps the artefacts from being replaced while they are read.
    with database.writing() as connection:
        person = view(connection, user_id)
        query = select(state_table).where(owned(state_table, user_id))
        rows = connection.execute(query.order_by(state_table.c.made, state_table.c.id)).all()
        own = [_whole(connection, artifacts, row) for row in rows]
    return write_archive(path, user_id, person.records, own)


def import_user(database: Database, artifacts: Artifacts, path: Path) -> Imported:
    """Read one person's data from a file; `Store.import_user` says more."""
    archive = read_archive(path)
    rows = record_rows(archive.records)
    with database.writing() as connection:
        added = add_records(connection, rows)
        unknown = [item for item in archive.states if not _is_known(connection, item[0])]
        taken, left_out = _take(connection, artifacts, unknown)
        states.prune(connection, taken)
    return Imported(archive.manifest.user, added, len(taken), tuple(left_out))


def _whole(
    connection: Connection, artifacts: Artifacts, row: Row[tuple[object, ...]]
) -> tuple[SavedState, Standing]:
    saved = load(artifacts, states.saved_state(connection, row))
    if row.slot is not None:
        return saved, "current"
    return saved, "previous" if is_previous(connection, saved.id) else "replaced"


def _is_known(connection: Connection, saved: SavedState) -> bool:
    row = connection.execute(select(state_table).where(state_table.c.id == saved.id)).one_or_none()
    if row is None:
        return False
    there = states.saved_state(connection, row)
    made_from = (there.state.lineage, there.parents) == (saved.state.lineage, saved.parents)
    if not made_from or states.state_row(saved).items() - row._mapping.items():
        raise Conflict(f"state id {saved.id!r} is taken by another state. Import into a new store")
    return True


def _take(
    connection: Connection, artifacts: Artifacts, items: list[tuple[SavedState, Standing]]
) -> tuple[list[str], list[str]]:
    """Enter the states, each after those it was made from; give who was taken and who was not."""
    taken: list[str] = []
    waiting = items
    while True:
        later = [item for item in waiting if not _enter(connection, artifacts, *item)]
        left = {saved.id for saved, _ in later}
        taken += [saved.id for saved, _ in waiting if saved.id not in left]
        if len(later) == len(waiting):
            return taken, [saved.id for saved, _ in later]
        waiting = later


def _enter(
    connection: Connection, artifacts: Artifacts, saved: SavedState, standing: Standing
) -> bool:
    slot = states.slot_of(saved.key) if standing == "current" else None
    if slot is not None and states.current(connection, slot) is not None:
        return False
    if states.missing(connection, saved):
        return False
    if saved.state.artifact is not None:
        artifacts.put(saved.state.artifact, saved.state.arrays)
    states.insert_state(connection, saved, slot)
    if standing == "previous":
        keep_previous(connection, saved.id, states.slot_of(saved.key))
    return True
