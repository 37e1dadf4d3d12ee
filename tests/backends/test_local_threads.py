"""How many threads a step uses, with a clock of our own."""

from __future__ import annotations

import pytest

from ipse.backends.local import threads
from ipse.backends.local.threads import ThreadChoice


class Machine:
    """Two cores, of which another program may take one."""

    def __init__(self) -> None:
        self.now, self.used, self.seconds = 0.0, 2, {1: 0.2, 2: 0.1}
        self.ran: list[int] = []

    def step(self) -> int:
        self.now += self.seconds[self.used]
        self.ran.append(self.used)
        return self.used


@pytest.fixture
def machine(monkeypatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: found.used)
    monkeypatch.setattr(threads.torch, "set_num_threads", lambda n: setattr(found, "used", n))
    monkeypatch.setattr(threads.time, "perf_counter", lambda: found.now)
    return found


def test_all_threads_where_the_cores_are_free(machine):
    choice = ThreadChoice()
    for _ in range(2000):
        choice.run(machine.step, "eight rows")
    assert machine.ran.count(1) < 20


def test_one_thread_while_others_are_busy(machine):
    choice = ThreadChoice()
    machine.seconds[2] = 0.5
    for _ in range(100):
        choice.run(machine.step, "eight rows")
    assert machine.ran[-50:].count(1) > 40
    machine.seconds[2] = 0.1
    for _ in range(2000):
        choice.run(machine.step, "eight rows")
    assert machine.ran[-200:].count(2) > 190


def test_steps_that_differ_tell_nothing(machine):
    choice = ThreadChoice()
    for i in range(200):
        choice.run(machine.step, None)
        choice.run(machine.step, i)
    assert set(machine.ran) == {2}


def test_one_thread_stays_one(machine):
    machine.used = 1
    choice = ThreadChoice()
    for _ in range(100):
        assert choice.run(machine.step, "eight rows") == 1
