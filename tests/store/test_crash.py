"""Killed at any moment, a store opens again, agrees with itself, and has what was answered."""

import multiprocessing
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest

from tests.store.samples import artifact_files, audit, made_from, record

FORK = multiprocessing.get_context("fork")
BATCH = 40
DISK = ("fsync", "replace", "unlink")


def items(n):
    return [record(100 * n + i, f"user {n}", output=f"batch {n} " * 20) for i in range(BATCH)]


def live(opener, folder, answered):
    """Add, keep, replace and forget without end; say what has been answered."""
    with opener(folder) as store:
        for n in range(1000):
            store.add(items(n))
            answered.put(n)
            for version in range(2):
                arrays = {"w": np.full(500, 10 * n + version)}
                store.keep(made_from(items(n), user=f"user {n}", arrays=arrays))
            if n % 3 == 2:
                store.forget_user(f"user {n - 2}")


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_at_a_random_moment(template, seed, tmp_path):
    opener, empty = template
    shutil.copytree(empty, tmp_path, dirs_exist_ok=True)
    answered = FORK.SimpleQueue()
    child = FORK.Process(target=live, args=(opener, tmp_path, answered))
    child.start()
    answered.get()
    time.sleep(random.Random(seed).uniform(0, 0.15))
    child.kill()
    child.join()
    last = 0
    while not answered.empty():
        last = answered.get()
    with opener(tmp_path) as store:
        audit(store, tmp_path)
        sizes = {person.id: person.records for person in store.users(limit=1000).items}
        assert set(sizes.values()) == {BATCH}
        assert {f"user {n}" for n in range(last + 1) if n % 3} <= sizes.keys()


def die_at(step):
    """Let this process be killed at its n-th use of the disk."""
    count = 0

    def wrapped(call):
        def counted(*arguments, **named):
            nonlocal count
            if (count := count + 1) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return counted

    for name in DISK:
        setattr(os, name, wrapped(getattr(os, name)))


def one_life(opener, folder, step):
    with opener(folder) as store:
        store.add(items(0))
        die_at(step)
        for version in range(2):
            arrays = {"w": np.full(5, version)}
            store.keep(made_from(items(0), user="user 0", arrays=arrays))
        store.forget_user("user 0")
        store.add(items(1))


def test_a_kill_at_every_use_of_the_disk(template, tmp_path):
    """Two states kept, one replaced, one forgotten: killed before each file is touched in turn."""
    opener, empty = template
    for step in range(1, 100):
        folder = tmp_path / str(step)
        shutil.copytree(empty, folder)
        child = FORK.Process(target=one_life, args=(opener, folder, step))
        child.start()
        child.join()
        with opener(folder) as store:
            audit(store, folder)
            assert len(artifact_files(folder)) == len(store.states()) <= 1
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
    assert step > 10
