"""How fast a batch of people with adapters of their own is written, and what contrast costs.

    python benchmarks/decode.py [--quick] [--json]

The embedded model in float32, made-up adapters of rank 8 on q, k, v and o, prompts of about 50
tokens. A decode figure is the time from the first token to the last. Rounds of all contestants
follow each other, and a figure is the median ratio within rounds.

    mixed_over_base_N       tokens a second of N people in a batch of N, over no adapters at all
    mixed_over_peft_N       the same, over PEFT's `adapter_names` with `transformers.generate`
    zipf_over_8             requests of 1,000 people by a Zipf law with exponent 1, over 8 people's
    two_stream_cost         seconds a token of a two-stream method, over plain decoding, 8 at once
    cached_over_recompute   seconds for 256 new tokens of a two-stream method by a faithful uncached
                            reference, timed at five lengths and summed up, over ours
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bench import arguments, report, seconds
from _models import adapter, ask, open_model, personal, ratio, rounds
from peft import LoraConfig, get_peft_model

from ipse import tensors
from ipse.backends.limits import Limits
from ipse.backends.local import LocalBackend
from ipse.plan import Adapter, Fusion, Plan

CONTEXT = "This person wrote before: I like short answers with one clear reason. " * 8


def main() -> None:
    options = arguments(__doc__)
    tokens, repeats, people = (8, 1, 40) if options.quick else (16, 5, 1000)
    lm = open_model(32)
    figures, units = {}, {}
    calls: dict[str, Callable[[], float]] = {}
    for size in (8,) if options.quick else (8, 32):
        plain = [ask(person, tokens) for person in range(size)]
        mixed = [replace(plan, main=personal(plan.main, i)) for i, plan in enumerate(plain)]
        calls[f"base_{size}"] = lambda plans=plain: decoding(lm, plans)
        calls[f"mixed_{size}"] = lambda plans=mixed: decoding(lm, plans)
    calls["two_8"] = lambda: decoding(lm, [contrast(person, tokens) for person in range(8)])
    theirs = with_peft(lm, 8 if options.quick else 32)
    for size in (8,) if options.quick else (8, 32):
        calls[f"peft_{size}"] = lambda size=size: peft_decoding(lm, theirs, size, tokens)
    found = rounds(calls, repeats)
    for size in (8,) if options.quick else (8, 32):
        for other in ("base", "peft"):
            name = f"mixed_over_{other}_{size}"
            figures[name], units[name] = ratio(found[f"{other}_{size}"], found[f"mixed_{size}"])
    name = "two_stream_cost"
    figures[name], units[name] = ratio(found["two_8"], found["base_8"])
    for name, values in found.items():
        size = int(name.split("_")[1])
        figures[f"tokens_per_second_{name}"] = size * (tokens - 1) / float(np.median(values))
    calls.clear()
    figures["cached_over_recompute"] = over_recompute(lm, 16 if options.quick else 256)
    figures["zipf_over_8"], units["zipf_over_8"] = zipf(lm, people, tokens, repeats)
    packages = ("ipse", "torch", "transformers", "peft")
    report("Decoding for everybody in one batch", figures, options, packages, units)


def decoding(lm: LocalBackend, plans: Sequence[Plan]) -> float:
    """Give the seconds from the first token to the last; prompts were read in an earlier round."""
    short = [replace(p, sampling=replace(p.sampling, max_tokens=1)) for p in plans]
    lm.generate(short)
    begin = seconds(lambda: lm.generate(short))
    return seconds(lambda: lm.generate(plans)) - begin


def contrast(person: int, tokens: int) -> Plan:
    """Give a plan of two streams: with a person's context and without."""
    plan = ask(person, tokens)
    informed = ask(person, tokens, CONTEXT).main
    return replace(plan, main=informed, others=(plan.main,), fusion=Fusion("linear", (1.5, -0.5)))


