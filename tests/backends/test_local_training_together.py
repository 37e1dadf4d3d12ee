"""What is learned from a table's lines, and gates: as a slow formula has it; together as alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.backends.local.training.effects import Block, Effect, Effects, LowRank
from ipse.backends.local.training.kinds import begin
from ipse.backends.local.training.passes import Asked, passes
from ipse.backends.local.training.rows import rows_of
from ipse.backends.local.training.trainer import Trainer
from ipse.errors import InvalidJob
from ipse.job import Gates, Hypernetwork, Job, Lora, Schedule, SoftPrefix
from ipse.methods.hypernetwork import weights
from ipse.methods.user_prefix import soft
from ipse.plan import Adapter
from tests.backends.attachments import lora
from tests.backends.test_local_training import adapted, alone, close, examples, job

TABLE = np.random.default_rng(3).standard_normal((6, 5)).astype(np.float32)
NETWORK = Hypernetwork(rank=2, alpha=3, modules=("q_proj", "v_proj", "down_proj"), hidden=6, code=4)


@pytest.fixture(scope="module")
def table(pico):
    return pico.hold({"table": TABLE})


def under(person, count, *lines):
    """A person's examples, each under the next of some lines."""
    every = examples(person, count)
    return tuple(replace(e, lines=lines[i % len(lines)]) for i, e in enumerate(every))


def stirred(pico, one, size=0.3):
    """What a job begins with, moved off its start at random."""
    start = pico.arrays(one.start) if one.start else {}
    learnable = begin(one, pico._language_model().core, start, TABLE)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in learnable.parameters.values():
            tensor += size * torch.randn(tensor.shape, generator=chance)
    return learnable


def losses(pico, one, learnable, learn=False):
    place = pico._place()
    rows = rows_of(place, one, one.examples, learnable.places)
    found = []
    for each in passes(place, [Asked(learnable, row, 1 / len(rows)) for row in rows], 2048):
        found += each.learn() if learn else [sum(nats) / len(nats) for nats in each.look()]
    return found


def served(pico, every):
    """What examples cost with what their streams attach, and nothing that is learned."""
    plain = Job(Lora(), tuple(every))
    return losses(pico, plain, begin(plain, pico._language_model().core, {}, None))


def check_gradients(pico, one, learnable, step=2e-3):
    """Compare each tensor's gradient with differences, along the gradient itself."""
    losses(pico, one, learnable, learn=True)
    for name, tensor in learnable.parameters.items():
        slope = tensor.grad
        assert slope is not None, name
        way = slope / slope.norm()
        found = []
        for sign in (1, -1):
            with torch.no_grad():
                tensor += sign * step * way
                found.append(float(np.mean(losses(pico, one, learnable))))
                tensor -= sign * step * way
        slow = (found[0] - found[1]) / (2 * step)
        assert slow == pytest.approx(float(slope.norm()), rel=0.05, abs=1e-4), name


def network_job(table, person=0, count=4, **fields):
    every = under(person, count + 1, (0,), (0,), (3,), (5,))
    settings = {"learn": NETWORK, "table": table, "schedule": Schedule(rate=5e-3, batch=3)}
    return Job(**{**settings, "examples": every[1:], "held_out": every[:1], "seed": 1, **fields})


def test_a_network_changes_nothing_at_first(pico, table):
    one = network_job(table)
    learnable = begin(one, pico._language_model().core, {}, TABLE)
    assert losses(pico, one, learnable) == pytest.approx(served(pico, one.examples), abs=1e-5)


def test_the_gradients_of_a_network_are_those_of_differences(pico, table):
    one = network_job(table)
    check_gradients(pico, one, stirred(pico, one))


def test_what_a_network_makes_is_served_as_it_is_learned(pico, table):
    """The pass without gradients gives the weights that training has: also each line its own."""
    one = network_job(table)
    learnable = stirred(pico, one)
    arrays = learnable.arrays()
    for example, loss in zip(one.examples, losses(pico, one, learnable), strict=True):
        made = weights(arrays, TABLE[example.lines[0]], NETWORK.rank)
        name = pico.hold({**made, "scale": arrays["scale"]})
        attached = replace(example, stream=adapted(example.stream, name).main)
        assert served(pico, [attached]) == pytest.approx([loss], abs=1e-4)
    made = learnable._made([3])[0]
    for (layer, site), (a, blocks) in made.items():
        if site == "qkv":
            whole = weights(arrays, TABLE[3], NETWORK.rank)
            path = f"model.layers.{layer}.self_attn"
            mine = [whole[f"{path}.{m}.lora_A"] for m in ("q_proj", "v_proj")]
            np.testing.assert_allclose(a.detach(), np.concatenate(mine), atol=1e-5)
            other = whole[f"{path}.v_proj.lora_B"]
            np.testing.assert_allclose(blocks[1].b.detach(), other, atol=1e-5)


