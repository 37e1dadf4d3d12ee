"""Moving one person from store to store: export and import, each in one transaction.

An export holds the person's own records, states and replies, and nothing of anyone else: a state
that everybody shares, or that is another's, is named where it is a parent, but stays. So a state
made from one is taken by the importing store only if that store has the parent too, as the store it
came from has; otherwise it is left out, and enrolling makes it anew. A reply that was made from
other people's records is taken only by a store that knows which: there it is forgotten with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, Row, insert, select

from ipse.errors import Conflict, InvalidFile
from ipse.state import SavedState
from ipse.store import replies, states
from ipse.store.archive import Standing, read_archive, write_archive
from ipse.store.artifacts import Artifacts
from ipse.store.database import Database
from ipse.store.jobs import Jobs
from ipse.store.learned import load
from ipse.store.records import add_records, record_rows, view
from ipse.store.schema import origins, owned
from ipse.store.schema import replies as reply_table
from ipse.store.schema import states as state_table
from ipse.store.sourced import Sourced
from ipse.store.values import Imported, Manifest, StoredReply
from ipse.store.versions import is_previous, keep_previous
from ipse.store.writes import note

__all__ = ["export_user", "import_user"]


def export_user(database: Database, artifacts: Artifacts, user_id: str, path: Path) -> Manifest:
    """Write one person's data to a file; `Store.export_user` says more."""
    # The write lock keeps the artefacts from being replaced while they are read.
    with database.writing() as connection:
        person = view(connection, user_id)
        query = select(state_table).where(owned(state_table, user_id))
        rows = connection.execute(query.order_by(state_table.c.made, state_table.c.id)).all()
        own = [_whole(connection, artifacts, row) for row in rows]
        names = {replies.digest(record.id): record.id for record in person.records}
        given = reversed(replies.latest(connection, user_id, None))
        answered = [_sourced(connection, reply, names) for reply in given]
    return write_archive(path, user_id, person.records, own, answered)


def import_user(
    database: Database,
    artifacts: Artifacts,
    path: str | Path,
    jobs: Jobs,
    user_id: str | None = None,
) -> Imported:
    """Read one person's data from a file; `Store.import_user` says more."""
    path = Path(path)
    archive = read_archive(path)
    whose = archive.manifest.user
    if user_id not in (None, whose):
        raise InvalidFile(f"{path.name} is not an export of {user_id!r}. Nothing was written")
    rows = record_rows(archive.records)
    with database.writing() as connection:
        added = add_records(connection, rows)
        unknown = [item for item in archive.states if not _is_known(connection, item[0])]
        taken, left_out = _take(connection, artifacts, unknown)
        states.prune(connection, taken)
        answered = sum(_answer(connection, reply) for reply in archive.replies)
        counts = {"records": {"new": added.new, "known": added.known}, "replies": answered}
        note(connection, {**counts, "states": len(taken), "left_out": left_out})
        jobs.ask_due(connection, [whose])
    return Imported(whose, added, len(taken), tuple(left_out), answered)


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


def _sourced(connection: Connection, reply: StoredReply, names: Mapping[bytes, str]) -> Sourced:
    """Give a reply with its origins; digests become the ids of the person's own records again."""
    found = replies.own_digests(connection, reply)
    own = {
        name: tuple(sorted(names[one] for one in replies.taken_apart(blob)))
        for name, (blob, _) in found.items()
        if blob and name != reply.id
    }
    return Sourced(reply, own, tuple(name for name, (_, others) in found.items() if others))


def _answer(connection: Connection, given: Sourced) -> bool:
    """Enter a reply; not one that is there, nor one made of what nobody here knows."""
    reply = given.reply
    there = select(reply_table.c.user)
    there = there.where(reply_table.c.id == reply.id)
    if (owner := connection.execute(there).scalar()) is not None:
        if owner != reply.user:
            raise Conflict(f"reply id {reply.id!r} is taken. Import into a new store")
        return False
    known = {*replies.reach(connection, sorted(given.origins))}
    known |= replies.entered(connection, sorted(given.origins))
    if not known.issuperset(given.others):
        return False
    for name in sorted(given.own.keys() - known):
        blob = b"".join(sorted(map(replies.digest, given.own[name])))
        row = {"id": name, "user": reply.user, "records": blob}
        connection.execute(insert(origins).values(row))
    replies.enter(connection, reply, given.origins, reply.text)
    return True
