"""Learning: many jobs in one batch, each as if alone; what is learned is what is served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.backends.local.training import trainer
from ipse.backends.local.training.effects import Effect
from ipse.backends.local.training.kinds import begin
from ipse.backends.local.training.passes import Asked, _begins, passes
from ipse.backends.local.training.rows import rows_of
from ipse.backends.local.training.trainer import Trainer
from ipse.errors import InvalidJob
from ipse.job import MODULES, Example, Job, Lora, Scales, Schedule
from ipse.plan import Adapter, Plan, Steering, Stream
from tests.backends.attachments import lora, scales

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


@pytest.mark.parametrize("tokens", [512, 100])
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


LEARNED = {
    "lora": Lora(rank=4, modules=MODULES),
    "few": Lora(rank=3, alpha=1, modules=("k_proj", "down_proj")),
    "scales": Scales(),
}


@pytest.mark.parametrize("kind", LEARNED)
def test_it_learns_and_is_served_as_it_was_learned(pico, kind):
    one = job(0, 8, learn=LEARNED[kind], schedule=Schedule(rate=2e-2, epochs=4, batch=2))
    learned = pico.train([one])[0]
    held_out = learned.facts["held_out"]
    assert len(held_out) == 5
    assert min(held_out) < held_out[0] - 0.1
    assert learned.facts["nats"][-1] < learned.facts["nats"][0] - 0.1
    assert held_out[learned.facts["best"]] == min(held_out)
    name = pico.hold(learned.arrays)
    check_served(pico, replace(one, start=name), [name] * len(one.held_out))


def check_served(pico, one: Job, names: list[str]):
    """The held-out examples' tokens get the same nats from training as from serving."""
    place = pico._place()
    network = place.model.core
    learnable = begin(one, network, pico._arrays(one.start), None)
    rows = rows_of(place, one, one.held_out)
    (read,) = passes(place, [Asked(learnable, row) for row in rows], 2048)
    plans = [adapted(e.stream, name) for e, name in zip(one.held_out, names, strict=True)]
    served = pico.score(plans, [example.target for example in one.held_out])
    for seen, score in zip(read.look(), served, strict=True):
        assert len(seen) == score.tokens + 1  # that it ends there is a target too
        np.testing.assert_allclose(seen[:-1], -np.array(score.logprobs), atol=1e-4)


def test_what_streams_attach_is_there_and_stays_as_it_is(pico):
    core = pico._language_model().core
    chance = np.random.default_rng(3)
    vector = chance.standard_normal(core.hidden).astype(np.float32)
    names = {
        "lora": pico.hold(lora(core, 1, 3)),
        "scales": pico.hold(scales(core, 2)),
        "soft": pico.hold({"prefix": chance.standard_normal((3, core.hidden)).astype(np.float32)}),
        "way": pico.hold({"vector": vector}),
    }
    attached = {
        "adapters": (Adapter(names["lora"], 0.5), Adapter(names["scales"], 0.7)),
        "prefix": names["soft"],
        "steering": (Steering(names["way"], 0, 0.5, -2),),
    }
    before = {name: {k: v.copy() for k, v in pico._arrays(name).items()} for name in names.values()}
    plain = job(0, 5)
    for learn in (Lora(rank=2, modules=MODULES), Scales()):
        one = job(0, 5, learn=learn, attached=attached)
        learned, other = Trainer().train(pico._place(), pico.base, [one, plain])
        close(other, alone(pico, plain))
        close(learned, alone(pico, one, tokens=100))
        assert min(learned.facts["held_out"]) < learned.facts["held_out"][0]
        name = pico.hold(learned.arrays)
        check_served(pico, replace(one, start=name), [name] * 2)
    for name, arrays in before.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, pico._arrays(name)[key])
    assert not any(p.requires_grad for p in pico._language_model().network.parameters())


