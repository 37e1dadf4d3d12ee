"""Adapters put together from pieces, and what modules read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from ipse.errors import InvalidPlan
from ipse.lm import Inputs
from ipse.plan import Adapter, Plan
from tests.backends.attachments import lora

PLANS = (Plan.ask("Why is this argument better?"), Plan.ask("School or homework?"))
TARGETS = ("Because it gives a reason.", "Water")
MODULES = ("q_proj", "v_proj", "o_proj", "down_proj")
LAYERS = 2


@pytest.fixture(scope="module")
def adapters(pico):
    return [lora(pico._language_model().core, seed, 3, MODULES) for seed in range(4)]


@pytest.fixture(scope="module")
def pool(pico, adapters):
    stacked = {
        f"pool/{name}": array if name == "scale" else np.stack([a[name] for a in adapters])
        for name, array in adapters[0].items()
    }
    return f"{pico.hold(stacked)}/pool"


def put_together(pico, pool, index, weight):
    count = LAYERS * len(MODULES)
    own = pico.hold(
        {
            "pieces.index": np.resize(np.array(index, np.uint8), (count, len(index[0]))),
            "pieces.weight": np.resize(np.array(weight, np.float16), (count, len(weight[0]))),
        }
    )
    return Adapter(pool, own=own)


def nats(pico, adapter):
    plans = [replace(p, main=replace(p.main, adapters=(adapter,))) for p in PLANS]
    return [score.nats for score in pico.score(plans, TARGETS)]


@pytest.mark.parametrize("sharer", range(4))
def test_one_piece_of_weight_1_is_that_sharers_adapter(pico, pool, adapters, sharer):
    found = nats(pico, put_together(pico, pool, [[sharer]], [[1.0]]))
    assert found == pytest.approx(nats(pico, Adapter(pico.hold(adapters[sharer]))), abs=1e-4)


def test_pieces_are_averaged_module_by_module_both_matrices_apart(pico, pool, adapters):
    index = [[(i + j) % 4 for j in range(2)] for i in range(LAYERS * len(MODULES))]
    found = nats(pico, put_together(pico, pool, index, [[0.25, 0.75]]))
    paths = sorted(n.removesuffix(".lora_A") for n in adapters[0] if n.endswith("lora_A"))
    slow = {"scale": adapters[0]["scale"]}
    for path, (one, other) in zip(paths, index, strict=True):
        for part in ("lora_A", "lora_B"):
            name = f"{path}.{part}"
            slow[name] = 0.25 * adapters[one][name] + 0.75 * adapters[other][name]
    assert found == pytest.approx(nats(pico, Adapter(pico.hold(slow))), abs=1e-4)


def test_recipes_in_a_batch_are_as_one_by_one(pico, pool):
    made = [put_together(pico, pool, [[i, 3]], [[0.5, 0.5]]) for i in range(3)]
    plans = [replace(p, main=replace(p.main, adapters=(a,))) for a in made for p in PLANS]
    together = pico.generate(plans)
    assert together == [pico.generate([plan])[0] for plan in plans]
    assert len({reply.text for reply in together[::2]}) > 1


def test_a_recipe_for_another_pool_is_refused(pico, pool):
    with pytest.raises(InvalidPlan, match="another pool"):
        nats(pico, put_together(pico, pool, [[4]], [[1.0]]))
    one = {"pieces.index": np.zeros((1, 1), np.uint8), "pieces.weight": np.ones((1, 1))}
    with pytest.raises(InvalidPlan, match="4 pieces of each of 8 modules"):
        nats(pico, Adapter(pool, own=pico.hold(one)))


@pytest.mark.parametrize("adapted", [False, True])
def test_what_modules_read_is_as_hooks_see_it(pico, pico_path, adapters, adapted):
    model = AutoModelForCausalLM.from_pretrained(pico_path).float().eval()
    if adapted:
        scale = float(adapters[0]["scale"])
        with torch.no_grad():
            for path in {n.rpartition(".")[0] for n in adapters[0] if n != "scale"}:
                a, b = adapters[0][f"{path}.lora_A"], adapters[0][f"{path}.lora_B"]
                model.get_submodule(path).weight += scale * torch.tensor(b @ a)
    read = {}
    for path, module in model.named_modules():
        if path.endswith("_proj"):
            module.register_forward_hook(
                lambda _, args, __, path=path: read.setdefault(path, []).append(args[0][0])
            )
    sums, count = {}, 0
    for plan, target in zip(PLANS, TARGETS, strict=True):
        own = pico._language_model()
        prompt, ids = own.prompt(plan.main.messages), own.tokens(target)
        read.clear()
        with torch.no_grad():
            model(torch.tensor([[*prompt, *ids]]))
        count += len(ids)
        for path, (states,) in read.items():
            ln = torch.nn.functional.layer_norm(states[len(prompt) :], states.shape[-1:])
            sums[path] = sums.get(path, 0) + ln.sum(0)
    attached = (Adapter(pico.hold(adapters[0])),) if adapted else ()
    plans = tuple(replace(p, main=replace(p.main, adapters=attached)) for p in PLANS)
    found = pico.inputs(Inputs(plans, TARGETS))
    assert found.keys() == sums.keys()
    for path, total in sums.items():
        np.testing.assert_allclose(found[path], total / count, atol=2e-4, err_msg=path)


def test_as_many_texts_as_plans_are_needed(pico):
    with pytest.raises(InvalidPlan, match="as many texts"):
        pico.inputs(Inputs(PLANS, TARGETS[:1]))
