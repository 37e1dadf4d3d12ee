"""What a server keeps: writes that happen once, jobs that are done, people who are paused."""

import time

import pytest

from ipse.errors import BackendFailure, Conflict, Unknown, UnknownRecord
from ipse.store import Write
from ipse.store.jobs import ATTEMPTS
from tests.store.samples import START, batch, record

WRITE = Write("key", "ada", "body")


def add(store, *items):
    return lambda: store.add(items) and None


def test_a_write_is_done_once_and_answered_alike(store):
    first = store.writes.once(WRITE, add(store, record(0)), {"time": "now"})
    again = store.writes.once(WRITE, add(store, record(1)))
    assert first.data == again.data == {"time": "now", "records": [record(0).id], "known": []}
    assert (first.repeated, again.repeated) == (False, True)
    assert len(store.user("ada")) == 1


def test_without_a_key_it_is_done_each_time(store):
    assert store.writes.once(None, add(store, record(0))).data["known"] == []
    assert store.writes.once(None, add(store, record(0))).data["known"] == [record(0).id]


def test_a_key_is_good_for_one_request(store):
    store.writes.once(WRITE, add(store, record(0)))
    with pytest.raises(Conflict, match="another request"):
        store.writes.once(Write("key", "ada", "other body"), add(store, record(1)))
    assert len(store.user("ada")) == 1


def test_a_write_that_fails_is_not_remembered(store):
    with pytest.raises(UnknownRecord):
        store.writes.once(WRITE, lambda: store.forget_record("none", "ada") and None)
    assert not store.writes.once(WRITE, add(store, record(0))).repeated


def test_a_write_that_was_done_is_remembered_whatever_fails_after_it(store):
    def act():
        store.add([record(0)])
        raise BackendFailure("the model is away")

    assert store.writes.once(WRITE, act).data["records"] == [record(0).id]
    assert store.writes.once(WRITE, act).repeated


def test_of_two_at_once_one_is_done(store):
    """The second begins when the first has not ended, and must not be done when it has."""

    def act():
        store.writes.once(WRITE, add(store, record(0)))
        store.add([record(1)])

    found = store.writes.once(WRITE, act)
    assert (found.repeated, found.data["records"]) == (True, [record(0).id])
    assert [each.id for each in store.user("ada").records] == [record(0).id]


def test_only_the_first_of_several_transactions_is_remembered(store):
    def act():
        store.add([record(0)])
        store.add([record(1)])

    assert store.writes.once(WRITE, act).data["records"] == [record(0).id]
    assert len(store.user("ada")) == 2


def test_a_repeat_never_brings_back_what_is_forgotten(store):
    store.writes.once(WRITE, add(store, record(0), record(1)))
    store.forget_record(record(0).id)
    assert store.writes.once(WRITE, add(store, record(0))).repeated
    store.forget_user("ada")
    with pytest.raises(Conflict, match="forgotten since"):
        store.writes.once(WRITE, add(store, record(0)))
    assert store.count() == 0


def test_a_forgetting_is_remembered_without_who_it_was(store, tmp_path):
    store.add([record(0, "Rumpelstiltskin")])
    gone = Write("other", "Rumpelstiltskin", "delete")
    for _ in range(2):
        found = store.writes.once(gone, lambda: store.forget_user("Rumpelstiltskin") and None)
        assert found.data["receipt"]["records"] == [record(0, "Rumpelstiltskin").id]
    store.close()
    assert b"Rumpelstiltskin" not in b"".join(
        p.read_bytes() for p in tmp_path.glob("ipse.db*") if p.is_file()
    )


def test_what_is_known_better_later_is_remembered(store):
    def act():
        store.add([record(0)])
        return {"pending": True}

    assert store.writes.once(WRITE, act).data["pending"]
    assert store.writes.once(WRITE, act).data["pending"]


def test_no_text_is_remembered(store):
    store.writes.once(WRITE, add(store, record(0, output="Rumpelstiltskin")))
    with store._database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM writes").all()
    assert rows
    assert "Rumpelstiltskin" not in str(rows)


def test_a_job_waits_is_taken_and_ends(store):
    store.add(batch(2))
    first = store.jobs.add("ada", "enroll", "bm25")
    everyones = store.jobs.add(None, "fit", "bm25")
    assert store.jobs.add("ada", "enroll", "bm25").id == first.id
    assert store.jobs.counts() == {"queued": 2, "running": 0}
    taken = store.jobs.take()
    assert (taken.id, taken.status, taken.attempts) == (first.id, "running", 1)
    assert store.jobs.tell(taken, "half of it", 0.5)
    assert store.jobs.find(first.id, "ada").share == 0.5
    assert store.jobs.end(taken, states=1)
    assert not store.jobs.tell(taken, "more", 0.7)
    found = store.jobs.find(first.id, "ada")
    assert (found.status, found.share, found.states) == ("done", 1.0, 1)
    assert found.made <= found.begun <= found.ended
    taken = store.jobs.take()
    assert taken.id == everyones.id
    assert store.jobs.end(taken, error="no memory")
    assert [job.status for job in store.jobs.latest(None)] == ["failed"]
    assert store.jobs.take() is None


