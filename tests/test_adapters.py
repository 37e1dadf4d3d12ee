"""Adapters as folders: what PEFT loads does as ours does, and what PEFT saves is read."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
from dataclasses import replace

import numpy as np
import pytest

from ipse import tensors
from ipse.adapters import Manifest, read_adapter, write_adapter
from ipse.errors import InvalidFile, StoreFailure, UsageError
from ipse.peft_form import adapter_of, from_peft, merged, to_peft
from tests.backends.attachments import lora

FORK = multiprocessing.get_context("fork")
ABOUT = Manifest(
    method="user-adapter",
    base="pico@0123456789ab",
    settings={"rank": 4},
    user="ada lovelace",
    records=2,
    lineage=("r1", "r2"),
    artifacts=("hash",),
    parents=("p",),
    facts={"gate": {"serves": "adapter", "why": "it is better by 0.4 nats a token"}},
    made="2026-01-01T00:00:00+00:00",
)
Q = "model.layers.0.self_attn.q_proj"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def core(pico):
    return pico._language_model().core


def equal(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def shifted(arrays, seed=3):
    """The same adapter with something added between its matrices, in one layer."""
    chance = np.random.default_rng(seed)
    found = dict(arrays)
    for name in arrays:
        if name.endswith(".lora_A") and ".0." in name:
            c = chance.standard_normal(len(arrays[name])).astype(np.float32)
            found[name.replace(".lora_A", ".lora_C")] = c
    return found


def scales(core, modules, seed=2):
    chance = np.random.default_rng(seed)
    return {
        f"{module}.scales": chance.uniform(0.2, 2, part.outputs.stop - part.outputs.start).astype(
            np.float32
        )
        for module, part in core.parts.items()
        if module.endswith(modules)
    }


def some_layers(arrays):
    return {name: array for name, array in arrays.items() if ".0." not in name}


def of_two_ranks(core):
    return {**lora(core, 1, 4, ("q_proj",)), **lora(core, 2, 2, ("down_proj",))}


ADAPTERS = {
    "whole": lambda core: lora(core, 1, 4),
    "few": lambda core: lora(core, 1, 3, ("q_proj", "v_proj")),
    "one layer": lambda core: some_layers(lora(core, 1, 4)),
    "two ranks": of_two_ranks,
    "shifted": lambda core: shifted(lora(core, 1, 4)),
    "scales": lambda core: scales(core, ("k_proj", "v_proj", "up_proj")),
    "scaled outputs": lambda core: scales(core, ("down_proj", "gate_proj")),
    "merged": lambda core: merged(
        [(lora(core, 1, 4), 1.0), (shifted(lora(core, 2, 3, ("o_proj", "q_proj"))), 0.5)]
    ),
}


@pytest.mark.filterwarnings("ignore:`lora_bias=True`")
@pytest.mark.parametrize("name", ADAPTERS)
def test_peft_loads_the_folder_and_does_the_same(pico, pico_path, core, tmp_path, name):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from ipse.backends.local.weights import quiet

    arrays = ADAPTERS[name](core)
    write_adapter(tmp_path / "x", arrays, replace(ABOUT, base=f"{pico_path}@0"))
    with quiet():
        base = AutoModelForCausalLM.from_pretrained(pico_path, dtype=torch.float32)
    plain = base(torch.tensor([list(range(20, 70))])).logits[0]
    theirs = PeftModel.from_pretrained(base, tmp_path / "x").eval()
    with torch.no_grad():
        expected = theirs(torch.tensor([list(range(20, 70))])).logits[0]
    ours = logits(pico, arrays)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    assert (expected - plain).abs().max() > 0.05


def logits(pico, arrays):
    from ipse.backends.local.attached import Attached
    from ipse.backends.local.attention import Span
    from ipse.backends.local.chunks import Chunk
    from ipse.backends.local.lora import read_lora

    model = pico._language_model()
    ids = list(range(20, 70))
    attached = Attached(adapters=((read_lora(arrays, "x", model.core), 1.0),))
    return model.core.logits(model.read([Chunk(ids, 0, Span(0, len(ids)), attached, ())]))


SAVED = {
    "plain": {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "down_proj"]},
    "rslora": {"r": 4, "lora_alpha": 6, "use_rslora": True, "target_modules": ["q_proj"]},
    "patterns": {
        "r": 4,
        "lora_alpha": 8,
        "rank_pattern": {"v_proj": 2},
        "alpha_pattern": {"v_proj": 3, "layers.0.self_attn.q_proj": 5},
        "target_modules": ["q_proj", "v_proj"],
    },
    "bias": {"r": 3, "lora_alpha": 3, "lora_bias": True, "target_modules": ["q_proj", "up_proj"]},
}


@pytest.fixture
def theirs(pico_path):
    """A model for PEFT to adapt."""
    import torch
    from transformers import AutoModelForCausalLM

    from ipse.backends.local.weights import quiet

    with quiet():
        return AutoModelForCausalLM.from_pretrained(pico_path, dtype=torch.float32)


def saved_by_peft(theirs, folder, config):
    """Let PEFT make an adapter, fill it with numbers, and save it."""
    import torch
    from peft import get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(theirs, config).eval()
    for name, tensor in model.named_parameters():
        if "lora_" in name or "ia3_" in name:
            torch.nn.init.normal_(tensor, 0.2 if "lora_" in name else 1, 0.3)
    model.save_pretrained(folder)
    return model


@pytest.mark.filterwarnings("ignore:`lora_bias=True`", "ignore:Adapter 'default'")
@pytest.mark.parametrize("name", SAVED)
def test_what_peft_saved_is_read_and_does_the_same(pico, theirs, tmp_path, name):
    import torch
    from peft import LoraConfig

    model = saved_by_peft(theirs, tmp_path, LoraConfig(**SAVED[name]))
    found = read_adapter(tmp_path)
    assert found.manifest is None
    assert found.base == pico.model
    with torch.no_grad():
        expected = model(torch.tensor([list(range(20, 70))])).logits[0]
    torch.testing.assert_close(logits(pico, found.arrays), expected, atol=1e-4, rtol=1e-4)
    if name == "plain":
        tensor = model.state_dict()[f"base_model.model.{Q}.lora_A.default.weight"]
        np.testing.assert_array_equal(found.arrays[f"{Q}.lora_A"], tensor.numpy())
        assert found.arrays["scale"] == np.float32(1.5)


def test_ia3_that_peft_saved_is_read_and_does_the_same(pico, theirs, tmp_path):
    import torch
    from peft import IA3Config

    config = IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    )
    model = saved_by_peft(theirs, tmp_path, config)
    found = read_adapter(tmp_path).arrays
    assert {name.split(".")[-2] for name in found} == {"k_proj", "v_proj", "up_proj"}
    with torch.no_grad():
        expected = model(torch.tensor([list(range(20, 70))])).logits[0]
    torch.testing.assert_close(logits(pico, found), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in ADAPTERS if name not in ("shifted", "merged")])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_was_written_is_read_back_to_the_bit(core, tmp_path, name, dtype):
    arrays = {
        n: array if n == "scale" else array.astype(dtype)
        for n, array in ADAPTERS[name](core).items()
    }
    written = write_adapter(tmp_path / "x", arrays, ABOUT)
    found = read_adapter(tmp_path / "x")
    equal(dict(found.arrays), adapter_of(arrays))
    assert found.manifest == written
    assert written.name == tensors.content_hash(adapter_of(arrays))


def test_one_part_of_a_state_is_written_alone(core, tmp_path):
    arrays = lora(core, 1, 4)
    state = {**{f"x/{name}": a for name, a in arrays.items()}, "prefix": np.ones((2, 3))}
    write_adapter(tmp_path / "x", state, ABOUT, part="x")
    equal(dict(read_adapter(tmp_path / "x").arrays), adapter_of(arrays))
    with pytest.raises(UsageError, match="no adapter in it"):
        write_adapter(tmp_path / "y", state, ABOUT)


def test_a_merged_adapter_does_what_its_parts_do(pico, core):
    import torch

    from ipse.backends.local.attached import Attached
    from ipse.backends.local.attention import Span
    from ipse.backends.local.chunks import Chunk
    from ipse.backends.local.lora import read_lora

    one, two = lora(core, 1, 4), shifted(lora(core, 2, 3, ("q_proj", "o_proj")))
    whole = merged([(adapter_of(one), 1.0), (adapter_of(two), 0.25)])
    assert {len(whole[n]) for n in whole if n.endswith(".lora_A")} == {7}
    model, ids = pico._language_model(), list(range(20, 70))
    parts = ((read_lora(one, "1", core), 1.0), (read_lora(two, "2", core), 0.25))
    chunk = Chunk(ids, 0, Span(0, len(ids)), Attached(adapters=parts), ())
    expected = core.logits(model.read([chunk]))
    torch.testing.assert_close(logits(pico, whole), expected, atol=1e-4, rtol=1e-4)


def test_what_has_no_form_in_peft_is_refused(core):
    low_rank, factors = adapter_of(lora(core, 1, 2)), scales(core, ("k_proj",))
    with pytest.raises(UsageError, match="both low-rank and scales"):
        to_peft({**low_rank, **factors}, "pico")
    with pytest.raises(UsageError, match="not both"):
        to_peft(scales(core, ("up_proj", "down_proj")), "pico")
    with pytest.raises(UsageError, match="cannot be added"):
        merged([(low_rank, 1.0), (factors, 1.0)])
    half = {name: array for name, array in low_rank.items() if name != f"{Q}.lora_B"}
    with pytest.raises(UsageError, match="needs both"):
        adapter_of(half)


def test_the_manifest_and_the_card_say_what_it_is(core, tmp_path):
    written = write_adapter(tmp_path / "x", lora(core, 1, 2), ABOUT)
    data = json.loads((tmp_path / "x" / "ipse.json").read_text())
    assert data["name"] == written.name
    assert data["lineage"] == ["r1", "r2"]
    assert data["facts"]["gate"]["serves"] == "adapter"
    card = (tmp_path / "x" / "README.md").read_text()
    for shown in (
        written.name,
        "library_name: peft",
        "user-adapter",
        "ada lovelace",
        "0.4 nats a token",
    ):
        assert shown in card
    assert all(path.stat().st_mode & 0o077 == 0 for path in [tmp_path / "x", *tmp_path.rglob("*")])


def test_a_person_can_be_left_out(core, tmp_path):
    write_adapter(tmp_path / "x", lora(core, 1, 2), ABOUT.anonymous())
    everything = b"".join(path.read_bytes() for path in (tmp_path / "x").iterdir())
    assert b"lovelace" not in everything
    assert b"r1" not in everything
    assert read_adapter(tmp_path / "x").manifest.records == 2


def test_a_folder_is_never_overwritten(core, tmp_path):
    write_adapter(tmp_path / "x", lora(core, 1, 2), ABOUT)
    before = read_adapter(tmp_path / "x").manifest
    with pytest.raises(UsageError, match="never overwritten"):
        write_adapter(tmp_path / "x", lora(core, 2, 2), ABOUT)
    assert read_adapter(tmp_path / "x").manifest == before
    (tmp_path / "empty").mkdir()
    write_adapter(tmp_path / "empty", lora(core, 2, 2), ABOUT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "x"]


def die_while_writing(folder, arrays, step):
    """Be killed at the n-th time that a file or folder gets its name or is synced."""
    count = 0

    def wrapped(call):
        def counted(*arguments, **named):
            nonlocal count
            if (count := count + 1) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return counted

    for name in ("fsync", "replace", "rename"):
        setattr(os, name, wrapped(getattr(os, name)))
    write_adapter(folder, arrays, ABOUT)


def test_killed_at_any_moment_there_is_a_whole_folder_or_none(core, tmp_path):
    arrays = lora(core, 1, 2)
    for step in range(1, 40):
        folder = tmp_path / str(step)
        child = FORK.Process(target=die_while_writing, args=(folder, arrays, step))
        child.start()
        child.join()
        if folder.exists():
            equal(dict(read_adapter(folder).arrays), adapter_of(arrays))
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
    assert step > 10


def test_a_disk_that_refuses_leaves_nothing(core, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(StoreFailure, match="No space left"):
        write_adapter(tmp_path / "x", lora(core, 1, 2), ABOUT)
    assert list(tmp_path.iterdir()) == []


class Bomb:
    """What a pickle can do to who reads it."""

    def __reduce__(self):
        return (os.system, ("touch exploded",))


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter.pt", "x.ckpt", "x.pkl"])
def test_a_pickle_is_refused_and_never_opened(core, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "x"
    write_adapter(folder, lora(core, 1, 2), ABOUT)
    (folder / "adapter_model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    for path in (folder, folder / name):
        with pytest.raises(InvalidFile, match=f"{name}.*is a pickle.*safetensors"):
            read_adapter(path)
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_under_the_name_of_safetensors_is_refused(core, tmp_path):
    write_adapter(tmp_path / "x", lora(core, 1, 2), ABOUT)
    (tmp_path / "x" / "adapter_model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InvalidFile, match="not a whole safetensors file"):
        read_adapter(tmp_path / "x")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"peft_type": "LOHA"}, "'LOHA' are not carried"),
        ({"use_dora": True}, "use_dora=True"),
        ({"bias": "all"}, "bias='all'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"r": 3}, "of rank 3"),
        ({"r": 0}, "give no scale"),
        ({"lora_alpha": None}, "give no scale"),
        ({"rank_pattern": {"(": 2}}, "no pattern"),
    ],
    ids=str,
)
def test_what_would_be_read_wrongly_is_refused(core, settings, says):
    config, weights = to_peft(adapter_of(lora(core, 1, 2)), "pico")
    with pytest.raises(InvalidFile, match=says.replace("(", r"\(")):
        from_peft({**config, **settings}, weights)


@pytest.mark.parametrize(
    "key",
    [
        "base_model.model.lm_head.weight",
        f"base_model.model.{Q}.lora_magnitude_vector",
        f"base_model.model.{Q}.lora_A.bias",
        f"{Q}.lora_A.weight",
        f"base_model.model.{Q}.ia3_l",
    ],
)
def test_a_tensor_that_would_be_lost_is_refused(core, key):
    config, weights = to_peft(adapter_of(lora(core, 1, 2)), "pico")
    with pytest.raises(InvalidFile, match="no part of a low-rank adapter"):
        from_peft(config, {**weights, key: np.ones((2, 2), np.float32)})


def test_half_an_adapter_or_none_is_refused(core):
    config, weights = to_peft(adapter_of(lora(core, 1, 2)), "pico")
    del weights[f"base_model.model.{Q}.lora_B.weight"]
    with pytest.raises(InvalidFile, match="only one of its two matrices"):
        from_peft(config, weights)
    with pytest.raises(InvalidFile, match="no tensor"):
        from_peft(config, {})


def test_inputs_that_ours_cannot_scale_are_refused(core):
    config, weights = to_peft(scales(core, ("o_proj",)), "pico")
    with pytest.raises(InvalidFile, match="scales of the inputs"):
        from_peft({**config, "feedforward_modules": ["o_proj"]}, weights)
    with pytest.raises(InvalidFile, match="no part of an"):
        from_peft(config, {**weights, "x": np.ones(2, np.float32)})


@pytest.mark.parametrize("harm", ["flipped", "config", "manifest", "gone", "no folder"])
def test_a_damaged_folder_is_an_error_that_says_so(core, tmp_path, harm):
    folder = tmp_path / "x"
    write_adapter(folder, lora(core, 1, 2), ABOUT)
    weights = folder / "adapter_model.safetensors"
    if harm == "flipped":
        data = weights.read_bytes()
        weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm in ("config", "manifest"):
        name = {"config": "adapter_config.json", "manifest": "ipse.json"}[harm]
        (folder / name).write_text("[1")
    elif harm == "gone":
        weights.unlink()
    else:
        folder = tmp_path / "nowhere"
    says = {"flipped": "damaged", "gone": "there is no", "no folder": "no folder"}
    with pytest.raises(InvalidFile, match=says.get(harm, "cannot read")):
        read_adapter(folder)