def test_it_goes_on_from_a_start(pico):
    first = job(0, 6, schedule=Schedule(rate=5e-3, epochs=1, batch=2))
    learned = pico.train([first])[0]
    name = pico.hold({f"part/{key}": array for key, array in learned.arrays.items()})
    still = replace(first, start=f"{name}/part", schedule=Schedule(rate=0.0, epochs=1))
    again = pico.train([still])[0]
    close(again, learned, atol=0)
    assert again.facts["held_out"][0] == pytest.approx(learned.facts["held_out"][1])
    other = replace(still, learn=replace(first.learn, alpha=2.0))  # the scale is another
    assert pico.train([other])[0].facts["held_out"][0] == pytest.approx(again.facts["held_out"][0])


def test_it_stops_in_time(pico):
    schedule = Schedule(rate=2e-2, epochs=9, batch=2, patience=2, decay="constant")
    other = Example(Plan.ask("Why?").main, "Never! 12345")  # nothing of this is learned
    one = replace(job(0, 4, schedule=schedule), held_out=(other,))
    learned = pico.train([one])[0]
    held_out, best = learned.facts["held_out"], learned.facts["best"]
    assert best == int(np.argmin(held_out))
    assert len(held_out) == best + 3 < 10
    assert len(learned.facts["nats"]) == best + 2
    assert learned.facts["updates"] == 2 * (best + 2)
    fresh = pico.train([replace(one, schedule=replace(schedule, rate=0.0))])[0]
    assert fresh.facts["best"] == 0
    until_best = replace(schedule, epochs=max(1, best))
    shorter = pico.train([replace(one, held_out=(), schedule=until_best)])[0]
    close(learned, shorter if best else fresh, atol=0)


def test_the_same_job_is_learned_once(pico):
    trainer, seen = Trainer(), []
    one, other = job(0, 3), job(1, 3)

    def train(*jobs):
        return trainer.train(pico._place(), pico.base, jobs, lambda *done: seen.append(done))

    first = train(one, one, other)
    assert first[0] is first[1]
    assert seen[-1] == (18, 18)
    seen.clear()
    assert train(other, one) == [first[2], first[0]]
    assert not seen
    trainer.clear()
    close(train(one)[0], first[0])
    assert seen[-1] == (9, 9)


class SoftPrompt:
    """A kind of its own: a soft prompt made from the lines of an example's table."""

    places = 2
    by_row = True

    def __init__(self, table: np.ndarray, hidden: int) -> None:
        self.table = torch.from_numpy(table)
        weights = torch.zeros(self.table.shape[1], self.places * hidden, requires_grad=True)
        self.parameters = {"weights": weights}

    def effect(self, lines) -> Effect:
        chosen = [self.table[list(row.example.lines)].mean(0) for row in lines.rows]
        every = torch.stack(chosen) @ self.parameters["weights"]
        return Effect(prefixes=every.view(len(lines.rows), self.places, -1).unbind())

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weights": self.parameters["weights"].detach().numpy().copy()}


def test_another_kind_joins_without_the_loop_knowing(pico, monkeypatch):
    table = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    core = pico._language_model().core
    monkeypatch.setattr(
        trainer, "begin", lambda job, network, start, table:
            begin(job, network, start, table) if table is None else SoftPrompt(table, core.hidden)
    )  # fmt: skip
    soft = job(0, 6, table=pico.hold({"table": table}), schedule=Schedule(rate=0.02, epochs=6))
    soft = replace(
        soft,
        examples=tuple(replace(e, lines=(2, i % 2)) for i, e in enumerate(soft.examples)),
        held_out=tuple(replace(e, lines=(2, 1)) for e in soft.held_out),
    )
    plain = job(1, 4)
    learned, other = Trainer().train(pico._place(), pico.base, [soft, plain])
    assert min(learned.facts["held_out"]) < learned.facts["held_out"][0] - 0.1
    close(other, alone(pico, plain))
    prefix = (table[[2, 1]].mean(0) @ learned.arrays["weights"]).reshape(2, -1)
    streams = [replace(e.stream, prefix=pico.hold({"prefix": prefix})) for e in soft.held_out]
    again = job(0, 6, schedule=Schedule(rate=0.0, epochs=1))
    examples = [replace(e, stream=s) for e, s in zip(soft.held_out, streams, strict=True)]
    served = pico.train([replace(again, held_out=tuple(examples))])[0]
    assert served.facts["held_out"][0] == pytest.approx(min(learned.facts["held_out"]), abs=1e-4)


