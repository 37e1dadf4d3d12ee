"""Adapters beyond two matrices: what stands between them, factors, and vectors of owners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Span
from ipse.backends.local.chunks import Chunk
from ipse.backends.local.lora import read_lora
from ipse.backends.local.training.kinds import begin
from ipse.backends.local.training.passes import Asked, passes
from ipse.backends.local.training.rows import rows_of
from ipse.backends.local.training.trainer import Trainer
from ipse.errors import InvalidPlan
from ipse.job import MODULES, Job, Lora, Scales, Schedule
from ipse.plan import Adapter, Plan
from tests.backends.attachments import between, lora, scales
from tests.backends.test_local_training import alone, check_served, close, examples, job

IDS = list(range(20, 60))


def read(pico, *adapters) -> torch.Tensor:
    """Read with adapters and their weights; give logits, (tokens, vocab)."""
    model = pico._language_model()
    weighted = tuple((read_lora(arrays, "x", model.core), w) for arrays, w in adapters)
    chunk = Chunk(IDS, 0, Span(0, len(IDS)), Attached(adapters=weighted), ())
    return model.core.logits(model.read([chunk]))


def by_hooks(pico, *adapters) -> torch.Tensor:
    """The same by the equation of `lora.py`, module by module, over the model of transformers."""
    network = pico._language_model().network

    def changed(path):
        def hook(_module, inputs, y):
            for arrays, weight in adapters:
                if f"{path}.lora_A" in arrays:
                    parts = [arrays[f"{path}.lora_{part}"] for part in "AB"]
                    a, b = map(torch.from_numpy, parts)
                    c = torch.from_numpy(arrays.get(f"{path}.lora_C", np.zeros(len(a), "f4")))
                    y = y + weight * float(arrays["scale"]) * ((inputs[0] @ a.T + c) @ b.T)
            for arrays, weight in adapters:
                if f"{path}.scales" in arrays:
                    y = y * (1 + weight * (torch.from_numpy(arrays[f"{path}.scales"]) - 1))
            return y

        return hook

    hooks = [
        network.get_submodule(path).register_forward_hook(changed(path))
        for path in pico._language_model().core.parts
    ]
    try:
        with torch.no_grad():
            return network(torch.tensor([IDS])).logits[0]
    finally:
        for hook in hooks:
            hook.remove()


def test_adapters_do_what_their_equation_says(pico):
    core = pico._language_model().core
    for adapters in (
        [(scales(core, 1), 1.0)],
        [(scales(core, 1), 0.3), (scales(core, 2, ("k_proj", "up_proj")), 1.4)],
        [(between(core, 3, 4), 1.0)],
        [(between(core, 3, 4, ("q_proj",)), 0.6), (scales(core, 1), 0.5), (lora(core, 4, 2), 0.7)],
    ):
        found, expected = read(pico, *adapters), by_hooks(pico, *adapters)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
        assert (found - read(pico)).abs().max() > 0.1


def test_what_changes_nothing_is_the_base(pico):
    core = pico._language_model().core
    ones = {name: np.ones_like(array) for name, array in scales(core, 1).items()}
    empty = {
        name: np.zeros_like(array) if name.endswith("lora_B") else array
        for name, array in between(core, 2, 3).items()
    }
    for adapters in ([(ones, 1.0)], [(empty, 1.0)], [(scales(core, 1), 0.0)]):
        torch.testing.assert_close(read(pico, *adapters), read(pico), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["scales", "lora_C"])
def test_one_of_another_shape_is_refused(pico, kind):
    core = pico._language_model().core
    arrays = {**between(core, 1, 2), **scales(core, 1)}
    name = next(name for name in arrays if name.endswith(kind))
    with pytest.raises(InvalidPlan, match=f"another model: '{name}' is \\(5,\\)"):
        read_lora({**arrays, name: np.zeros(5, np.float32)}, "x", core)
    with pytest.raises(InvalidPlan, match="which the model has not"):
        read_lora({"model.layers.7.mlp.up_proj.scales": np.ones(64, np.float32)}, "x", core)


def of_owners(count: int = 4, **fields) -> Job:
    """Three people's examples in one job; the first two are held out."""
    every = []
    for person in range(3):
        owned = examples(person, count)
        every += [replace(example, owner=f"person {person}") for example in owned]
    held = (replace(every[0], owner="person 0"), replace(every[1], owner="a stranger"))
    settings = {
        "learn": Lora(rank=3, modules=MODULES, width=5),
        "schedule": Schedule(rate=2e-2, epochs=4, batch=3),
        "held_out": held,
    }
    return Job(**{**settings, "examples": tuple(every), **fields})


