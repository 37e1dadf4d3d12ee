"""What the store's tests are made of: sample data, openers, and an audit of a whole store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import func, select

from ipse.records import Record
from ipse.state import SavedState, State, StateKey
from ipse.store import Store, StoredReply
from ipse.store.schema import doomed, origins, records, replies, sources, states, users

START = datetime(2024, 1, 1, tzinfo=UTC)
OPENERS = {"sqlite": lambda folder: Store.open(folder / "ipse.db")}


def record(n=0, user="ada", **fields):
    fields = {"kind": "content", "output": f"text {n}", "time": START + timedelta(hours=n)} | fields
    return Record(user=user, **fields)


def batch(count, user="ada", **fields):
    return [record(n, user, **fields) for n in range(count)]


def made_from(items=(), user="ada", method="mean", parents=(), arrays=None, facts=None):
    arrays = {"w": np.arange(6.0).reshape(2, 3)} if arrays is None else arrays
    lineage = tuple(item.id for item in items)
    state = State(facts or {"n": len(items)}, arrays, lineage, seen=7)
    return SavedState(StateKey(method, "settings", user), state, tuple(p.id for p in parents))


def answered(store, n=0, user="ada", evidence=(), states=(), after=(), text="an answer", most=200):
    """Keep a reply to a person, made of some records and states."""
    reply = StoredReply(
        f"{user}-{n}",
        user,
        START + timedelta(hours=n),
        f"question {n}",
        methods="mean",
        evidence=tuple(item.id for item in evidence),
        states=tuple(state.id for state in states),
    )
    store.begin_reply(reply, [each.id for each in after], most)
    assert store.finish_reply(reply.id, text)
    return store.reply(reply.id, user)


def same_state(one, other):
    """Whether two saved states are equal, arrays and all."""
    return (
        (one.key, one.parents, one.made, one.id) == (other.key, other.parents, other.made, other.id)
        and one.state.facts == other.state.facts
        and (one.state.lineage, one.state.seen) == (other.state.lineage, other.state.seen)
        and one.state.artifact == other.state.artifact
        and one.state.arrays.keys() == other.state.arrays.keys()
        and all(a.tobytes() == other.state.arrays[n].tobytes() for n, a in one.state.arrays.items())
    )


def artifact_files(folder):
    return {path.stem for path in (folder / "ipse.db.artifacts").rglob("*") if path.is_file()}


def audit(store, folder):
    """Check that a store agrees with itself: rows with rows, and rows with files."""
    with store._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        counted = select(records.c.user, func.count()).group_by(records.c.user)
        said = select(users.c.id, users.c.records)
        assert dict(connection.execute(counted).all()) == dict(connection.execute(said).all())
        answered = set(connection.scalars(select(replies.c.id)))
        links = connection.execute(select(sources)).all()
        assert {reply for reply, _ in links} <= answered
        made_of = set(connection.scalars(select(origins.c.id)))
        assert made_of <= {origin for _, origin in links}
        named = set(connection.scalars(select(states.c.artifact))) - {None}
        assert connection.execute(select(doomed)).all() == []
    assert artifact_files(folder) == named
    for summary in store.states():
        if summary.current:
            assert store.state(summary.key).id == summary.id
