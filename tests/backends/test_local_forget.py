"""What was forgotten is nowhere in the local backend's memory, whatever was under way."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from ipse.backends.local import LocalBackend
from ipse.errors import Unknown
from ipse.job import Example, Job, Lora
from ipse.plan import Adapter, Plan, Sampling, Steering, Stream
from tests.backends.attachments import Shelf

SECRET = "This person wrote before: school, water, plastic, homework, freedom."


@pytest.fixture
def lm(pico, pico_path):
    """A backend of its own, with things to attach."""
    own = LocalBackend(str(pico_path), loader=Shelf(pico._language_model().core))
    yield own
    own.close()


def plan(tokens=3, **attached):
    stream = replace(Plan.ask(f"{SECRET} Why?").main, **attached)
    return Plan(main=stream, sampling=Sampling(max_tokens=tokens))


def place(lm):
    return lm._place()


def in_memory(lm):
    """Bytes of beginnings, of attachments and of held arrays."""
    held = sum(a.nbytes for _, arrays in lm._held._items.values() for a in arrays.values())
    return place(lm).runner.beginnings.nbytes, place(lm).attachments.nbytes, held


def test_nothing_that_was_read_attached_or_held_stays(lm):
    lm.hold({"vector": np.ones(4, np.float32)})
    lm.generate([plan(), plan(adapters=(Adapter("a"),), prefix="soft")])
    assert all(nbytes > 0 for nbytes in in_memory(lm))
    lm.forget()
    assert in_memory(lm) == (0, 0, 0)
    assert not place(lm).runner.beginnings._owners


def test_the_answers_are_the_same_afterwards(lm):
    plans = [plan(8), plan(8, adapters=(Adapter("a"),), steering=(Steering("way", 0),))]
    before = lm.generate(plans)
    lm.forget()
    assert lm.generate(plans) == before


def test_before_anything_is_loaded_there_is_nothing_to_forget(pico_path):
    lm = LocalBackend(str(pico_path))
    lm.forget()
    assert not lm._places


def test_what_is_being_written_meanwhile_is_not_kept_but_written_to_its_end(lm):
    """A prompt that was read before, and an adapter that is in use, go when the answer is done."""
    asked = plan(40, adapters=(Adapter("a"),))
    whole = lm.generate([asked])[0].text
    lm.forget()
    pieces = lm.stream(asked)
    got = [next(pieces)]
    lm.forget()
    assert place(lm).attachments.nbytes > 0
    assert "".join([*got, *pieces]) == whole
    assert in_memory(lm) == (0, 0, 0)


def test_what_was_asked_before_but_read_after_is_not_kept(lm, monkeypatch):
    """The request waits for its adapter while something is forgotten."""
    shelf, loading, go_on = lm._loader, threading.Event(), threading.Event()

    def slowly(name):
        loading.set()
        go_on.wait(10)
        return shelf(name)

    lm.attach(slowly)
    answered = threading.Thread(target=lm.generate, args=([plan(adapters=(Adapter("a"),))],))
    answered.start()
    assert loading.wait(10)
    lm.forget()
    go_on.set()
    answered.join()
    assert in_memory(lm) == (0, 0, 0)


def test_what_is_asked_after_is_kept_again(lm):
    lm.generate([plan()])
    lm.forget()
    lm.generate([plan()])
    assert in_memory(lm)[0] > 0


def test_a_name_that_was_held_is_gone(lm):
    name = lm.hold({"vector": np.ones(place(lm).model.core.hidden, np.float32)})
    steered = plan(steering=(Steering(name, 0),))
    lm.generate([steered])
    lm.forget()
    with pytest.raises(Unknown, match="in the store"):
        lm.generate([steered])


def test_many_threads_ask_while_things_are_forgotten(lm):
    plans = [plan(6), plan(6, adapters=(Adapter("a"),)), plan(6, prefix="soft")]
    expected = [lm.generate([one])[0].text for one in plans]
    wrong = []

    def ask():
        for _ in range(6):
            found = [reply.text for reply in lm.generate(plans)]
            if found != expected:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        lm.forget()
    for thread in threads:
        thread.join()
    lm.forget()
    assert wrong == []
    assert in_memory(lm) == (0, 0, 0)


def test_a_stream_of_another_model_forgets_too(lm, pico_path):
    lm.generate([Plan(main=Stream(plan().main.messages, model=str(pico_path)))])
    lm.forget()
    assert all(each.runner.beginnings.nbytes == 0 for each in lm._places.values())


def test_what_was_learned_is_not_kept_for_who_asks_again(lm):
    one = Job(Lora(rank=2), (Example(plan().main, "It is about water."),))
    first = lm.train([one])[0]
    assert lm.train([one])[0] is first
    lm.forget()
    assert len(lm._trainer._kept._items) == 0
    again = lm.train([one])[0]
    assert again is not first
    np.testing.assert_array_equal(
        again.arrays["model.layers.0.self_attn.q_proj.lora_A"],
        first.arrays["model.layers.0.self_attn.q_proj.lora_A"],
    )