def served(arrays, owner: str | None):
    """Give the adapter that serves an owner: what stands between the matrices is `P p`."""
    found = {name: array for name, array in arrays.items() if name.rpartition(".")[2] != "lora_P"}
    for name, array in arrays.items():
        if owner and name.endswith("lora_P"):
            found[name.replace("lora_P", "lora_C")] = array @ arrays[f"owners/{owner}"]
    return found


def test_owners_vectors_are_learned_and_served(pico):
    one = of_owners()
    learned = pico.train([one])[0]
    assert {name for name in learned.arrays if "/" in name} == {
        f"owners/person {i}" for i in range(3)
    }
    assert all(np.abs(learned.arrays[f"owners/person {i}"]).max() > 1e-3 for i in range(3))
    whole = pico.hold(learned.arrays)
    own = pico.hold(served(learned.arrays, "person 0"))
    unseen = pico.hold(served(learned.arrays, None))
    check_served(pico, replace(one, start=whole), [own, unseen])
    stream = one.held_out[0].stream
    plans = [Plan(replace(stream, adapters=(Adapter(name),))) for name in (whole, unseen, own)]
    scores = pico.score(plans, ["It is about school"] * 3)
    assert scores[0] == scores[1]  # who is not known gets what all share
    assert abs(scores[0].nats - scores[2].nats) > 1e-3
    close(Trainer().train(pico._place(), pico.base, [job(0, 3), one, job(1, 2)])[1], learned)


def test_without_vectors_it_is_a_plain_adapter(pico):
    """While every owner's vector is 0, the nats are those of the same weights without owners."""
    place, one = pico._place(), of_owners()
    with_vectors = begin(one, place.model.core, {}, None)
    weights = {n: a for n, a in with_vectors.arrays().items() if "lora_P" not in n and "/" not in n}
    rng = np.random.default_rng(0)
    weights |= {
        n: rng.standard_normal(a.shape).astype("f4") for n, a in weights.items() if "lora_B" in n
    }
    plain = begin(replace(one, learn=replace(one.learn, width=0)), place.model.core, weights, None)
    vectors = {n: a for n, a in with_vectors.arrays().items() if "lora_P" in n}
    both = begin(one, place.model.core, {**weights, **vectors}, None)
    plain.by_row = True  # or it would read what rows share once, which rounds otherwise
    rows = rows_of(place, one, one.examples)
    found = []
    for learnable in (plain, both):
        (every,) = passes(place, [Asked(learnable, row) for row in rows], 4096)
        found.append(every.look())
    assert found[0] == found[1]


def test_only_the_owners_vectors_learn(pico):
    shared = pico.train([of_owners()])[0]
    name = pico.hold(shared.arrays)
    new = [
        Job(
            Lora(rank=3, modules=MODULES, width=5, only_owners=True),
            tuple(replace(e, owner=f"new {person}") for e in examples(person, 6)),
            start=name,
            schedule=Schedule(rate=5e-2, epochs=3, batch=2),
        )
        for person in (3, 4)
    ]
    learned = pico.train(new)
    for one, found in zip(new, learned, strict=True):
        assert set(found.arrays) == {f"owners/{one.examples[0].owner}"}
        assert found.facts["nats"][-1] < found.facts["nats"][0]
        close(found, alone(pico, one))
    assert not np.allclose(*(next(iter(each.arrays.values())) for each in learned))


def test_scales_and_low_rank_weights_learn_side_by_side(pico):
    jobs = [
        job(0, 4, learn=Scales(("q_proj", "o_proj", "down_proj", "gate_proj"))),
        job(1, 3),
        of_owners(2),
        job(2, 6, learn=Scales()),
    ]
    for one, learned in zip(jobs, Trainer().train(pico._place(), pico.base, jobs), strict=True):
        close(learned, alone(pico, one))