@pytest.mark.parametrize("tokens", [2048, 100])
def test_networks_learn_together_as_alone(pico, table, tokens):
    jobs = [network_job(table), job(1, 3), network_job(table, 2, 5, seed=4)]
    together = Trainer(tokens).train(pico._place(), pico.base, jobs)
    for one, learned in zip(jobs, together, strict=True):
        close(learned, alone(pico, one))


def test_a_network_tells_lines_apart_and_goes_on(pico, table):
    habits = (under(0, 6, (1,)), under(1, 6, (4,)))
    schedule = Schedule(rate=1e-2, epochs=25, batch=4)
    one = Job(replace(NETWORK, hidden=16), sum(habits, ()), table=table, schedule=schedule)
    learned = pico.train([one])[0]
    nats = learned.facts["nats"]
    assert nats[-1] < nats[0] - 1
    again = replace(one, start=pico.hold(learned.arrays), schedule=Schedule(rate=0, epochs=1))
    close(pico.train([again])[0], learned)
    swapped = tuple(replace(e, lines=(5 - e.lines[0],)) for e in one.examples)
    right, wrong = (
        pico.train([replace(again, held_out=held)])[0].facts["held_out"][0]
        for held in (one.examples, swapped)
    )
    assert wrong > right + 0.5


# Soft prompts.

PREFIXES = {
    "attend": SoftPrefix(instruction=2, hidden=6, sharp=2.0),
    "each": SoftPrefix("each", places=3, instruction=1, hidden=6),
    "alone": SoftPrefix("each", places=2, instruction=0, hidden=6),
}
LINES = ((0, 1, 2, 3, 4, 5), (1, 2), (5, 3, 0), (2, 0, 1, 3))


def prefix_job(table, form, person=0, **fields):
    every = examples(person, len(LINES))
    every = tuple(replace(e, lines=lines) for e, lines in zip(every, LINES, strict=True))
    settings = {"learn": PREFIXES[form], "table": table, "seed": 1}
    settings |= {"schedule": Schedule(rate=5e-3, batch=3), "held_out": every[:1]}
    return Job(**{**settings, "examples": every[1:], **fields})


@pytest.mark.parametrize("form", PREFIXES)
def test_the_gradients_of_soft_prompts_are_those_of_differences(pico, table, form):
    one = prefix_job(table, form)
    check_gradients(pico, one, stirred(pico, one))


@pytest.mark.parametrize("form", PREFIXES)
def test_a_soft_prompt_is_served_as_it_is_learned(pico, table, form):
    one = prefix_job(table, form)
    learnable = stirred(pico, one)
    arrays = learnable.arrays()
    norm = pico._language_model().core.embedding_norm
    for example, loss in zip(one.examples, losses(pico, one, learnable), strict=True):
        question, *records = TABLE[list(example.lines)]
        asked = question if form == "attend" else None
        made = soft(arrays, np.stack(records), asked, PREFIXES[form].places)
        mine = learnable._prefix(example.lines).detach()
        np.testing.assert_allclose(mine, made, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), norm, rtol=1e-5)
        assert len(made) == learnable.places
        attached = replace(example.stream, prefix=pico.hold({"prefix": made}))
        assert served(pico, [replace(example, stream=attached)]) == pytest.approx([loss], abs=1e-4)


@pytest.mark.parametrize("form", PREFIXES)
@pytest.mark.parametrize("tokens", [2048, 100])
def test_soft_prompts_are_learned_together_as_alone_and_go_on(pico, table, form, tokens):
    jobs = [prefix_job(table, form), job(1, 3), prefix_job(table, form, 2, seed=4)]
    together = Trainer(tokens).train(pico._place(), pico.base, jobs)
    for one, learned in zip(jobs, together, strict=True):
        close(learned, alone(pico, one))
    still = replace(jobs[0], start=pico.hold(together[0].arrays), schedule=Schedule(rate=0))
    close(pico.train([still])[0], together[0])


