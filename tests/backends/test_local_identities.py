"""What must come out the same: in a batch or alone, cached or not, with weights that cancel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

from ipse.backends.local import LocalBackend
from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Span
from ipse.backends.local.chunks import PLACE, Chunk
from ipse.backends.local.fusion import fuse
from ipse.backends.local.loop import Limits
from ipse.backends.local.lora import read_lora
from ipse.backends.local.sampling import draw, new_generator
from ipse.backends.local.weights import quiet
from ipse.plan import Adapter, Fusion, Message, Plan, Sampling, Steering, Stream
from tests.backends.attachments import ALL, Shelf, lora


@pytest.fixture(scope="module")
def shelf(pico) -> Shelf:
    return Shelf(pico._language_model().core)


@pytest.fixture(scope="module")
def lm(pico_path, shelf) -> Iterator[LocalBackend]:
    with closing(LocalBackend(str(pico_path), loader=shelf)) as backend:
        yield backend


def ask(text: str, **sampling) -> Plan:
    return Plan.ask(text, sampling=Sampling(**{"max_tokens": 20, **sampling}))


def with_(plan: Plan, **attached) -> Plan:
    return replace(plan, main=replace(plan.main, **attached))


BASE = ask("Why is this argument more convincing?")
PLANS = [
    BASE,
    with_(BASE, adapters=(Adapter("a"),)),
    with_(ask("School?", temperature=1.0, seed=3), adapters=(Adapter("b", 0.7),)),
    with_(ask("Water and plastic " * 5), adapters=(Adapter("b", 0.5), Adapter("c"), Adapter("a"))),
    with_(ask("Homework"), prefix="soft"),
    with_(ask("Reason"), adapters=(Adapter("scales", 0.6),)),
    with_(ask("Reasons?"), adapters=(Adapter("between"), Adapter("few scales"), Adapter("b"))),
    with_(ask("Freedom"), steering=(Steering("way", 0, 0.5), Steering("way/other", 1, -0.4, -1))),
    with_(
        ask("All of it", temperature=0.8, top_p=0.9, seed=5),
        adapters=(Adapter("several/x", 0.9),),
        prefix="soft",
        steering=(Steering("way", 1, 0.3, 2),),
    ),
    replace(
        with_(ask("Two", max_tokens=30), adapters=(Adapter("a"),)),
        others=(Stream((Message("user", "A longer reading of two"),), prefix="soft"),),
        fusion=Fusion("linear", (1.3, -0.3)),
    ),
]
TARGETS = [f"Because of {i} reasons" for i in range(len(PLANS))]


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.prompt_tokens == b.prompt_tokens
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5, rtol=1e-5)


def test_a_batch_is_one_by_one(lm):
    assert lm.generate(PLANS) == [lm.generate([plan])[0] for plan in PLANS]
    assert lm.generate(PLANS[::-1] * 3) == [lm.generate([plan])[0] for plan in PLANS[::-1]] * 3
    same(lm.score(PLANS, TARGETS), [lm.score([p], [t])[0] for p, t in zip(PLANS, TARGETS)])  # noqa: B905


def test_what_is_attached_matters(lm):
    texts = {lm.generate([with_(BASE, **attached)])[0].text for attached in (
        {}, {"adapters": (Adapter("a"),)}, {"adapters": (Adapter("a", 0.3),)},
        {"adapters": (Adapter("b"),)}, {"prefix": "soft"}, {"steering": (Steering("way", 0),)},
        {"steering": (Steering("way", 1),)}, {"steering": (Steering("way", 0, 1.0, -1),)},
    )}  # fmt: skip
    assert len(texts) == 8


def test_own_arrays_join_an_adapters_or_stand_in_for_them(lm, shelf):
    shelf.things["whole"] = shelf.things["a"] | shelf.things["up"]
    shelf.things["b in a"] = {f"b/{name}": value for name, value in shelf.things["b"].items()}
    for own, whole in (
        (Adapter("a", 0.7, "up"), Adapter("whole", 0.7)),
        (Adapter("b in a/b", own="c"), Adapter("b and c")),
    ):
        shelf.things["b and c"] = shelf.things["b"] | shelf.things["c"]
        joined, alone, base = (with_(BASE, adapters=(each,)) for each in
                               (own, whole, replace(own, own="")))  # fmt: skip
        same(lm.score([joined], TARGETS[:1]), lm.score([alone], TARGETS[:1]))
        assert lm.score([joined], TARGETS[:1]) != lm.score([base], TARGETS[:1])
    cancelled = with_(BASE, adapters=(Adapter("a", own="up"), Adapter("a", -1.0)))
    assert lm.score([cancelled], TARGETS[:1]) != lm.score([BASE], TARGETS[:1])


def test_streamed_is_whole(lm):
    for plan, reply in zip(PLANS, lm.generate(PLANS), strict=True):
        assert "".join(lm.stream(plan)) == reply.text


def slow_generate(lm: LocalBackend, plan: Plan) -> str:
    """Read everything anew for each token, one stream at a time."""
    place, written = lm._place(), list[int]()
    model, chance = place.model, new_generator(plan.sampling.seed)
    weights = plan.fusion.weights if plan.fusion else (1.0,)
    while len(written) < plan.sampling.max_tokens:
        each = []
        for stream in plan.streams:
            prompt = model.prompt(stream.messages)
            with place.attachments.attaching(stream) as attached:
                ids = [PLACE] * attached.length + prompt + written
                span, steering = Span(0, len(ids)), attached.steered(len(prompt))
                states = model.read([Chunk(ids, 0, span, attached, steering)])
            each.append(model.logprobs(states[-1]))
        fused = fuse("linear", torch.stack(each), weights)
        written.append(draw(fused, plan.sampling, chance))
        if written[-1] in model.ends:
            break
    return model.tokenizer.decode(written, skip_special_tokens=True)


def test_generate_is_the_slow_generate(lm):
    assert [reply.text for reply in lm.generate(PLANS)] == [slow_generate(lm, p) for p in PLANS]


ZERO = [
    {"adapters": (Adapter("a", 0.0),)},
    {"adapters": (Adapter("a"), Adapter("a", -1.0))},
    {"adapters": (Adapter("scales"), Adapter("between", 0.0), Adapter("scales", -1.0))},
    {"steering": (Steering("way", 0, 0.0),)},
    {"steering": (Steering("way", 1, 0.8), Steering("way", 1, -0.8))},
]


@pytest.mark.parametrize("nothing", ZERO)
def test_what_cancels_is_the_base(lm, nothing):
    plan = with_(BASE, **nothing)
    assert lm.generate([plan, PLANS[1], BASE])[0].text == lm.generate([BASE])[0].text
    same(lm.score([plan], ["Because"]), lm.score([BASE], ["Because"]))


@pytest.mark.parametrize("plan", PLANS[:9])
def test_contrast_of_equal_streams_is_the_stream(lm, plan):
    alone = lm.generate([plan])[0].text
    for fusion in (Fusion("linear", (1.7, -0.7)), Fusion("contrast", (2.5, 1.0))):
        twice = replace(plan, others=(plan.main,), fusion=fusion)
        assert lm.generate([twice])[0].text == alone


def test_joining_and_leaving_changes_nobodys_tokens(lm):
    alone = [lm.generate([plan])[0].text for plan in PLANS]
    streams, texts = [], [""] * len(PLANS)
    for i, plan in enumerate(PLANS):
        streams.append(lm.stream(plan))
        passing = lm.stream(PLANS[(i + 3) % len(PLANS)])
        next(passing)
        texts[i] += next(streams[i])
        passing.close()
        lm.generate([PLANS[(i + 1) % len(PLANS)]])
    for i, stream in enumerate(streams):
        texts[i] += "".join(stream)
    assert texts == alone


def test_a_cached_beginning_is_the_recomputed_one(pico_path, shelf):
    systems = ["You are pico. " * n for n in (6, 6, 7, 3)]
    plans = [
        replace(plan, main=replace(plan.main, messages=(Message("system", system), *said)))
        for system in systems
        for plan in PLANS
        for said in [plan.main.messages]
    ]
    path = str(pico_path)
    with (
        closing(LocalBackend(path, loader=shelf)) as caching,
        closing(LocalBackend(path, loader=shelf, limits=Limits(kept=0))) as recomputing,
        closing(LocalBackend(path, loader=shelf, limits=Limits(kept=60_000))) as forgetting,
    ):
        expected = recomputing.generate(plans)
        assert caching.generate(plans) == expected
        assert caching.generate(plans[::-1]) == expected[::-1]
        assert forgetting.generate(plans) == expected
        kept = [b._place().runner.beginnings.nbytes for b in (caching, recomputing, forgetting)]
        assert kept[0] > 60_000 >= kept[2] > kept[1] == 0


def test_a_shared_beginning_is_read_once(pico_path, monkeypatch):
    with closing(LocalBackend(str(pico_path))) as lm:
        plan = ask("Why?", temperature=1.0)
        plan = replace(plan, candidates=8, main=plan.main.with_context("This person. " * 20))
        runner = lm._place().runner
        read: list[int] = []
        spans = runner._spans
        monkeypatch.setattr(
            runner,
            "_spans",
            lambda budget: (found := spans(budget)) and (read.extend(n for _, n in found) or found),
        )
        reply = lm.generate([plan])[0]
        assert reply.prompt_tokens < sum(read) < reply.prompt_tokens + 8 * 16
        assert len(set(reply.candidates)) == 8


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("rank", "modules"), [(4, ALL), (3, ("q_proj", "v_proj")), (1, ALL[3:])])
def test_lora_is_pefts(pico, rank, modules):
    check_lora(pico, pico.model, rank, modules)


def check_lora(lm, folder, rank: int, modules: tuple[str, ...], size: float = 0.3):
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    model = lm._language_model()
    arrays = lora(model.core, 5, rank, modules, size)
    with quiet():
        theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    settings = peft.LoraConfig(r=rank, lora_alpha=rank / 2, target_modules=list(modules))
    theirs = peft.get_peft_model(theirs, settings).eval()
    state = theirs.state_dict()
    for key, array in arrays.items():
        if key != "scale":
            state[f"base_model.model.{key}.default.weight"].copy_(torch.from_numpy(array))
    ids = list(range(20, 70))
    attached = Attached(adapters=((read_lora(arrays, "x", model.core), 1.0),))
    ours = model.core.logits(model.read([Chunk(ids, 0, Span(0, len(ids)), attached, ())]))
    with torch.no_grad():
        expected = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    assert (expected - model.network(torch.tensor([ids])).logits[0]).abs().max() > 0.1


def test_prefix_and_steering_are_what_they_say(pico, lm, shelf):
    model = lm._language_model()
    network = model.network
    plan = with_(ask("Why?"), prefix="soft", steering=(Steering("way", 0, 0.5, -2),))
    prompt, target = model.prompt(plan.main.messages), model.tokens("Because it is so")
    soft = torch.from_numpy(shelf.things["soft"]["prefix"])
    vector = 0.5 * torch.from_numpy(shelf.things["way"]["vector"])
    embedded = network.get_input_embeddings()(torch.tensor(prompt + target))
    first = len(soft) + len(prompt) - 2

    def steer(_module, _inputs, output):
        output[:, first:] += vector
        return output

    hook = network.model.layers[0].register_forward_hook(steer)
    with torch.no_grad():
        logits = network(inputs_embeds=torch.cat([soft, embedded])[None]).logits[0]
    hook.remove()
    logprobs = torch.log_softmax(logits, -1)[len(soft) + len(prompt) - 1 : -1]
    expected = logprobs[range(len(target)), target]
    score = lm.score([plan], ["Because it is so"])[0]
    np.testing.assert_allclose(score.logprobs, expected, atol=1e-4)


def test_half_precision_carries_everything(pico_path, shelf):
    with closing(LocalBackend(str(pico_path), loader=shelf, dtype="bfloat16")) as half:
        assert all(reply.tokens for reply in half.generate(PLANS))
        assert all(np.isfinite(score.nats) for score in half.score(PLANS, TARGETS))


def test_the_loaded_model_is_left_as_it_was(lm, pico_path):
    from transformers import AutoModelForCausalLM

    lm.generate(PLANS)
    with quiet():
        fresh = AutoModelForCausalLM.from_pretrained(pico_path, dtype=torch.float32).state_dict()
    for name, weight in lm._language_model().network.state_dict().items():
        assert torch.equal(weight, fresh[name]), name
