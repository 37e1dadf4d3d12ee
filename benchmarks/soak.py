"""Whether the engine holds out: many requests of every kind from many threads.

    python benchmarks/soak.py [--quick] [--json]

A random model of 30,000 weights, so that what is tested is the loop and not the arithmetic. Sixteen
threads ask for answers of any length, with adapters and without, give some up half way, name
adapters that are not there, and send prompts that are too long.

    requests        how many were made
    answered, cancelled, refused   how many ended so; together they are all of them
    unended         requests that ended in no way, or in two; should be 0
    memory_growth   resident memory in the last quarter over the second quarter, medians
    seconds         how long it took
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread

import psutil
import torch
from _bench import arguments, report
from tests.backends.attachments import lora
from tests.pico import save_pico

from ipse.backends.limits import Limits
from ipse.backends.local import LocalBackend
from ipse.errors import IpseError
from ipse.plan import Adapter, Plan, Sampling

THREADS, PEOPLE = 16, 200


def main() -> None:
    options = arguments(__doc__)
    count = 320 if options.quick else 2000
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = str(save_pico(Path(folder)))
        lm = LocalBackend(path, loader=lambda name: load(lm, name), limits=Limits(attached=2 << 20))
        lm._language_model()
        start = time.perf_counter()
        ends, memory = soak(lm, count)
        took = time.perf_counter() - start
        lm.close()
    quarter = len(memory) // 4
    second, last = memory[quarter : 2 * quarter], memory[-quarter:]
    figures = {
        "requests": float(count),
        "answered": float(ends["answered"]),
        "cancelled": float(ends["cancelled"]),
        "refused": float(ends["refused"]),
        "unended": float(abs(count - sum(ends.values()))),
        "memory_growth": statistics.median(last) / statistics.median(second),
        "seconds": took,
    }
    report("Soak", figures, options, ("ipse", "torch", "transformers"))


def load(lm: LocalBackend, name: str) -> dict:
    """Make up the adapter of that person; others are not there."""
    if not name.isdecimal():
        raise FileNotFoundError(name)
    return lora(lm._language_model().core, int(name), 1 + int(name) % 8)


def soak(lm: LocalBackend, count: int) -> tuple[Counter[str], list[int]]:
    """Run all requests; give how each ended, and the resident bytes after each."""
    ends: Counter[str] = Counter()
    memory: list[int] = []
    lock, process = Lock(), psutil.Process()

    def run(thread: int) -> None:
        chance = random.Random(thread)
        for _ in range(count // THREADS):
            end = one(lm, chance)
            with lock:
                ends[end] += 1
                memory.append(process.memory_info().rss)

    threads = [Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends, memory


def one(lm: LocalBackend, chance: random.Random) -> str:
    """Make one request of a random kind; say how it ended."""
    kind = chance.choice(["plain", "adapter", "adapter", "stop", "missing", "large"])
    plan = Plan.ask("word " * chance.randint(1, 90), sampling=Sampling(chance.randint(1, 60), 0.7))
    name = {"missing": "nobody", "plain": ""}.get(kind, str(chance.randrange(PEOPLE)))
    if kind == "large":
        plan = Plan.ask("word " * 2000)
    elif name:
        plan = replace(plan, main=replace(plan.main, adapters=(Adapter(name),)))
    try:
        if kind == "stop":
            pieces = lm.stream(plan)
            for _ in range(chance.randint(1, 5)):
                next(pieces, "")
            pieces.close()
            return "cancelled"
        lm.generate([plan])
    except IpseError:
        return "refused"
    return "answered"


if __name__ == "__main__":
    main()