# Gates.

MODULES_HERE = ("q_proj", "v_proj", "o_proj", "down_proj")


@pytest.fixture(scope="module")
def weights_name(pico):
    arrays = lora(pico._language_model().core, 5, 3, MODULES_HERE)
    return pico.hold(arrays)


def gates_job(weights_name, person=0, **fields):
    every = examples(person, 4)
    settings = {"learn": Gates(3, MODULES_HERE), "start": weights_name, "held_out": every[:1]}
    settings |= {"schedule": Schedule(rate=5e-2, epochs=3, batch=2), "seed": 1}
    return Job(**{**settings, "examples": every[1:], **fields})


def test_gates_are_half_open_at_first(pico, weights_name):
    one = gates_job(weights_name)
    learnable = stirred(pico, one, 0.0)
    half = tuple(
        replace(e, stream=replace(e.stream, adapters=(Adapter(weights_name, 0.5),)))
        for e in one.examples
    )
    assert losses(pico, one, learnable) == pytest.approx(served(pico, half), abs=1e-4)


def test_the_gradients_of_gates_are_those_of_differences(pico, weights_name):
    one = gates_job(weights_name)
    check_gradients(pico, one, stirred(pico, one))
    before = pico.arrays(weights_name)
    learned = pico.train([one])[0]
    assert learned.facts["nats"][-1] < learned.facts["nats"][0]
    assert learned.arrays.keys() == {
        name.replace("lora_A", "gate") for name in before if name.endswith("lora_A")
    }


@pytest.mark.parametrize("tokens", [2048, 100])
def test_gates_are_learned_together_as_alone(pico, weights_name, tokens):
    jobs = [gates_job(weights_name), job(1, 3), gates_job(weights_name, 2, seed=4)]
    together = Trainer(tokens).train(pico._place(), pico.base, jobs)
    for one, learned in zip(jobs, together, strict=True):
        close(learned, alone(pico, one))


def test_a_gate_is_a_factor_of_each_tokens_own(pico):
    """The fast terms against the equation, `B A (x sigmoid(x . g))`, and its gradients."""
    chance = torch.Generator().manual_seed(2)
    x, y, a, b1, b2, g = (
        torch.randn(size, generator=chance, dtype=torch.float64, requires_grad=True)
        for size in ((7, 5), (7, 9), (4, 5), (3, 2), (4, 2), (2, 5))
    )
    blocks = (Block(slice(0, 2), slice(0, 3), b1), Block(slice(2, 4), slice(5, 9), b2))
    term = LowRank(slice(2, 6), a, blocks, 0.7, gates=g)
    fast = Effects([Effect({(0, "qkv"): (term,)})], []).add(0, "qkv", x, y.clone())
    slow = y.clone()
    for i, (block, ranks) in enumerate(zip(blocks, (slice(0, 2), slice(2, 4)), strict=True)):
        some = x[2:6]
        opened = some * torch.sigmoid(some @ g[i])[:, None]
        slow[2:6, block.outputs] = slow[2:6, block.outputs] + 0.7 * opened @ a[ranks].T @ block.b.T
    torch.testing.assert_close(fast, slow)
    tensors = (x, y, a, b1, b2, g)
    weights = torch.randn(fast.shape, generator=chance, dtype=torch.float64)
    ours = torch.autograd.grad((fast * weights).sum(), tensors)
    theirs = torch.autograd.grad((slow * weights).sum(), tensors)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_gates_without_weights_behind_them_are_refused(pico, weights_name):
    with pytest.raises(InvalidJob, match="give a start"):
        pico.train([gates_job(weights_name, start="")])


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"table": ""}, "table"), ({"lines": ()}, "needs 1 lines"), ({"lines": (6,)}, "has 6 lines")],
)
def test_lines_that_are_not_there_are_refused(pico, table, fields, said):
    one = network_job(table)
    if "lines" in fields:
        one = replace(one, examples=tuple(replace(e, **fields) for e in one.examples))
    else:
        one = replace(one, **fields)
    with pytest.raises(InvalidJob, match=said):
        pico.train([one])
