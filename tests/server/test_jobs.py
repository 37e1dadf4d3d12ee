"""Two servers on one store: each job is one server's, as long as it is heard of."""

import threading
import time

import pytest

from ipse import Ipse
from ipse.server.jobs import Worker
from tests.people import echo, person
from tests.server.live import PATIENCE, until


class Counting(Ipse):
    """An engine that writes down what it is asked to learn, and takes its time without a word."""

    lock = threading.Lock()
    learned: list[str]
    pause = 0.0

    def refresh(self, user=None, methods=None, told=None, *, anew=False):
        with self.lock:
            self.learned.append(user)
        time.sleep(self.pause)
        told("learning", 0.5)
        return []


@pytest.fixture
def servers(tmp_path):
    """Two servers' engines on one store; what they learn is in one list."""
    learned = []
    with (
        Counting(tmp_path / "ipse.db", echo(), methods="bm25") as one,
        Counting(tmp_path / "ipse.db", echo(), methods="bm25") as two,
    ):
        one.learned = two.learned = learned
        yield one, two


def ended(engine):
    return not any(engine.store.jobs.counts().values())


def test_what_two_servers_work_at_is_done_once(servers):
    people = [f"p{number}" for number in range(8)]
    for name in people:
        servers[0].add(person(name, 1).records)
        servers[0].store.jobs.add(name, "enroll", "bm25")
    workers = [Worker(engine, lambda _: None) for engine in servers]
    for worker in workers:
        worker.start()
    until(lambda: ended(servers[0]))
    for worker in workers:
        worker.stop(PATIENCE)
    assert sorted(servers[0].learned) == people


def test_who_says_nothing_for_long_but_lives_keeps_the_job(servers):
    one, two = servers
    one.add(person().records)
    job = one.store.jobs.add("ada", "enroll", "bm25")
    one.pause, one.store.jobs.lease = 1.0, 0.25
    first, second = (Worker(engine, lambda _: None) for engine in servers)
    first.start()
    until(lambda: one.learned)
    second.start()
    until(lambda: two.store.jobs.put_back() != (0, 0) or ended(one))
    for worker in (first, second):
        worker.stop(PATIENCE)
    found = one.store.jobs.find(job.id, "ada")
    assert (one.learned, found.status, found.attempts) == (["ada"], "done", 1)


def test_who_lost_the_job_stops_and_leaves_it_to_who_has_it(servers):
    one, two = servers
    one.add(person().records)
    job = one.store.jobs.add("ada", "enroll", "bm25")
    one.pause, one.store.jobs.lease = 0.5, 0.0  # heard of once, and then too late
    worker = Worker(one, lambda _: None)
    worker._jobs.hold = lambda _: True  # it does not hear of it, either, until it is told
    worker.start()
    until(lambda: one.learned)
    assert two.store.jobs.put_back() == (1, 0)
    taken = two.store.jobs.take()
    worker.stop(PATIENCE)
    assert two.store.jobs.find(job.id, "ada").status == "running"
    assert two.store.jobs.end(taken, states=1)
    assert two.store.jobs.find(job.id, "ada").states == 1
