"""How fast people who arrive at any time are served, each with an adapter of their own.

    python benchmarks/serving.py [--quick] [--json]

The embedded model in float32; 64 requests from 64 people at random moments, while earlier ones are
still being written, each for 64 tokens. The clock runs from the first arrival to the last token.

    serving_over_generate   tokens a second, over `transformers.generate` one request at a time
                            (timed on a few of the same requests, without adapters)
    serving_over_llama_cpp  the same over llama.cpp's Q4_1 file of the same model, without adapters,
                            one request at a time, where `xllamacpp` is installed
    first_token_ms_50, _95  from a request's arrival to its first text: median and 95th percentile
    tokens_per_second_...   what the ratios are made of
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from threading import Thread
from typing import Any

import numpy as np
import torch
from _bench import arguments, report, seconds
from _models import ask, open_model, personal, ratio, rounds

from ipse.backends.local import LocalBackend
from ipse.backends.local.weights import embedded_gguf
from ipse.plan import Plan


def main() -> None:
    options = arguments(__doc__)
    people, tokens, repeats, alone = (16, 16, 1, 2) if options.quick else (64, 64, 5, 4)
    lm = open_model(people)
    plans = [ask(person, tokens) for person in range(people)]
    mixed = [replace(plan, main=personal(plan.main, i)) for i, plan in enumerate(plans)]
    lm.generate(mixed)
    waits: list[float] = []
    whole = seconds(lambda: lm.generate(mixed))
    calls: dict[str, Callable[[], float]] = {
        "ipse": lambda: people * tokens / serve(lm, mixed, 0.5 * whole, waits),
        "generate": lambda: alone * tokens / seconds(lambda: generate(lm, plans[:alone], tokens)),
    }
    if find_spec("xllamacpp"):
        model = llama(embedded_gguf())
        calls["llama_cpp"] = lambda: (
            alone * tokens / seconds(lambda: ask_llama(model, lm, plans[:alone], tokens))
        )
    found = rounds(calls, repeats)
    figures: dict[str, float] = {}
    units: dict[str, str] = {}
    for other in list(calls)[1:]:
        name = f"serving_over_{other}"
        figures[name], units[name] = ratio(found["ipse"], found[other])
    for name, values in found.items():
        figures[f"tokens_per_second_{name}"] = statistics.median(values)
    for share in (50, 95):
        figures[f"first_token_ms_{share}"] = 1000 * float(np.percentile(waits, share))
    packages = ("ipse", "torch", "transformers", "xllamacpp")
    report("Serving people as they come", figures, options, packages, units)


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


def generate(lm: LocalBackend, plans: list[Plan], tokens: int) -> None:
    """Answer one after the other with transformers' own loop and cache."""
    model = lm._language_model()
    with torch.inference_mode():
        for plan in plans:
            model.network.generate(
                torch.tensor([model.prompt(plan.main.messages)]),
                min_new_tokens=tokens,
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=2,
            )


def llama(path: Any) -> Any:
    """Open llama.cpp's server in this process, without a port of its own in use."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = 1024
    settings.n_parallel = 1
    settings.cpuparams.n_threads = torch.get_num_threads()
    settings.cpuparams_batch.n_threads = torch.get_num_threads()
    settings.warmup = True
    return xllamacpp.Server(settings)


def ask_llama(model: Any, lm: LocalBackend, plans: list[Plan], tokens: int) -> None:
    """Answer one after the other, each for exactly so many tokens."""
    own = lm._language_model()
    for plan in plans:
        prompt = own.prompt(plan.main.messages)
        asked = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "ignore_eos": True}
        answer = model.handle_completions(asked)
        assert answer


if __name__ == "__main__":
    main()
