"""Several processes and threads at once: nothing lost, nothing kept of what was forgotten."""

import multiprocessing
import threading
import time
from contextlib import ExitStack

import pytest

from ipse.errors import Conflict, StoreFailure, UnknownUser
from tests.store.samples import OPENERS, audit, batch, made_from, record

FORK = multiprocessing.get_context("fork")  # children start at once, with everything imported


def run(target, arguments):
    children = [FORK.Process(target=target, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * len(children)


def write(name, folder, number):
    with OPENERS[name](folder) as store:
        for n in range(10):
            mine = record(n, f"user {number}")
            ours = [record(1000 * number + 10 * n + i, "everyone") for i in range(3)]
            store.add([mine, *ours, record(n, "same")])


@pytest.mark.parametrize("name", OPENERS)
def test_processes_that_open_a_fresh_store_and_write_lose_nothing(name, tmp_path):
    run(write, [(name, tmp_path, number) for number in range(4)])
    with OPENERS[name](tmp_path) as store:
        assert len(store.user("everyone")) == 4 * 10 * 3
        assert store.revision("everyone") == 4 * 10
        assert [len(store.user(f"user {n}")) for n in range(4)] == [10] * 4
        assert len(store.user("same")) == store.revision("same") == 10
        audit(store, tmp_path)


def test_threads_share_a_store(store, tmp_path):
    def work(number):
        for n in range(10):
            store.add([record(100 * number + n, "everyone")])
            store.user("everyone", latest=5)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(store.user("everyone")), store.revision("everyone")) == (60, 60)
    audit(store, tmp_path)


@pytest.mark.parametrize("attempt", range(5))
def test_keeping_and_forgetting_at_once_leaves_no_state_of_what_is_gone(store, tmp_path, attempt):
    store.add(batch(2))
    ready, kept, refused = threading.Barrier(2), [], []

    def keep():
        ready.wait()
        for n in range(4):
            try:
                kept.append(store.keep(made_from(batch(1), method=f"m{n}")))
            except Conflict:
                refused.append(n)

    thread = threading.Thread(target=keep)
    thread.start()
    ready.wait()
    threading.Event().wait(attempt * 0.004)
    receipt = store.forget_record(batch(1)[0].id)
    thread.join()
    assert {state.id for state in receipt.states} == {saved.id for saved in kept}
    assert len(kept) + len(refused) == 4
    assert store.states() == []
    audit(store, tmp_path)


def test_waiting_writers_leave_readers_alone(store):
    """More writers wait than there are connections, and who reads does not notice."""
    store.add(batch(1))
    threads = [
        threading.Thread(target=store.add, args=([record(n, f"user {n}")],)) for n in range(20)
    ]
    with store._database.writing():
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        start = time.perf_counter()
        assert store.revision("ada") == 1
        assert time.perf_counter() - start < 1
    for thread in threads:
        thread.join()
    assert store.count() == 21


def test_a_writer_that_waits_in_vain_is_told_so(store, monkeypatch):
    monkeypatch.setattr("ipse.store.database._PATIENCE", 0.01)
    with store._database.writing(), pytest.raises(StoreFailure, match="another writer"):
        store.add(batch(1))
    store.add(batch(1))


def test_more_readers_than_connections_are_a_failure_of_the_store(store, monkeypatch):
    monkeypatch.setattr(store._database._engine.pool, "_timeout", 0.01)
    with ExitStack() as stack:
        for _ in range(15):
            stack.enter_context(store._database.reading())
        with pytest.raises(StoreFailure, match="too many readers"):
            store.revision("ada")


def test_an_export_never_tears(store, tmp_path):
    store.add(batch(3))
    done = threading.Event()

    def churn():
        n = 0
        while not done.is_set():
            store.keep(made_from(batch(3), facts={"n": (n := n + 1)}))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for n in range(3):
            assert store.export_user("ada", tmp_path / f"{n}.zip").states <= 1
    finally:
        done.set()
        thread.join()


def test_reading_while_another_forgets_gives_all_or_nothing(store):
    store.add(batch(300))
    seen = []

    def read():
        try:
            while True:
                seen.append(len(store.user("ada")))
        except UnknownUser:
            seen.append(0)

    thread = threading.Thread(target=read)
    thread.start()
    threading.Event().wait(0.05)
    store.forget_user("ada")
    thread.join()
    assert set(seen) <= {300, 0}
