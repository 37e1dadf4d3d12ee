"""How fast people who arrive at any time are served, each with an adapter of their own.

    python benchmarks/serving.py [--quick] [--json] [--vllm PYTHON]

The embedded model in float32; 64 requests from 64 people at random moments, while earlier ones are
still being written, each for 64 tokens. The clock runs from the first arrival to the last token.
Rounds of all contestants follow each other, and a figure is the median ratio within rounds.

    serving_over_generate   tokens a second, over `transformers.generate` one request at a time
                            (timed on a few of the same requests, without adapters)
    serving_over_llama_cpp  the same over llama.cpp's Q4_1 file of the same model, without adapters,
                            one request at a time, where `xllamacpp` is installed
    serving_over_llama_cpp_lora   the same, switching to the next person's adapter at each request
    many_adapters_over_vllm 32 requests at once with 32 adapters, over vLLM's tokens a second, it in
                            bfloat16 where the processor knows that, else in float32; only with
                            `--vllm`, the Python of an environment with vLLM
    many_over_vllm          the same without adapters
    first_token_ms_50, _95  from a request's arrival to its first text: median and 95th percentile
    tokens_per_second_...   what the ratios are made of
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import numpy as np
import torch
from _bench import arguments, report, seconds
from _models import adapter, ask, open_model, personal, ratio, rounds
from _others import Llama, Vllm, gguf_adapter, peft_adapter

from ipse.backends.local import LocalBackend
from ipse.backends.local.weights import EMBEDDED, embedded_gguf, model_folder
from ipse.plan import Plan

RANK = 8
ASKED = itertools.count()
Speed = Callable[[], float]
"""Runs a contestant once and gives its tokens a second."""


def main() -> None:
    options = arguments(__doc__, vllm="the Python of an environment with vLLM")
    people, tokens, repeats = (16, 16, 1) if options.quick else (64, 64, 5)
    waits: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lm = open_model(people)
        calls = ours(lm, people, tokens, waits)
        calls |= one_at_a_time(lm, people // 16, tokens, folder)
        if options.vllm:
            others = many(lm, people // 2, tokens, folder, Path(options.vllm))
            calls |= stack.enter_context(others)
        found = rounds(calls, repeats)
    figures: dict[str, float] = {}
    units: dict[str, str] = {}
    for name, over, under in (
        ("serving_over_generate", "ipse", "generate"),
        ("serving_over_llama_cpp", "ipse", "llama_cpp"),
        ("serving_over_llama_cpp_lora", "ipse", "llama_cpp_lora"),
        ("many_adapters_over_vllm", "many_adapters", "vllm_adapters"),
        ("many_over_vllm", "many", "vllm"),
    ):
        if under in found:
            figures[name], units[name] = ratio(found[over], found[under])
    for name, values in found.items():
        figures[f"tokens_per_second_{name}"] = statistics.median(values)
    for share in (50, 95):
        figures[f"first_token_ms_{share}"] = 1000 * float(np.percentile(waits, share))
    packages = ("ipse", "torch", "transformers", "xllamacpp")
    report("Serving people as they come", figures, options, packages, units)


def fresh(count: int, tokens: int) -> list[Plan]:
    """Give questions that nobody asked before, so that nobody has read them already."""
    return [ask(next(ASKED), tokens) for _ in range(count)]


def mixed(plans: list[Plan]) -> list[Plan]:
    """Give plans each with an adapter of its own."""
    return [replace(plan, main=personal(plan.main, i)) for i, plan in enumerate(plans)]


def ours(lm: LocalBackend, people: int, tokens: int, waits: list[float]) -> dict[str, Speed]:
    """Serve people who come one after the other, for half the time that all at once take."""
    lm.generate(mixed(fresh(people, tokens)))
    whole = seconds(lambda: lm.generate(mixed(fresh(people, tokens))))
    return {
        "ipse": lambda: (
            people * tokens / serve(lm, mixed(fresh(people, tokens)), 0.5 * whole, waits)
        )
    }


def one_at_a_time(lm: LocalBackend, people: int, tokens: int, folder: Path) -> dict[str, Speed]:
    """Serve one request after the other by what others have made."""

    def speed(write: Callable[[list[list[int]]], object]) -> float:
        ids = prompts(lm, fresh(people, tokens))
        return people * tokens / seconds(lambda: write(ids))

    calls: dict[str, Speed] = {"generate": lambda: speed(lambda ids: generate(lm, ids, tokens))}
    if find_spec("xllamacpp"):
        adapters = [
            gguf_adapter(adapter(lm, person, RANK), RANK, folder / f"{person}.gguf")
            for person in range(people)
        ]
        llama = Llama(embedded_gguf(), adapters)
        calls["llama_cpp"] = lambda: speed(lambda ids: llama.write(ids, tokens, False))
        calls["llama_cpp_lora"] = lambda: speed(lambda ids: llama.write(ids, tokens, True))
    return calls


@contextmanager
def many(
    lm: LocalBackend, people: int, tokens: int, folder: Path, python: Path
) -> Iterator[dict[str, Speed]]:
    """Serve many requests at once, with and without adapters, here and by vLLM."""
    adapters = [
        peft_adapter(adapter(lm, person, RANK), RANK, folder / str(person))
        for person in range(people)
    ]

    def here(dress: Callable[[list[Plan]], list[Plan]]) -> float:
        plans = dress(fresh(people, tokens))
        return people * tokens / seconds(lambda: lm.generate(plans))

    def there(adapters: list[Path]) -> float:
        ids = prompts(lm, fresh(people, tokens))
        return people * tokens / vllm.write(ids, adapters, tokens)

    with Vllm(python, model_folder(EMBEDDED), people, dtype()) as vllm:
        vllm.write(prompts(lm, fresh(people, tokens)), adapters, 4)
        yield {
            "many_adapters": lambda: here(mixed),
            "vllm_adapters": lambda: there(adapters),
            "many": lambda: here(lambda plans: plans),
            "vllm": lambda: there([]),
        }


def dtype() -> str:
    """Give the format that vLLM is faster in here."""
    return "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"


def prompts(lm: LocalBackend, plans: list[Plan]) -> list[list[int]]:
    """Give the tokens that are read for each plan."""
    return [lm._language_model().prompt(plan.main.messages) for plan in plans]


def serve(lm: LocalBackend, plans: list[Plan], window: float, waits: list[float]) -> float:
    """Give the seconds from the first arrival to the last token, and note the first waits."""
    chance = random.Random(len(waits))
    arrivals = sorted(chance.uniform(0, window) for _ in plans)
    start = time.perf_counter()
    ends: list[float] = []

    def person(plan: Plan, arrival: float) -> None:
        time.sleep(max(0.0, start + arrival - time.perf_counter()))
        asked = time.perf_counter()
        pieces = lm.stream(plan)
        next(pieces)
        waits.append(time.perf_counter() - asked)
        for _ in pieces:
            pass
        ends.append(time.perf_counter())

    threads = [Thread(target=person, args=each) for each in zip(plans, arrivals, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(ends) - (start + arrivals[0])


def generate(lm: LocalBackend, prompts: list[list[int]], tokens: int) -> None:
    """Answer one after the other with transformers' own loop and cache."""
    with torch.inference_mode():
        for ids in prompts:
            lm._language_model().network.generate(
                torch.tensor([ids]),
                min_new_tokens=tokens,
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=2,
            )


if __name__ == "__main__":
    main()
