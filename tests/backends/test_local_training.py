"""Learning: many jobs in one batch, each as if alone; what is learned is what is served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.backends.local.training.passes import Asked, passes
from ipse.backends.local.training.rows import rows_of
from ipse.backends.local.training.trainer import Trainer
from ipse.job import MODULES, Example, Job, Lora, Schedule
from ipse.plan import Adapter, Plan, Stream

WORDS = ("school", "water", "plastic", "homework", "freedom", "reason")


def examples(person: int, count: int, **attached) -> tuple[Example, ...]:
    """A person who writes about one word."""
    word = WORDS[person % len(WORDS)]
    asked = [f"Why is argument {i} more convincing?" + " Because" * (i % 4) for i in range(count)]
    streams = [replace(Plan.ask(text).main, **attached) for text in asked]
    return tuple(
        Example(stream, f"It is about {word}" + " and more" * (i % 3))
        for i, stream in enumerate(streams)
    )


def job(person: int, count: int, held: int = 2, **fields) -> Job:
    every = examples(person, count + held, **fields.pop("attached", {}))
    settings = {
        "learn": Lora(rank=4, modules=MODULES),
        "schedule": Schedule(rate=5e-3, epochs=3, batch=2),
        "seed": person,
    }
    return Job(**{**settings, "examples": every[held:], "held_out": every[:held], **fields})


def alone(pico, one: Job, **settings):
    """Train by a trainer that has never seen the job."""
    return Trainer(**settings).train(pico._place(), pico.base, [one])[0]


def close(one, other, atol=1e-4):
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_allclose(array, other.arrays[name], atol=atol, err_msg=name)


def adapted(stream: Stream, name: str) -> Plan:
    return Plan(replace(stream, adapters=(*stream.adapters, Adapter(name))))


def nats(pico, learned_job: Job, learnable) -> list[list[float]]:
    """What training sees of the held-out examples, token by token."""
    place = pico._place()
    rows = rows_of(place, learned_job, learned_job.held_out)
    found = []
    for each in passes(place, [Asked(learnable, row) for row in rows], 2048):
        found += each.look()
    return found


@pytest.mark.parametrize("tokens", [2048, 100])
def test_together_is_as_alone(pico, tokens):
    jobs = [
        job(0, 2),
        job(1, 9, schedule=Schedule(rate=5e-3, epochs=2, batch=4, decay="cosine")),
        job(2, 5, learn=Lora(rank=2, alpha=4, modules=("q_proj", "v_proj"), dropout=0.3)),
        job(3, 3, held=0, schedule=Schedule(rate=5e-3, epochs=1, batch=1, weight_decay=0)),
    ]
    together = Trainer(tokens).train(pico._place(), pico.base, jobs)
    for one, learned in zip(jobs, together, strict=True):
        single = alone(pico, one)
        close(learned, single)
        assert learned.facts["nats"] == pytest.approx(single.facts["nats"], abs=1e-4)
        assert learned.facts["best"] == single.facts["best"]


def test_it_learns_and_is_served_as_it_was_learned(pico):
    one = job(0, 8, schedule=Schedule(rate=1e-2, epochs=4, batch=2))
    learned = pico.train([one])[0]
    held_out = learned.facts["held_out"]
    assert len(held_out) == 5
    assert min(held_out) < held_out[0] - 1
    name = pico.hold(learned.arrays)
    plans = [adapted(example.stream, name) for example in one.held_out]
    scores = pico.score(plans, [example.target for example in one.held_out])
    again = pico.train([replace(one, start=name, schedule=Schedule(rate=0, epochs=1))])[0]
    assert again.facts["held_out"][0] == pytest.approx(min(held_out), abs=1e-4)
    model = pico._language_model()
    means = []
    for score, plan, example in zip(scores, plans, one.held_out, strict=True):
        ended = pico.score([plan], [example.target + "."])[0]
        assert ended.tokens == score.tokens + 1
        means.append(score.nats)
    assert sum(means) / 2 < sum(
        s.nats for s in pico.score([Plan(e.stream) for e in one.held_out],
                                   [e.target for e in one.held_out])) / 2  # fmt: skip
    assert model.tokenizer.eos_token_id in model.ends
