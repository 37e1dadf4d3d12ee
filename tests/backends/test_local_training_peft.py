"""Our gradients, and what we learn, beside PEFT's; and the real model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from ipse.backends.local.training.kinds import begin
from ipse.backends.local.training.passes import Asked, passes
from ipse.backends.local.training.rows import rows_of
from ipse.backends.local.weights import EMBEDDED, model_folder, quiet
from ipse.job import MODULES, Lora, Schedule
from ipse.plan import Adapter, Plan
from tests.backends.attachments import lora
from tests.backends.test_local_training import alone, check_served, job

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def in_peft(folder, arrays, learn: Lora):
    """Load the model with an adapter into PEFT."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    with quiet():
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    settings = peft.LoraConfig(
        r=learn.rank, lora_alpha=learn.alpha, target_modules=list(learn.modules)
    )
    model = peft.get_peft_model(network, settings)
    state = model.state_dict()
    for key, array in arrays.items():
        if key != "scale":
            state[f"base_model.model.{key}.default.weight"].copy_(torch.from_numpy(array))
    return model


def pefts_loss(model, row) -> torch.Tensor:
    """Give the mean nats of a row's targets by plain cross-entropy."""
    logits = model(torch.tensor([row.ids])).logits[0, row.prompt - 1 :]
    return functional.cross_entropy(logits, torch.tensor(row.targets))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("modules", [MODULES, ("k_proj", "up_proj")])
def test_gradients_are_pefts(pico, modules):
    learn = Lora(rank=3, alpha=1.5, modules=modules)
    place, jobs, models = pico._place(), [job(0, 3, learn=learn), job(1, 2, learn=learn)], []
    asked, learnables = [], []
    for one in jobs:
        arrays = lora(place.model.core, one.seed, 3, modules, 0.2)
        learnables.append(begin(one, place.model.core, arrays, None))
        rows = rows_of(place, one, one.examples)
        asked += [Asked(learnables[-1], row, 1 / len(rows)) for row in rows]
        model = in_peft(pico.model, arrays, learn)
        (sum(pefts_loss(model, row) for row in rows) / len(rows)).backward()
        models.append(model)
    (whole,) = passes(place, asked, 4096)
    whole.learn()
    for learnable, model in zip(learnables, models, strict=True):
        (weights,) = learnable.parameters.values()
        expected = {
            name.removeprefix("base_model.model.").replace(".default.weight", ""): p.grad
            for name, p in model.named_parameters()
            if p.grad is not None
        }
        with torch.no_grad():
            weights.copy_(weights.grad)
        found = learnable.arrays()
        assert found.keys() == {*expected, "scale"}
        for name, gradient in expected.items():
            np.testing.assert_allclose(found[name], gradient, atol=1e-5, rtol=1e-4, err_msg=name)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_is_learned_loads_in_peft(pico):
    check_in_peft(pico, pico.model, job(0, 6))


def check_in_peft(lm, folder, one):
    learned = lm.train([one])[0]
    model = in_peft(folder, learned.arrays, one.learn).eval()
    rows = rows_of(lm._place(), one, one.held_out)
    with torch.no_grad():
        theirs = np.mean([pefts_loss(model, row).item() for row in rows])
    assert min(learned.facts["held_out"]) == pytest.approx(theirs, abs=1e-4)
    return learned


@pytest.mark.model
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_real_model_learns(embedded):
    learn = Lora(rank=8, modules=ATTENTION)
    schedule = Schedule(rate=2e-3, epochs=2, batch=4)
    jobs = [job(0, 6, learn=learn, schedule=schedule), job(1, 3, learn=learn, schedule=schedule)]
    learned = embedded.train(jobs)
    for one, found in zip(jobs, learned, strict=True):
        assert min(found.facts["held_out"]) < found.facts["held_out"][0] - 0.5
        single = alone(embedded, one)
        assert found.facts["held_out"] == pytest.approx(single.facts["held_out"], abs=1e-3)
    name = embedded.hold(learned[0].arrays)
    check_served(embedded, replace(jobs[0], start=name), [name] * 2)
    plans = [Plan(e.stream) for e in jobs[0].held_out]
    own = [replace(p, main=replace(p.main, adapters=(Adapter(name),))) for p in plans]
    other = embedded.hold(learned[1].arrays)
    others = [replace(p, main=replace(p.main, adapters=(Adapter(other),))) for p in plans]
    texts = [example.target for example in jobs[0].held_out]
    nats = [sum(s.nats for s in embedded.score(each, texts)) for each in (plans, others, own)]
    assert nats[2] < min(nats[:2])
    check_in_peft(embedded, model_folder(EMBEDDED), jobs[0])
