"""Previous states: kept to go back to, pushed out by newer ones, and never kept from forgetting."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import Conflict, Unknown
from tests.store.samples import artifact_files, audit, batch, made_from, record


@pytest.fixture
def items(store):
    store.add(batch(6))
    return batch(6)


def keep(store, items, number, previous=3, **fields):
    """Keep a state that differs from all others by its array."""
    return store.keep(made_from(items, arrays={"w": np.full(3, number)}, **fields), previous)


def standing(store):
    """Which state is what, oldest first."""
    return [
        "current" if s.current else "previous" if s.previous else "replaced" for s in store.states()
    ]


def test_the_latest_few_stay_to_go_back_to(store, items, tmp_path):
    kept = [keep(store, items, n) for n in range(6)]
    assert [s.id for s in store.states()] == [saved.id for saved in kept[2:]]
    assert standing(store) == ["previous", "previous", "previous", "current"]
    assert artifact_files(tmp_path) == {saved.state.artifact for saved in kept[2:]}
    assert [s.artifact for s in store.states()] == [saved.state.artifact for saved in kept[2:]]
    audit(store, tmp_path)


def test_none_stays_where_none_is_asked_for(store, items, tmp_path):
    keep(store, items, 1)
    keep(store, items, 2)
    last = keep(store, items, 3, previous=0)
    assert [s.id for s in store.states()] == [last.id]
    assert artifact_files(tmp_path) == {last.state.artifact}


def test_the_same_arrays_again_are_nothing_to_go_back_to(store, items, tmp_path):
    keep(store, items, 1)
    keep(store, items, 2)
    keep(store, items, 2)
    assert standing(store) == ["previous", "current"]
    audit(store, tmp_path)


def test_going_back_and_forth(store, items, tmp_path):
    one, two = keep(store, items, 1), keep(store, items, 2)
    assert store.rollback(one.id).id == one.id
    assert store.state(one.key).state.arrays["w"].tolist() == [1, 1, 1]
    assert standing(store) == ["current", "previous"]
    store.rollback(two.id)
    assert store.state(one.key).id == two.id
    audit(store, tmp_path)


def test_what_comes_after_going_back_pushes_out_the_oldest(store, items):
    kept = [keep(store, items, n, previous=2) for n in range(3)]
    store.rollback(kept[0].id)
    new = keep(store, items, 9, previous=2)
    assert [s.id for s in store.states()] == [kept[1].id, kept[2].id, new.id]


@pytest.mark.parametrize("name", ["nothing", "current"])
def test_only_a_previous_state_is_gone_back_to(store, items, name):
    keep(store, items, 1)
    current = keep(store, items, 2)
    with pytest.raises(Unknown, match="no previous state"):
        store.rollback(current.id if name == "current" else name)


def test_a_version_of_a_shared_state_that_was_replaced_is_not_gone_back_to(store, items):
    shared = keep(store, items[:1], 1, user=None)
    old = keep(store, items, 2, parents=[shared])
    keep(store, items[:1], 3, user=None)
    keep(store, items, 4)
    with pytest.raises(Conflict, match="has been replaced since"):
        store.rollback(old.id)
    store.rollback(shared.id)
    assert store.rollback(old.id).id == old.id


def test_forgetting_a_record_takes_every_version_made_from_it(store, items, tmp_path):
    apart = keep(store, items[:2], 1)
    made = [keep(store, items, 2), keep(store, items, 3)]
    receipt = store.forget_record(items[4].id)
    assert {s.id for s in receipt.states} == {saved.id for saved in made}
    assert [s.id for s in store.states()] == [apart.id]
    assert artifact_files(tmp_path) == {apart.state.artifact}
    assert store.state(apart.key) is None
    assert store.rollback(apart.id).id == apart.id
    audit(store, tmp_path)


def test_forgetting_the_person_takes_all(store, items, tmp_path):
    for number in range(3):
        keep(store, items, number)
    assert len(store.forget_user("ada").states) == 3
    assert artifact_files(tmp_path) == set()
    audit(store, tmp_path)


def test_states_are_forgotten_without_their_records(store, items, tmp_path):
    shared = keep(store, items[:1], 1, user=None)
    own = keep(store, items, 2, parents=[shared])
    other = keep(store, items, 3, method="other")
    receipt = store.forget_states([shared.id])
    assert {s.id for s in receipt.states} == {shared.id, own.id}
    assert [s.id for s in store.states()] == [other.id]
    assert len(store.user("ada")) == 6
    assert store.forget_states([]).states == ()
    audit(store, tmp_path)


def test_any_state_is_found_by_its_id_and_read_at_a_glance(store, items):
    old, new = keep(store, items, 1), keep(store, items, 2)
    assert store.find(old.id).state.lineage == old.state.lineage
    assert store.find(old.id).state.arrays == {}
    assert store.glance(new.key).id == new.id
    assert store.glance(replace(new.key, user="bob")) is None
    with pytest.raises(Unknown, match="no state 'x'"):
        store.find("x")


def test_an_export_brings_versions_along(store, items, template, tmp_path):
    one, two = keep(store, items, 1), keep(store, items, 2)
    store.export_user("ada", tmp_path / "ada.zip")
    opener, folder = template
    shutil.copytree(folder, tmp_path / "other")
    with opener(tmp_path / "other") as other:
        assert other.import_user(tmp_path / "ada.zip").states == 2
        assert other.states() == store.states()
        assert other.rollback(one.id).id == one.id
        assert other.import_user(tmp_path / "ada.zip").states == 0
        audit(other, tmp_path / "other")
    assert store.state(one.key).id == two.id


def test_a_record_of_a_version_alone_is_found(store, items):
    """The lineage of what nobody uses any more counts as well."""
    extra = record(50)
    store.add([extra])
    keep(store, [extra], 1)
    keep(store, items, 2)
    assert len(store.forget_record(extra.id).states) == 1
    assert standing(store) == ["current"]
