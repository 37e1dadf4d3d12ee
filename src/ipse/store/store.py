"""The store: everything that is known of people, and everything that was learned from it.

What it does not know: methods, models, plans. It keeps what it is given, gives back what it kept,
and when something is forgotten it forgets all that was made of it.
"""

# Over 300 lines because one class is all that others see of the store, and most of it says what a
# verb promises.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ipse.records import Kind, Record, User
from ipse.state import SavedState, StateKey
from ipse.store import (
    corrections,
    forget,
    learned,
    pauses,
    people,
    records,
    replies,
    states,
    transfer,
    versions,
)
from ipse.store.artifacts import Artifacts
from ipse.store.database import Database
from ipse.store.jobs import Jobs
from ipse.store.keys import Keys
from ipse.store.pauses import Pauses
from ipse.store.scratch import Scratch
from ipse.store.values import (
    Added,
    Imported,
    Manifest,
    Page,
    Person,
    Receipt,
    StateSummary,
    StoredReply,
)
from ipse.store.writes import Writes, note

__all__ = ["Store"]

_PAGE = 1000  # people read at a time


class Store:
    """Records and states of many people, safe with many threads and processes.

    Every write is whole or not at all, and, but for the text of a reply, durable before it is
    answered: a power cut may lose the latest replies. A person is there as long as a record of
    theirs is.

    Args:
        database: Where the rows are.
        artifacts: Where the arrays are.
        scratch: Where what is half learned is; forgetting anything empties it.

    Attributes:
        keys: Who may ask, and for whom.
    """

    def __init__(self, database: Database, artifacts: Artifacts, scratch: Scratch) -> None:
        self._database, self._artifacts = database, artifacts
        self.scratch = scratch
        self.jobs, self.pauses, self.writes = Jobs(database), Pauses(database), Writes(database)
        self.keys = Keys(database)
        self.arrays = artifacts.load  # what `State.artifact` names, for backends to attach

    @classmethod
    def open(cls, where: str | Path) -> Store:
        """Open a store, made if need be, and finish what a crash left undone.

        Args:
            where: A path such as `ipse.db`, or a URL; artefacts stand beside it, in
                `ipse.db.artifacts`, and what is half learned in `ipse.db.scratch`.

        Returns:
            The store; close it, or use it in a `with`.

        Raises:
            StoreFailure: If it cannot be opened, is no store, or is newer than this Ipse.
        """
        database = Database(where)
        beside = database.path.with_name
        try:
            artifacts = Artifacts(beside(f"{database.path.name}.artifacts"))
            store = cls(database, artifacts, Scratch(beside(f"{database.path.name}.scratch")))
            artifacts.tidy(database)
            store.scratch.tidy()
            database.empty_log(patience=0)  # whoever reads just now is not waited for
        except BaseException:
            database.close()
            raise
        return store

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, items: Iterable[Record]) -> Added:
        """Add records: all of them, or on an error none.

        Args:
            items: The records, of any number of people; read to the end before the store is locked.

        Returns:
            How many are new, and how many were there already with equal content.

        Raises:
            Conflict: If an id is taken by a record with other content.
        """
        batch = list(items)
        rows = records.record_rows(batch)
        with self._database.writing() as connection:
            added = records.add_records(connection, rows)
            note(connection, {"records": list(rows), "known": sorted(added.there)})
            self.jobs.ask_due(connection, {row["user"] for row in rows.values()})
        return Added(added.new, len(batch) - added.new, added.there)

    def replace(self, record_id: str, record: Record) -> Receipt:
        """Forget a record, with all that was made from it, and add another in its place.

        Args:
            record_id: The record that goes.
            record: The one that comes; of the same person.

        Returns:
            What was removed.

        Raises:
            UnknownRecord: If the person has no such record.
            Conflict: If the new record's id is taken by a record with other content.
        """
        rows = records.record_rows([record])
        with self._database.writing() as connection:
            receipt = forget.forget_record(connection, record_id, record.user, leave=False)
            records.add_records(connection, rows)
            note(connection, {"record": record.id, "receipt": receipt.noted()})
            self.jobs.ask_due(connection, [record.user])
            self.scratch.cleared()  # before the commit: no crash after it can keep what is in it
        return self._finish(receipt)

    def user(
        self,
        user_id: str,
        before: datetime | None = None,
        kinds: Sequence[Kind] | None = None,
        latest: int | None = None,
    ) -> User:
        """Read one person's records, oldest first.

        Args:
            user_id: Who.
            before: Only what happened strictly before this time.
            kinds: Only these kinds.
            latest: Only the latest so many of those.

        Returns:
            The view.

        Raises:
            UnknownUser: If there is no such person.
        """
        with self._database.reading() as connection:
            return records.view(connection, user_id, before, kinds, latest)

    def view(
        self, user_id: str, known: tuple[int, User | None] | None = None
    ) -> tuple[int, User | None]:
        """Read a person's revision and all their records, of one moment; 0 and None of nobody.

        Of what is `known`, which this gave before, nothing is read again if it only grew since.
        """
        with self._database.reading() as connection:
            return records.view_since(connection, user_id, known)

    def record(self, record_id: str, user_id: str | None = None) -> Record:
        """Read one record, of one person if one is named, or raise `UnknownRecord`.

        Another person's is then as unknown as one that is nowhere.
        """
        with self._database.reading() as connection:
            return records.find_record(connection, record_id, user_id)

    def current(self, record_id: str, user_id: str | None = None) -> Record:
        """Read one record or, where it was corrected, what stands in its place by now.

        Args:
            record_id: The record's id.
            user_id: Whose it must be; another person's is then as unknown as one that is nowhere.

        Returns:
            The record; its id is the one that was asked for, or `next_version` of it or of that.

        Raises:
            UnknownRecord: If there is no such record.
        """
        with self._database.reading() as connection:
            return corrections.find_current(connection, record_id, user_id)

    def records(
        self,
        user_id: str,
        limit: int = 100,
        cursor: str | None = None,
        kinds: Sequence[Kind] | None = None,
        **only: Any,
    ) -> Page[Record]:
        """Read one person's records newest first, a page at a time.

        Args:
            user_id: Whose; nobody has an empty page.
            limit: How many.
            cursor: Where the page before ended.
            kinds: Only these kinds.
            **only: `source`: only from there; `since` and `before`: only what happened at the one
                time or later, or strictly before the other.

        Returns:
            The page.
        """
        with self._database.reading() as connection:
            return records.page_of_records(connection, user_id, limit, cursor, kinds, **only)

    def users(self, limit: int = 100, cursor: str | None = None) -> Page[Person]:
        """Read who there is, in the order of ids, a page at a time."""
        with self._database.reading() as connection:
            return people.page_of_people(connection, limit, cursor)

    def everybody(self) -> Iterator[str]:
        """Give everyone's id, in order; who comes or goes meanwhile is given or not."""
        cursor = None
        while True:
            page = self.users(_PAGE, cursor)
            yield from (person.id for person in page.items)
            if (cursor := page.cursor) is None:
                return

    def revision(self, user_id: str) -> int:
        """Give a number that grows with every change of a person's records; 0 is nobody.

        It is never given twice, not even to one who was forgotten and came back.
        """
        with self._database.reading() as connection:
            return people.revision_of(connection, user_id)

    def count(self) -> int:
        """Give how many records there are, of everyone."""
        with self._database.reading() as connection:
            return records.count_records(connection)

    def keep(
        self, saved: SavedState, previous: int = 0, old: SavedState | None = None
    ) -> SavedState:
        """Keep a state, as the current one of its key.

        Args:
            saved: The state; it is given an id.
            previous: How many of those it replaces, the latest, stay to go back to.
            old: The one it was made from, as it was read; a lineage that only grew from it is not
                written again.

        Returns:
            The state as it is kept: with its id and its artefact's name, its arrays read only.

        Raises:
            Conflict: If a record or state it was made from is gone, forgotten meanwhile or before.
        """
        try:
            return learned.keep(self._database, self._artifacts, saved, previous, old)
        finally:
            self._artifacts.tidied(self._database)

    def state(self, key: StateKey) -> SavedState | None:
        """Read the current state of a key, if there is one.

        Args:
            key: What it is of.

        Returns:
            The state, its arrays read only and checked against their hash.

        Raises:
            StoreFailure: If its artefact is damaged or missing.
        """
        return learned.read(self._database, self._artifacts, key)

    def glance(self, key: StateKey) -> SavedState | None:
        """Read the current state of a key without its arrays, if there is one."""
        with self._database.reading() as connection:
            row = states.current(connection, states.slot_of(key))
            return None if row is None else states.saved_state(connection, row)

    def find(self, state_id: str) -> SavedState:
        """Read any state by its id, without its arrays, or raise `Unknown`."""
        with self._database.reading() as connection:
            return states.saved_state(connection, states.find(connection, state_id))

    def rollback(self, state_id: str) -> SavedState:
        """Make a previous state current again; the current one stays, as a previous one.

        Args:
            state_id: The previous state.

        Returns:
            The state, without its arrays.

        Raises:
            Unknown: If it is no previous state.
            Conflict: If what it was made from is not current, so it would not be used.
        """
        with self._database.writing() as connection:
            versions.restore(connection, state_id)
            note(connection, {"state": state_id})
            return states.saved_state(connection, states.find(connection, state_id))

    def state_id(self, key: StateKey) -> str | None:
        """Give the id of the current state of a key: what a cached state is checked against."""
        with self._database.reading() as connection:
            row = states.current(connection, states.slot_of(key))
            return None if row is None else row.id

    def states(self, user_id: str | None = None) -> list[StateSummary]:
        """List the states of one person at a glance, or of all; oldest first."""
        with self._database.reading() as connection:
            return states.list_states(connection, user_id)

    def begin_reply(self, reply: StoredReply, after: Sequence[str] = (), most: int = 200) -> None:
        """Enter a reply that is about to be written; until it is whole, nobody is given it.

        From now on it goes with whatever it is made of: so text that was written from a record
        which is forgotten meanwhile is never kept.

        Args:
            reply: The reply, with the records and states of its plan.
            after: The replies before it in its conversation, which the model reads: it goes with
                what those are made of, too.
            most: How many replies to the person are kept, the latest, and up to a tenth more.

        Raises:
            Conflict: If the person is paused or not there, or something it is made of is gone.
            UnknownReply: If one of those before is not there.
        """
        with self._database.writing(synced=False) as connection:
            replies.begin(connection, reply, after, most)

    def finish_reply(self, reply_id: str, text: str) -> bool:
        """Keep the text of a reply that was begun; a power cut may lose the latest of them.

        Args:
            reply_id: The reply.
            text: What was answered.

        Returns:
            Whether it is kept; not, where something it was made of was forgotten meanwhile.
        """
        with self._database.writing(synced=False) as connection:
            return replies.finish(connection, reply_id, text)

    def drop_reply(self, reply_id: str) -> None:
        """Remove a reply, if it is there."""
        with self._database.writing() as connection:
            replies.remove(connection, [reply_id])

    def reply(self, reply_id: str, user_id: str) -> StoredReply:
        """Read one reply.

        Args:
            reply_id: The reply's id.
            user_id: To whom it was given; another person's is as unknown as one that is nowhere.

        Returns:
            The reply.

        Raises:
            UnknownReply: If there is no such reply to the person.
        """
        with self._database.reading() as connection:
            return replies.find(connection, reply_id, user_id)

    def replies(self, user_id: str, limit: int | None = None) -> list[StoredReply]:
        """Read the latest replies to a person, newest first; nobody has none."""
        with self._database.reading() as connection:
            return replies.latest(connection, user_id, limit)

    def forget_user(self, user_id: str) -> Receipt:
        """Forget a person: their records and replies, and every state and reply made from those.

        Args:
            user_id: Who.

        Returns:
            What was removed.

        Raises:
            UnknownUser: If there is no such person.
        """
        with self._database.writing() as connection:
            receipt = forget.forget_user(connection, user_id)
            pauses.erase(connection, user_id)
            note(connection, {"receipt": receipt.noted()}, of_nobody=True)
            self.scratch.cleared()
        return self._finish(receipt)

    def forget_states(self, ids: Sequence[str]) -> Receipt:
        """Forget states, and those made from them; records stay.

        Args:
            ids: The states; ids of nothing are passed over.

        Returns:
            What was removed.
        """
        with self._database.writing() as connection:
            receipt = forget.forget_states(connection, ids)
            self.scratch.cleared()
        return self._finish(receipt)

    def forget_record(self, record_id: str, user_id: str | None = None) -> Receipt:
        """Forget a record, with every state and reply made from it, and what quotes from it.

        Records of the person that name it in `meta["evidence"]` quote from it. Who has no other
        record leaves the store.

        Args:
            record_id: The record's id.
            user_id: Whose it must be; another person's is then as unknown as one that is not there.

        Returns:
            What was removed.

        Raises:
            UnknownRecord: If there is no such record.
        """
        with self._database.writing() as connection:
            receipt = forget.forget_record(connection, record_id, user_id)
            gone = not people.revision_of(connection, receipt.user)
            note(connection, {"receipt": receipt.noted()}, of_nobody=gone)
            self.scratch.cleared()
        return self._finish(receipt)

    def export_user(self, user_id: str, path: str | Path) -> Manifest:
        """Write one person's records, states and replies to one zip file.

        Args:
            user_id: Who.
            path: The file; one that is there is replaced.

        Returns:
            What was written.

        Raises:
            UnknownUser: If there is no such person.
            StoreFailure: If an artefact is damaged or the disk refuses.
        """
        return transfer.export_user(self._database, self._artifacts, user_id, Path(path))

    def import_user(self, path: str | Path, user_id: str | None = None) -> Imported:
        """Read what `export_user` wrote: all of it, or on an error none.

        Args:
            path: The file.
            user_id: Whose it must be; None is anyone's.

        Returns:
            What is new, what was there, and which states were left out.

        Raises:
            InvalidFile: If the file is not a whole export, or not that person's.
            Conflict: If a record or a state of the same id is there with other content.
        """
        try:
            return transfer.import_user(self._database, self._artifacts, path, self.jobs, user_id)
        finally:
            self._artifacts.tidied(self._database)

    def _finish(self, receipt: Receipt) -> Receipt:
        return forget.finish(self._database, self._artifacts, self.scratch, receipt)
