"""What the benchmarks of the engine share: the embedded model, made-up adapters, rounds in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ipse.backends.limits import Limits
from ipse.backends.local import LocalBackend
from ipse.plan import Adapter, Plan, Sampling, Stream

__all__ = ["adapter", "ask", "open_model", "personal", "ratio", "rounds"]

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")
"""What the adapters change: every projection of attention."""
CONSOLE = Console(stderr=True)
"""Tells how far a long benchmark is."""
QUESTION = "Person {}: which argument about school uniforms convinces you more, and why is that so?"


def open_model(adapters: int, limits: Limits | None = None, rank: int = 8) -> LocalBackend:
    """Open the embedded model with made-up adapters `0`, `1`, ..., and let no answer end early."""
    lm = LocalBackend(limits=limits, loader=lambda name: adapter(lm, int(name), rank))
    lm._language_model().__dict__["ends"] = frozenset()
    assert adapters >= 0
    return lm


def adapter(lm: LocalBackend, seed: int, rank: int) -> dict[str, NDArray[Any]]:
    """Make up an adapter for every attention projection of every layer."""
    core = lm._language_model().core
    chance = np.random.default_rng(seed)
    arrays: dict[str, NDArray[Any]] = {"scale": np.float32(2.0)}
    for module, part in core.parts.items():
        if module.endswith(MODULES):
            outputs = part.outputs.stop - part.outputs.start
            a = chance.standard_normal((rank, core.inputs(part)), np.float32)
            b = chance.standard_normal((outputs, rank), np.float32)
            arrays[f"{module}.lora_A"] = 0.02 * a
            arrays[f"{module}.lora_B"] = 0.02 * b
    return arrays


def ask(person: int, tokens: int, system: str = "") -> Plan:
    """Give a plain plan that writes so many tokens."""
    return Plan.ask(QUESTION.format(person), system=system, sampling=Sampling(max_tokens=tokens))


def personal(stream: Stream, person: int) -> Stream:
    """Give a stream with a person's adapter."""
    return Stream(stream.messages, adapters=(Adapter(str(person)),))


def rounds(calls: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Run each call in turn, again and again, so that all meet the same weather."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            found[name].append(call())
            CONSOLE.print(f"{name} {found[name][-1]:.3g}", style="dim")
    return found


def ratio(over: list[float], under: list[float]) -> tuple[float, str]:
    """Give the median of the ratios of rounds, and their range in words."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    return statistics.median(each), f"{min(each):.2f} to {max(each):.2f} of {len(each)}"