@pytest.mark.parametrize("learn", [Lora(rank=4, modules=MODULES), Scales()])
def test_what_rows_begin_with_alike_is_read_once(pico, learn):
    place = pico._place()
    core = place.model.core
    soft = np.random.default_rng(1).standard_normal((3, core.hidden)).astype(np.float32)
    attached = {"prefix": pico.hold({"prefix": soft})}
    gradients, nats = [], []
    one, other = job(0, 5, learn=learn, attached=attached), job(1, 4)
    for shares in (True, False):
        learnables = [begin(each, core, {}, None) for each in (one, other)]
        learnables[0].by_row = not shares
        chance = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for learnable in learnables:
                for parameter in learnable.parameters.values():
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=chance))
        asked = [
            Asked(learnable, row, 0.2)
            for learnable, each in zip(learnables, (one, other), strict=True)
            for row in rows_of(place, each, each.examples)
        ]
        (whole,) = passes(place, asked, 4096)
        begins = [chunk.begin for chunk in whole._chunks(_begins(whole.asked))]
        assert begins[0] == 0
        assert (min(begins[1:5]) > 10) is shares
        assert begins[5] == 0
        assert begins[6] > 10
        nats.append([*whole.learn(), *np.concatenate(whole.look())])
        gradients.append([p.grad for each in learnables for p in each.parameters.values()])
    np.testing.assert_allclose(*nats, atol=1e-5)
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again, atol=1e-5, rtol=1e-4)


LONG = Example(Plan.ask("why " * 2000).main, "because it is too long")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": "nowhere"}, "start 'nowhere' is not in the store"),
        ({"table": "nowhere"}, "table 'nowhere' is not in the store"),
        ({"examples": (*examples(0, 1), LONG)}, "number 2 .* 2 examples.*'because it is too long'"),
        ({"held_out": (LONG,)}, "number 1 .* 1 held-out examples.*'because it is too long'"),
        ({"learn": Lora(width=4)}, "no example names its owner"),
        ({"learn": Lora(width=4, only_owners=True)}, "needs a start"),
        ({"examples": examples(0, 1, model="other")}, "only the backend's own model learns"),
        ({"examples": examples(0, 1, adapters=(Adapter("no"),))}, "number 1 .*adapter 'no'"),
    ],
)
def test_what_cannot_be_learned_is_refused(pico, monkeypatch, fields, message):
    monkeypatch.setattr(pico, "_loader", lambda name: {}[name])
    with pytest.raises(InvalidJob, match=message):
        pico.train([job(1, 2), job(0, 2, **fields)])


def test_a_start_of_another_shape_is_refused(pico):
    small = pico.hold(pico.train([job(0, 2, held=0)])[0].arrays)
    with pytest.raises(InvalidJob, match=r"another shape: .*lora_A' is \(4, 32\)"):
        pico.train([job(0, 2, start=small, learn=Lora(rank=2, modules=MODULES))])
    with pytest.raises(InvalidJob, match="has no array"):
        pico.train([job(0, 2, start=small, learn=Scales())])
    with pytest.raises(InvalidJob, match="has no array 'table'"):
        pico.train([job(0, 2, table=small)])
    with pytest.raises(InvalidJob, match="no arrays of that part"):
        pico.train([job(0, 2, start=f"{small}/x")])