def test_a_job_that_was_left_under_way_is_begun_again(store, reopen):
    store.add(batch(2))
    store.jobs.lease = 0.0
    job = store.jobs.add("ada", "enroll", "bm25")
    left = store.jobs.take()
    other = reopen()
    assert other.jobs.put_back() == (1, 0)
    again = other.jobs.take()
    assert (again.id, again.attempts) == (job.id, 2)
    assert not store.jobs.tell(left, "still here", 0.9)
    assert not store.jobs.end(left)
    assert other.jobs.end(again)


def test_a_job_stays_with_who_is_heard_of(store, reopen):
    """Another server on the same store, begun anew as often as it likes, leaves it to them."""
    store.add(batch(2))
    store.jobs.add("ada", "enroll", "bm25")
    mine, other = store.jobs.take(), reopen()
    for _ in range(3):
        assert other.jobs.put_back() == (0, 0)
        assert other.jobs.take() is None
        assert store.jobs.hold(mine)
    store.jobs.lease = 0.0
    assert store.jobs.tell(mine, "half", 0.5)  # the last that is heard
    assert other.jobs.put_back() == (1, 0)
    assert not store.jobs.hold(mine)


def test_who_put_a_job_down_and_it_was_taken_up_elsewhere_has_it_no_longer(store, reopen):
    """Both times it is the first attempt: these do not tell who has it."""
    store.add(batch(2))
    store.jobs.add("ada", "enroll", "bm25")
    first = store.jobs.take()
    store.jobs.put_down(first)
    second = reopen().jobs.take()
    assert (first.id, first.attempts) == (second.id, second.attempts)
    assert not store.jobs.end(first)
    assert store.jobs.end(second)


def test_who_is_at_a_job_is_told_to_nobody(store):
    store.add(batch(2))
    store.jobs.add("ada", "enroll", "bm25")
    assert store.jobs.take().owner not in str(store.jobs.latest("ada")[0].to_json())


def test_the_time_of_the_database_is_that_of_the_world(store):
    with store._database.reading() as connection:
        assert abs(store._database.now(connection) / 1e6 - time.time()) < 5


def test_a_job_that_ends_every_worker_is_given_up(store):
    store.add(batch(2))
    store.jobs.lease = 0.0
    job = store.jobs.add("ada", "enroll", "bm25")
    for _ in range(ATTEMPTS):
        assert store.jobs.counts() == {"queued": 1, "running": 0}
        store.jobs.take()
        store.jobs.put_back()
    found = store.jobs.find(job.id, "ada")
    assert (found.status, found.attempts) == ("failed", ATTEMPTS)
    assert "the server ended before it was done" in found.error
    assert store.jobs.take() is None
    assert store.jobs.add("ada", "enroll", "bm25").id != job.id


def test_a_job_that_is_put_down_in_peace_is_not_held_against_it(store):
    store.add(batch(2))
    job = store.jobs.add("ada", "enroll", "bm25")
    for _ in range(2 * ATTEMPTS):
        assert store.jobs.put_down(store.jobs.take())
    assert store.jobs.find(job.id, "ada").attempts == 0
    assert store.jobs.take().attempts == 1


def test_a_job_is_its_owners(store):
    store.add([record(0), record(1, "bob")])
    job = store.jobs.add("ada", "enroll", "bm25")
    for whose in ("bob", None):
        with pytest.raises(Unknown, match="no job"):
            store.jobs.find(job.id, whose)
        assert store.jobs.latest(whose) == []


def test_jobs_go_with_who_they_are_of(store):
    store.add(batch(2))
    store.jobs.add("ada", "enroll", "bm25")
    taken = store.jobs.take()
    store.forget_user("ada")
    assert not store.jobs.end(taken)
    assert store.jobs.latest("ada") == []


def test_a_pause_outlives_the_last_record_but_not_the_person(store):
    store.pauses.set("ada", on=True)
    since = store.pauses.since("ada")
    store.pauses.set("ada", on=True)
    assert store.pauses.since("ada") == since > START
    assert store.pauses.since("bob") is None
    store.add([record(0)])
    store.forget_record(record(0).id)
    assert store.pauses.since("ada") == since
    store.add([record(0)])
    store.forget_user("ada")
    assert store.pauses.since("ada") is None
    store.pauses.set("ada", on=True)
    store.pauses.set("ada", on=False)
    assert store.pauses.since("ada") is None
