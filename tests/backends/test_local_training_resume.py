"""Learning that is interrupted, and goes on to the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse import tensors
from ipse.backends.local.training import checkpoint
from ipse.backends.local.training.trainer import Trainer
from ipse.job import MODULES, Lora, Scales, Schedule
from tests.backends.test_local_training import job

JOBS = [
    job(0, 5),
    job(1, 2, learn=Lora(rank=2, modules=MODULES, dropout=0.2)),
    job(2, 4, held=0, learn=Scales(), schedule=Schedule(rate=1e-2, epochs=2, batch=1)),
]


class Killed(BaseException):
    """What a process does not survive."""


class Killer:
    """Kills after some updates."""

    def __init__(self, updates: int) -> None:
        self.left = updates
        self.seen: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture
def at_every_update(monkeypatch):
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", float("inf"))


def train(pico, jobs, killer=None, scratch=None):
    return Trainer().train(pico._place(), pico.base, jobs, killer, scratch)


def same_bits(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.arrays.keys() == other.arrays.keys()
        for name, array in one.arrays.items():
            assert array.tobytes() == other.arrays[name].tobytes(), name
        for fact in ("updates", "nats", "held_out", "best"):
            assert one.facts[fact] == other.facts[fact]


@pytest.mark.usefixtures("at_every_update")
def test_it_goes_on_to_the_same_bits(pico, tmp_path):
    expected = train(pico, JOBS)
    for updates in (1, 3, 2):
        with pytest.raises(Killed):
            train(pico, JOBS, Killer(updates), tmp_path)
    (path,) = tmp_path.iterdir()
    (tmp_path / f"{path.name}.0.tmp").touch()
    last = Killer(0)
    same_bits(train(pico, JOBS, last, tmp_path), expected)
    assert last.seen[0] == (12 + 6 + 7, 15 + 6 + 8)
    assert last.seen[-1] == (15 + 6 + 8, 15 + 6 + 8)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("at_every_update")
@pytest.mark.parametrize("harm", ["cut", "flipped", "strange", "other model"])
def test_a_damaged_checkpoint_begins_anew(pico, tmp_path, harm, caplog):
    with pytest.raises(Killed):
        train(pico, JOBS, Killer(3), tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "flipped":
        data[-100] ^= 1
        path.write_bytes(data)
    elif harm == "strange":
        tensors.write(path, {"progress": np.frombuffer(b"[1]", np.uint8)})
    else:
        arrays = {name: array for name, array in tensors.read(path).items() if "/now/" not in name}
        tensors.write(path, arrays)
    first = Killer(0)
    same_bits(train(pico, JOBS, first, tmp_path), train(pico, JOBS))
    assert first.seen[0][0] <= 2 + 2 + 1
    assert "damaged" in caplog.text


@pytest.mark.usefixtures("at_every_update")
@pytest.mark.parametrize("whole", [False, True])
def test_a_checkpoint_that_was_deleted_stays_deleted(pico, tmp_path, whole):
    scratch = tmp_path / "scratch"
    seen = []

    def forget(done, _):
        if done > 10 and not seen:
            for path in scratch.iterdir():
                path.unlink()
            if whole:
                scratch.rmdir()
        if done > 10:
            seen.append(list(scratch.iterdir()) if scratch.exists() else [])

    train(pico, JOBS, forget, scratch)
    assert len(seen) > 3
    assert not any(seen)


def test_it_is_there_from_the_beginning(pico, tmp_path):
    seen = []
    train(pico, JOBS[:1], lambda *_: seen.append(len(list(tmp_path.iterdir()))), tmp_path)
    assert set(seen) == {1}
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("at_every_update")
def test_other_jobs_do_not_go_on_from_it(pico, tmp_path):
    with pytest.raises(Killed):
        train(pico, JOBS[:1], Killer(3), tmp_path)
    other = [replace(JOBS[0], seed=9)]
    first = Killer(0)
    same_bits(train(pico, other, first, tmp_path), train(pico, other))
    assert first.seen[0][0] == 2
    assert len(list(tmp_path.iterdir())) == 1
