"""What only grew is neither read nor written anew, and is what it would be if it were."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from ipse.errors import Conflict
from ipse.store import Store
from tests.store.samples import answered, audit, batch, made_from, record, same_state

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 30)),
        st.tuples(st.just("forget"), st.integers(0, 30)),
        st.tuples(st.just("replace"), st.integers(0, 30)),
        st.tuples(st.just("erase"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
def test_a_view_that_grew_is_the_view_read_anew(changes, tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("store") / "ipse.db") as store:
        known = None
        for number, (what, n) in enumerate(changes):
            # The same id comes back with other words: what was known of it must not stay.
            one = record(n, id=f"r{n}", output=f"text {n} {number}")
            there = {r.id for r in store.view("ada")[1].records} if store.revision("ada") else set()
            if what == "add" and one.id not in there:
                store.add([one])
            elif what == "forget" and one.id in there:
                store.forget_record(one.id, "ada")
            elif what == "replace" and one.id in there:
                store.replace(one.id, record(n, id=f"r{n}", output=f"new {n} {number}"))
            elif what == "erase" and there:
                store.forget_user("ada")
            elif what == "look":
                known = store.view("ada", known)
            assert store.view("ada", known) == store.view("ada")


def read(store, act):
    """Give how many rows of records were read while something was done."""
    rows = []

    def count(connection, cursor, statement, *_):
        if "FROM records" in statement and "records.output" in statement:
            rows.append(statement)

    event.listen(store._database._engine, "before_cursor_execute", count)
    found = act()
    event.remove(store._database._engine, "before_cursor_execute", count)
    return found, rows


def test_of_records_that_came_since_no_others_are_read(store):
    store.add(batch(5))
    known = store.view("ada")
    store.add([record(9), record(10)])
    (revision, view), statements = read(store, lambda: store.view("ada", known))
    assert view == store.user("ada")
    assert revision == store.revision("ada")
    assert len(statements) == 1
    assert "LIMIT" in statements[0]
    assert all(one is other for one, other in zip(known[1].records, view.records, strict=False))
    assert store.view("ada", (revision, view)) == (revision, view)


def lists(tmp_path):
    with sqlite3.connect(tmp_path / "ipse.db") as connection:
        found = connection.execute("SELECT list, count(*) FROM lineage GROUP BY list").fetchall()
    connection.close()
    return found


def test_a_lineage_that_grew_is_not_written_again(store, tmp_path):
    items = batch(6)
    store.add(items)
    first = old = store.keep(made_from(items[:3]))
    for count in (4, 5, 6):
        old = store.keep(made_from(items[:count], facts={"n": count}), old=old)
        assert same_state(store.state(old.key), old)
        assert old.state.lineage == tuple(item.id for item in items[:count])
        assert lists(tmp_path) == [(first.id, count)]
    assert [(s.id, s.records) for s in store.states()] == [(old.id, 6)]
    audit(store, tmp_path)


@pytest.mark.parametrize("gone", range(6))
def test_a_state_that_grew_goes_with_any_of_its_records(store, gone, tmp_path):
    items = batch(6)
    store.add(items)
    old = store.keep(made_from(items[:3]))
    old = store.keep(made_from(items[:4]), old=old)
    new = store.keep(made_from(items), old=old)
    reply = answered(store, states=[new])
    receipt = store.forget_record(items[gone].id)
    assert [state.id for state in receipt.states] == [new.id]
    assert receipt.replies == 1
    assert reply.id not in [r.id for r in store.replies("ada")]
    assert lists(tmp_path) == []
    audit(store, tmp_path)


@pytest.mark.parametrize("why", ["another order", "kept to go back to", "not current", "a child"])
def test_a_state_that_did_not_only_grow_is_written_whole(store, why, tmp_path):
    items = batch(4)
    store.add(items)
    old = store.keep(made_from(items[:3]))
    lineage, previous = items, 0
    if why == "another order":
        lineage = [items[1], items[0], *items[2:]]
    elif why == "kept to go back to":
        previous = 1
    elif why == "not current":
        store.keep(made_from(items[:2]))
    else:
        store.keep(made_from(items[:1], method="child", parents=[old]))
    new = store.keep(made_from(lineage, arrays={"w": np.ones(4)}), previous, old)
    assert same_state(store.state(new.key), new)
    if why in ("kept to go back to", "a child"):
        assert store.find(old.id).state.lineage == old.state.lineage
    for item in items:
        assert store.forget_record(item.id).records
    assert lists(tmp_path) == []


def test_a_state_does_not_grow_by_what_is_gone(store):
    items = batch(4)
    store.add(items)
    old = store.keep(made_from(items[:3]))
    store.forget_record(items[3].id)
    with pytest.raises(Conflict, match="1 record"):
        store.keep(made_from(items), old=old)
    store.forget_record(items[0].id)
    with pytest.raises(Conflict, match="1 record"):
        store.keep(made_from(items[:3]), old=old)


def test_a_state_that_grew_is_exported_and_imported_whole(store, tmp_path):
    items = batch(4)
    store.add(items)
    new = store.keep(made_from(items), old=store.keep(made_from(items[:3])))
    store.export_user("ada", tmp_path / "ada.zip")
    with Store.open(tmp_path / "other.db") as other:
        other.import_user(tmp_path / "ada.zip")
        assert same_state(other.state(new.key), new)
        assert other.forget_record(items[0].id).states
