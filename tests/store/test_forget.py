"""Forgetting: nothing that was made of a record outlives it, and no byte of it stays."""

import json
import time

import numpy as np
import pytest

from ipse.errors import StoreFailure, UnknownUser
from ipse.store import ArtifactSummary
from tests.store.samples import artifact_files, audit, batch, made_from, record

SECRET = "Rumpelstiltskin"


def raw_bytes(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def secrets(store):
    """Ada's records hold the secret, in texts that fit a page and texts that do not."""
    items = [record(n, output=f"{SECRET} " * (1 + n * n)) for n in range(30)]
    for ada, bob in zip(items, batch(30, "bob"), strict=True):
        store.add([ada, bob])
    letters = np.frombuffer(SECRET.encode(), np.uint8)
    store.keep(made_from(items, facts={"note": SECRET}, arrays={"text": letters}))
    return items


def test_no_byte_of_a_forgotten_person_stays(store, secrets, tmp_path):
    assert raw_bytes(tmp_path).count(SECRET.encode()) > 30
    assert not store.forget_user("ada").pending
    assert SECRET.encode() not in raw_bytes(tmp_path)
    assert len(store.user("bob")) == 30
    audit(store, tmp_path)


def test_no_byte_of_a_replaced_record_stays(store, tmp_path):
    store.add([record(0, output=SECRET)])
    store.replace(record(0, output=SECRET).id, record(0))
    assert SECRET.encode() not in raw_bytes(tmp_path)


def test_a_reader_delays_the_last_byte_but_not_the_answer(store, secrets, tmp_path, monkeypatch):
    monkeypatch.setattr("ipse.store.forget._LOG_PATIENCE", 0.01)
    with store._database.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM users").all()
        receipt = store.forget_user("ada")
        assert receipt.pending
        assert receipt.to_json()["pending"]
        assert SECRET.encode() in raw_bytes(tmp_path)
    store.close()
    assert SECRET.encode() not in raw_bytes(tmp_path)


def test_a_record_is_forgotten_with_all_that_was_made_from_it(store, tmp_path):
    ada, bob = batch(2), batch(2, "bob")
    store.add([*ada, *bob])
    shared = store.keep(made_from([ada[0], bob[0]], user=None, method="shared"))
    child = store.keep(made_from([bob[1]], user="bob", method="child", parents=[shared]))
    grandchild = store.keep(made_from([], user="bob", method="grandchild", parents=[child]))
    apart = store.keep(made_from([ada[1]], method="apart", arrays={"w": np.ones(9)}))
    receipt = store.forget_record(ada[0].id)
    assert {s.id for s in receipt.states} == {shared.id, child.id, grandchild.id}
    assert receipt.artifacts == (ArtifactSummary(shared.state.artifact, 48),)
    assert [s.id for s in store.states()] == [apart.id]
    assert artifact_files(tmp_path) == {apart.state.artifact}


def test_a_state_is_forgotten_by_way_of_a_parent_that_was_replaced(store, tmp_path):
    store.add([*batch(2), *batch(1, "bob")])
    old = store.keep(made_from(batch(1), user=None))
    child = store.keep(made_from(batch(1, "bob"), user="bob", parents=[old]))
    new = store.keep(made_from(batch(1, "bob"), user=None))
    receipt = store.forget_record(batch(1)[0].id)
    assert {s.id for s in receipt.states} == {old.id, child.id}
    assert [s.id for s in store.states()] == [new.id]
    audit(store, tmp_path)


def test_a_replaced_state_goes_with_the_last_one_made_from_it(store, tmp_path):
    store.add([*batch(1), *batch(1, "bob")])
    bobs = batch(1, "bob")
    old = store.keep(made_from(bobs, user=None, arrays={"w": np.ones(1)}))
    child = store.keep(made_from(batch(1), parents=[old], arrays={"w": np.ones(2)}))
    new = store.keep(made_from(bobs, user=None, arrays={"w": np.ones(3)}))
    receipt = store.forget_user("ada")
    assert [state.id for state in receipt.states] == [child.id]
    gone = {child.state.artifact, old.state.artifact}
    assert {artifact.name for artifact in receipt.artifacts} == gone
    assert [state.id for state in store.states()] == [new.id]
    audit(store, tmp_path)


def test_who_has_no_record_left_is_gone_with_every_state(store, tmp_path):
    store.add(batch(1))
    store.keep(made_from([]))
    receipt = store.forget_record(batch(1)[0].id)
    assert len(receipt.states) == 1
    assert store.users().items == ()
    with pytest.raises(UnknownUser):
        store.user("ada")
    audit(store, tmp_path)


def test_a_receipt_tells_the_person_of_no_one_else(store):
    store.add([*batch(2), *batch(1, "bob-the-secret")])
    store.keep(made_from(batch(1), method="own"))
    shared = store.keep(made_from(batch(1), user=None, method="shared"))
    store.keep(made_from([], user="bob-the-secret", method="other", parents=[shared]))
    receipt = store.forget_user("ada")
    shown = receipt.to_json()
    assert {s["method"]: s["of"] for s in shown["states"]} == {
        "own": "own",
        "shared": "shared",
        "other": "another person",
    }
    assert "secret" not in json.dumps(shown)
    assert shown["records"] == [r.id for r in batch(2)]
    assert {s.key.user for s in receipt.states} == {"ada", None, "bob-the-secret"}


def test_an_interrupted_deletion_is_finished_at_the_next_open(store, reopen, tmp_path, monkeypatch):
    store.add(batch(2))
    store.keep(made_from(batch(2)))
    monkeypatch.setattr(type(store._artifacts), "sweep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.forget_user("ada")
    monkeypatch.undo()
    assert len(artifact_files(tmp_path)) == 1
    audit(reopen(), tmp_path)
    assert artifact_files(tmp_path) == set()


@pytest.mark.parametrize("step", ["_artifacts.sweep", "_database.empty_log"])
def test_a_receipt_is_given_though_the_disk_refuses_after_the_commit(
    store, secrets, tmp_path, monkeypatch, step
):
    def refuse(*_):
        raise StoreFailure("no space left on device")

    room, name = step.split(".")
    monkeypatch.setattr(type(getattr(store, room)), name, refuse)
    receipt = store.forget_user("ada")
    assert (len(receipt.records), receipt.pending) == (30, True)
    monkeypatch.undo()
    assert not store.forget_user("bob").pending
    assert SECRET.encode() not in raw_bytes(tmp_path)
    audit(store, tmp_path)


def test_a_kept_state_is_given_though_the_folder_cannot_be_tidied(store, tmp_path, monkeypatch):
    def refuse(*_):
        raise StoreFailure("no space left on device")

    store.add(batch(1))
    monkeypatch.setattr(type(store._artifacts), "sweep", refuse)
    kept = store.keep(made_from(batch(1)))
    assert store.state(kept.key).id == kept.id


def test_ten_thousand_records_are_forgotten_in_a_moment(store):
    items = [*batch(10_000), *batch(3, "bob")]
    store.add(items)
    for n in range(20):
        store.keep(made_from(items[n * 100 : n * 100 + 100], method=f"m{n}"))
    store.keep(made_from(items, method="all"))
    start = time.perf_counter()
    receipt = store.forget_user("ada")
    assert time.perf_counter() - start < 1.5
    assert (len(receipt.records), len(receipt.states)) == (10_000, 21)
    assert store.count() == 3