def with_peft(lm: LocalBackend, people: int) -> Any:
    """Load the same adapters into PEFT, over weights of its own."""
    from transformers import AutoModelForCausalLM

    from ipse.backends.local.weights import EMBEDDED, model_folder

    network = AutoModelForCausalLM.from_pretrained(model_folder(EMBEDDED), dtype=torch.float32)
    names = ["q_proj", "k_proj", "v_proj", "o_proj"]
    settings = LoraConfig(r=8, lora_alpha=16, target_modules=names, bias="none")
    model = get_peft_model(network, settings, adapter_name="0")
    for person in range(1, people):
        model.add_adapter(str(person), settings)
    state = model.state_dict()
    for person in range(people):
        for key, array in adapter(lm, person, 8).items():
            if key != "scale":
                state[f"base_model.model.{key}.{person}.weight"].copy_(torch.from_numpy(array))
    return model.eval()


def peft_decoding(lm: LocalBackend, model: Any, size: int, tokens: int) -> float:
    """Give PEFT's seconds from the first token to the last."""
    own = lm._language_model()
    prompts = [own.prompt(ask(person, tokens).main.messages) for person in range(size)]
    width = max(map(len, prompts))
    ids = torch.tensor([[2] * (width - len(p)) + list(p) for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])

    def write(count: int) -> None:
        model.generate(
            input_ids=ids,
            attention_mask=mask,
            adapter_names=[str(person) for person in range(size)],
            min_new_tokens=count,
            max_new_tokens=count,
            do_sample=False,
            pad_token_id=2,
        )

    with torch.inference_mode():
        begin = seconds(lambda: write(1))
        return seconds(lambda: write(tokens)) - begin


def over_recompute(lm: LocalBackend, tokens: int) -> float:
    """Give how many times longer the reference takes, which reads both prompts at each token."""
    plan = contrast(0, tokens)
    ours = seconds(lambda: lm.generate([plan]))
    model = lm._language_model()
    prompts = [model.prompt(stream.messages) for stream in plan.streams]

    def token(written: int) -> None:
        for prompt in prompts:
            ids = torch.tensor([[*prompt, *[5] * written]])
            model.network(ids, use_cache=False, logits_to_keep=1)

    with torch.inference_mode():
        token(0)
        lengths = np.linspace(0, tokens - 1, 5).astype(int)
        timed = [seconds(lambda n=int(n): token(n)) for n in lengths]
    return float(np.interp(np.arange(tokens), lengths, timed).sum() / ours)


def zipf(lm: LocalBackend, people: int, tokens: int, repeats: int) -> tuple[float, str]:
    """Give the throughput of many people's requests over that of 8, eight at a time."""
    with tempfile.TemporaryDirectory() as folder:
        for person in range(people):
            arrays = adapter(lm, person, 8)
            halves = {k: v.astype(np.float16) if v.ndim else v for k, v in arrays.items()}
            tensors.write(Path(folder, f"{person}.safetensors"), halves)
        few = LocalBackend(
            limits=Limits(rows=8),
            loader=lambda name: tensors.read(Path(folder, f"{name}.safetensors")),
        )
        few._language_model().__dict__["ends"] = frozenset()
        chance = random.Random(0)
        ranks = [1 / (rank + 1) for rank in range(people)]
        count = 8 * (2 if repeats == 1 else 4)
        asked = itertools.count()

        def serve(drawn: Sequence[int]) -> float:
            plans = [served(person, next(asked), tokens) for person in drawn]
            return seconds(lambda: few.generate(plans))

        serve(range(8))
        calls = {
            "eight": lambda: serve([i % 8 for i in range(count)]),
            "zipf": lambda: serve(chance.choices(range(people), ranks, k=count)),
        }
        found = rounds(calls, repeats)
        few.close()
    return ratio(found["eight"], found["zipf"])


def served(person: int, number: int, tokens: int) -> Plan:
    """Give a person's question, which nobody asked before."""
    plan = ask(number, tokens)
    return replace(plan, main=replace(plan.main, adapters=(Adapter(str(person)),)))


if __name__ == "__main__":
    main()
