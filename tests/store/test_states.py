"""What was learned: kept with its lineage, replaced whole, never kept of what is gone."""

import os
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import Conflict, StoreFailure, UsageError
from ipse.state import StateKey
from tests.store.samples import artifact_files, audit, batch, made_from, same_state


@pytest.fixture
def items(store):
    store.add(batch(4))
    return batch(4)


def test_what_is_kept_is_given_back(store, items):
    kept = store.keep(made_from(items[::-1], facts={"a": [1, {"b": None}]}))
    assert kept.id
    assert same_state(store.state(kept.key), kept)
    assert kept.state.lineage == tuple(item.id for item in items[::-1])


def test_arrays_are_read_only(store, items):
    kept = store.keep(made_from(items))
    for saved in (kept, store.state(kept.key)):
        with pytest.raises(ValueError, match="read-only"):
            saved.state.arrays["w"][0] = 1


def test_what_is_kept_is_given_back_though_another_replaces_it_at_once(
    store, reopen, items, monkeypatch
):
    """Another writer keeps a state of the same key, and sweeps, right after the commit."""
    other, first = reopen(), made_from(items, arrays={"w": np.ones(5)})
    commit = type(store._database).writing

    @contextmanager
    def overtaken(database):
        with commit(database) as connection:
            yield connection
        if database is store._database:
            monkeypatch.undo()
            other.keep(made_from(items))

    monkeypatch.setattr(type(store._database), "writing", overtaken)
    kept = store.keep(first)
    assert kept.state.arrays["w"].tolist() == [1, 1, 1, 1, 1]
    assert store.state_id(first.key) != kept.id


def test_an_unreadable_state_of_everyones_names_a_command_that_is_there(store, items, tmp_path):
    key = store.keep(made_from(items, user=None)).key
    for file in (tmp_path / "ipse.db.artifacts").glob("*.safetensors"):
        file.unlink()
    with pytest.raises(StoreFailure, match="ipse enroll --fit"):
        store.state(key)


def test_a_state_without_arrays_has_no_artifact(store, items, tmp_path):
    kept = store.keep(made_from(items, arrays={}))
    assert kept.state.artifact is None
    assert artifact_files(tmp_path) == set()
    assert same_state(store.state(kept.key), kept)


def test_a_key_is_of_method_settings_person_and_base(store, items):
    first = made_from(items)
    keys = [first.key, *(replace(first.key, **{n: "x"}) for n in ("method", "settings", "base"))]
    keys.append(replace(first.key, user=None))
    ids = [store.keep(replace(first, key=key)).id for key in keys]
    assert [store.state(key).id for key in keys] == ids
    assert [store.state_id(key) for key in keys] == ids
    assert store.state(StateKey("mean", "settings", "bob")) is None


def test_a_state_is_replaced_with_its_artifact(store, items, tmp_path):
    store.keep(made_from(items))
    new = store.keep(made_from(items, arrays={"w": np.ones(3)}))
    assert [s.id for s in store.states()] == [new.id]
    assert artifact_files(tmp_path) == {new.state.artifact}


def test_an_artifact_of_two_states_stays_until_both_are_gone(store, items, tmp_path):
    store.keep(made_from(items[:1], method="one"))
    two = store.keep(made_from(items[1:2], method="two"))
    store.forget_record(items[0].id)
    assert artifact_files(tmp_path) == {two.state.artifact}
    assert store.forget_record(items[1].id).artifacts[0].name == two.state.artifact
    assert artifact_files(tmp_path) == set()


def test_a_replaced_state_stays_while_one_made_from_it_does(store, items, tmp_path):
    shared = store.keep(made_from(items[:1], user=None, arrays={"w": np.ones(1)}))
    own = store.keep(made_from(items[1:2], parents=[shared], arrays={"w": np.ones(2)}))
    store.keep(made_from(items[2:3], user=None, arrays={"w": np.ones(3)}))
    assert {s.id: s.current for s in store.states()}[shared.id] is False
    assert len(artifact_files(tmp_path)) == 3
    store.keep(made_from(items[1:2], arrays={"w": np.ones(4)}))
    assert {shared.id, own.id}.isdisjoint(s.id for s in store.states())
    audit(store, tmp_path)


@pytest.mark.parametrize("gone", ["record", "parent", "person"])
def test_nothing_is_kept_that_was_made_from_what_is_gone(store, items, gone, tmp_path):
    parent = store.keep(made_from(items[:1], method="parent"))
    late = made_from(items[:1] if gone == "record" else (), parents=[parent])
    if gone == "person":
        late = made_from(user="bob")
    else:
        store.forget_record(items[0].id)
    with pytest.raises(Conflict, match="Enroll again"):
        store.keep(late)
    audit(store, tmp_path)


def test_facts_that_are_not_json_are_refused(store, items):
    for bad in (float("nan"), {1, 2}, b"x"):
        with pytest.raises(UsageError, match="not JSON"):
            store.keep(made_from(items, facts={"a": bad}))
    assert store.states() == []


def test_states_are_listed_with_their_bytes(store, items):
    store.add(batch(1, "bob"))
    one = store.keep(made_from(items))
    store.keep(made_from(batch(1, "bob"), user="bob"))
    (summary,) = store.states("ada")
    assert (summary.id, summary.key, summary.records, summary.nbytes) == (one.id, one.key, 4, 48)
    assert len(store.states()) == 2


@pytest.mark.parametrize("harm", ["missing", "truncated", "flipped", "empty"])
def test_a_damaged_artifact_is_an_error_with_a_way_out(store, items, harm, tmp_path):
    kept = store.keep(made_from(items))
    (path,) = (tmp_path / "ipse.db.artifacts").glob("*.safetensors")
    data = path.read_bytes()
    if harm == "missing":
        os.unlink(path)
    else:
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        path.write_bytes({"truncated": data[:-3], "flipped": flipped, "empty": b""}[harm])
    with pytest.raises(StoreFailure, match=rf"{path.name}.*ipse enroll ada"):
        store.state(kept.key)
    assert same_state(store.keep(made_from(items)), store.state(kept.key))
