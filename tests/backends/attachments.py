"""Made-up adapters, prefixes and steering vectors for a small model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def lora(
    core: Any, seed: int, rank: int, modules: tuple[str, ...] = ALL, size: float = 0.3
) -> dict[str, NDArray]:
    """Make up an adapter that changes what the model says."""
    chance = np.random.default_rng(seed)
    arrays: dict[str, NDArray] = {"scale": np.float32(0.5)}
    for module, part in core.parts.items():
        if module.endswith(modules):
            outputs = part.outputs.stop - part.outputs.start
            a = chance.standard_normal((rank, core.inputs(part)), np.float32)
            arrays[f"{module}.lora_A"] = size * a
            arrays[f"{module}.lora_B"] = size * chance.standard_normal((outputs, rank), np.float32)
    return arrays


def scales(core: Any, seed: int, modules: tuple[str, ...] = ALL) -> dict[str, NDArray]:
    """Make up factors that change what the model says."""
    chance = np.random.default_rng(seed)
    return {
        f"{module}.scales": chance.normal(1, 0.4, part.outputs.stop - part.outputs.start).astype(
            "f4"
        )
        for module, part in core.parts.items()
        if module.endswith(modules)
    }


def between(core: Any, seed: int, rank: int, modules: tuple[str, ...] = ALL) -> dict[str, NDArray]:
    """Make up an adapter with something between its two matrices."""
    chance = np.random.default_rng(seed)
    arrays = lora(core, seed, rank, modules)
    for key in [key for key in arrays if key.endswith("lora_A")]:
        arrays[key.replace("lora_A", "lora_C")] = chance.standard_normal(rank, np.float32)
    return arrays


class Shelf:
    """A loader with a few things on it; counts what is taken."""

    def __init__(self, core: Any) -> None:
        chance = np.random.default_rng(9)
        self.things: dict[str, dict[str, NDArray]] = {
            "a": lora(core, 1, 4),
            "b": lora(core, 2, 2, ("q_proj", "v_proj")),
            "c": lora(core, 3, 7, ("o_proj", "down_proj")),
            "scales": scales(core, 5),
            "few scales": scales(core, 6, ("k_proj", "up_proj")),
            "between": between(core, 4, 3, ("q_proj", "k_proj", "down_proj")),
            "several": {f"x/{k}": v for k, v in lora(core, 1, 4).items()},
            "up": {k: v for k, v in lora(core, 4, 4).items() if k.endswith("q_proj.lora_B")},
            "soft": {"prefix": chance.standard_normal((5, core.hidden)).astype(np.float32)},
            "way": {
                "vector": chance.standard_normal(core.hidden).astype(np.float32),
                "other": chance.standard_normal(core.hidden).astype(np.float32),
            },
            "strange": {"model.layers.9.mlp.up_proj.lora_A": np.zeros((1, 2), np.float32)},
            "wide": {"prefix": np.zeros((2, core.hidden + 1), np.float32)},
            "half": {
                "model.layers.0.mlp.up_proj.lora_A": np.zeros((2, core.hidden + 1), np.float32),
                "model.layers.0.mlp.up_proj.lora_B": np.zeros((64, 2), np.float32),
            },
        }
        self.taken: list[str] = []

    def __call__(self, name: str) -> dict[str, NDArray]:
        self.taken.append(name)
        if name == "broken":
            raise RuntimeError("the disk is on fire")
        if name not in self.things:
            raise FileNotFoundError(name)
        return self.things[name]
