"""Adapters in PEFT's form, a configuration and named tensors, and back. Numpy only.

Ours are the arrays that `ipse.lm.Loader` describes. PEFT's low-rank weights (2106.09685) have the
same matrices under longer names; its (IA)^3 (2205.05638) scales the inputs of `down_proj`, where
ours scales the outputs of `up_proj`, which are the same numbers. This file knows no files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.errors import InvalidFile, UsageError
from ipse.tensors import Arrays

__all__ = ["adapter_of", "from_peft", "merged", "to_peft"]

_A, _B, _C, _SCALES = ".lora_A", ".lora_B", ".lora_C", ".scales"
_HEAD = "base_model.model."
_LORA_KEY = re.compile(rf"{re.escape(_HEAD)}(.+)\.lora_(A\.weight|B\.weight|B\.bias)")
_IA3_KEY = re.compile(rf"{re.escape(_HEAD)}(.+)\.ia3_l")
_UP, _DOWN = ".up_proj", ".down_proj"

_CHANGING = (
    "use_dora", "use_qalora", "use_bdlora", "alora_invocation_tokens", "layer_replication",
    "trainable_token_indices", "target_parameters", "modules_to_save", "arrow_config",
    "kasa_config", "monteclora_config", "velora_config", "megatron_config", "fan_in_fan_out",
)  # fmt: skip
"""PEFT's settings that change what the matrices mean, and that nothing here carries."""

Array = NDArray[Any]


def adapter_of(arrays: Arrays, part: str = "") -> dict[str, Array]:
    """Give the arrays of an adapter alone, each with what it needs.

    Args:
        arrays: The arrays of a state.
        part: Which of several things it holds; "" is the state itself.

    Returns:
        The adapter, its `scale` always there where it is low-rank.

    Raises:
        UsageError: If there is no adapter, or only half of one.
    """
    head = f"{part}/" if part else ""
    own = {n.removeprefix(head): array for n, array in arrays.items() if n.startswith(head)}
    ends = (_A, _B, _C, _SCALES)
    found = {n: array for n, array in own.items() if n.endswith(ends) and "/" not in n}
    if not found:
        known = ", ".join(sorted(own)[:4]) or "nothing"
        raise UsageError(f"there is no adapter in it, neither low-rank nor scales. Known: {known}")
    for name in found:
        stem = name.rpartition(".")[0]
        if not name.endswith(_SCALES) and not {stem + _A, stem + _B} <= found.keys():
            raise UsageError(f"an adapter with {name!r} needs both {stem + _A!r} and {stem + _B!r}")
    if any(name.endswith(_A) for name in found):
        found["scale"] = np.asarray(own.get("scale", 1), np.float32)
    return found


def to_peft(arrays: Arrays, base: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Give an adapter in PEFT's form.

    Args:
        arrays: The adapter, as `adapter_of` gives it.
        base: The name of the model it changes.

    Returns:
        The configuration and the tensors.

    Raises:
        UsageError: If PEFT has no form for it.
    """
    scaled, low_rank = _modules(arrays, _SCALES), _modules(arrays, _A)
    if scaled and low_rank:
        raise UsageError("an adapter that is both low-rank and scales has no form in PEFT")
    config, tensors = _ia3(arrays, scaled) if scaled else _lora(arrays, low_rank)
    common = {"base_model_name_or_path": base, "inference_mode": True, "task_type": "CAUSAL_LM"}
    return {**common, "fan_in_fan_out": False, "modules_to_save": None, **config}, tensors


def from_peft(config: Mapping[str, Any], tensors: Arrays) -> dict[str, Array]:
    """Give what PEFT saved as an adapter of ours.

    Args:
        config: Its configuration.
        tensors: Its tensors.

    Returns:
        The adapter.

    Raises:
        InvalidFile: If it is of another kind, or has anything that would be lost.
    """
    kind = config.get("peft_type")
    if kind not in ("LORA", "IA3"):
        raise InvalidFile(f"adapters of type {kind!r} are not carried. Carried: LORA, IA3")
    if used := [name for name in _CHANGING if config.get(name)]:
        raise InvalidFile(f"an adapter with {used[0]}={config[used[0]]!r} is not carried")
    if config.get("bias", "none") != "none":
        raise InvalidFile(f"an adapter with bias={config['bias']!r} is not carried; only 'none' is")
    if not tensors:
        raise InvalidFile("there is no tensor in it")
    return _from_ia3(config, tensors) if kind == "IA3" else _from_lora(config, tensors)


def merged(parts: Sequence[tuple[Arrays, float]]) -> dict[str, Array]:
    """Give one adapter that does what several do together: their matrices side by side.

    Args:
        parts: Adapters, as `adapter_of` gives them, each with its weight.

    Returns:
        The adapter; all its modules are of one rank, for some servers read no other.

    Raises:
        UsageError: If one is not low-rank, which has no sum.
    """
    if len(parts) == 1 and parts[0][1] == 1:
        return dict(parts[0][0])
    if any(_modules(arrays, _SCALES) for arrays, _ in parts):
        raise UsageError("scales cannot be added to another adapter. Export each by its name")
    modules = sorted({module for arrays, _ in parts for module in _modules(arrays, _A)})
    widest = max(sum(len(a[m + _A]) for a, _ in parts if m + _A in a) for m in modules)
    whole: dict[str, Array] = {"scale": np.asarray(1, np.float32)}
    for module in modules:
        own = [(a, w * float(a["scale"])) for a, w in parts if module + _A in a]
        a = np.concatenate([arrays[module + _A] for arrays, _ in own])  # (rank, in)
        b = np.concatenate([w * arrays[module + _B] for arrays, w in own], 1)  # (out, rank)
        more = widest - len(a)
        whole[module + _A] = np.pad(a, ((0, more), (0, 0)))
        whole[module + _B] = np.pad(b, ((0, 0), (0, more)))
        if any(module + _C in arrays for arrays, _ in own):
            each = [_shift(arrays, module) for arrays, _ in own]
            whole[module + _C] = np.pad(np.concatenate(each), (0, more))
    return whole


def _modules(arrays: Arrays, end: str) -> list[str]:
    return sorted(name.removesuffix(end) for name in arrays if name.endswith(end))


def _shift(arrays: Arrays, module: str) -> Array:
    """Give what is added between a module's matrices, (rank,)."""
    a = arrays[module + _A]
    return np.asarray(arrays.get(module + _C, np.zeros(len(a))), a.dtype)


def _lora(arrays: Arrays, modules: Sequence[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    scale = float(arrays["scale"])
    ranks = {module: len(arrays[module + _A]) for module in modules}
    usual = max(sorted(set(ranks.values())), key=list(ranks.values()).count)
    other = {module: rank for module, rank in ranks.items() if rank != usual}
    shifted = any(module + _C in arrays for module in modules)
    config = {
        "peft_type": "LORA",
        "r": usual,
        "lora_alpha": _number(scale * usual),
        "rank_pattern": other,
        "alpha_pattern": {module: _number(scale * rank) for module, rank in other.items()},
        "target_modules": _targets(modules),
        "lora_dropout": 0.0,
        "bias": "none",
        "lora_bias": shifted,
        "init_lora_weights": True,
        "use_rslora": False,
        "use_dora": False,
    }
    tensors = {}
    for module in modules:
        a, b = arrays[module + _A], arrays[module + _B]
        tensors[f"{_HEAD}{module}.lora_A.weight"] = a
        tensors[f"{_HEAD}{module}.lora_B.weight"] = b
        if shifted:  # B (A x + c) = B A x + B c
            tensors[f"{_HEAD}{module}.lora_B.bias"] = b @ _shift(arrays, module)
    return config, tensors


def _ia3(arrays: Arrays, modules: Sequence[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    ups = {module for module in modules if module.endswith(_UP)}
    if ups and any(module.endswith(_DOWN) for module in modules):
        raise UsageError("PEFT scales either the inputs of down_proj or its outputs, and not both")
    tensors, targets = {}, []
    for module in modules:
        factors = arrays[module + _SCALES]  # (out,)
        target = module.removesuffix(_UP) + _DOWN if module in ups else module
        shaped = factors.reshape((1, -1) if module in ups else (-1, 1))
        tensors[f"{_HEAD}{target}.ia3_l"] = shaped
        targets.append(target)
    forward = _targets([target for target in targets if ups and target.endswith(_DOWN)])
    config = {"peft_type": "IA3", "target_modules": _targets(targets), "init_ia3_weights": True}
    return {**config, "feedforward_modules": forward}, tensors


def _from_lora(config: Mapping[str, Any], tensors: Arrays) -> dict[str, Array]:
    pieces: dict[str, dict[str, Array]] = {}
    for key, array in tensors.items():
        if (match := _LORA_KEY.fullmatch(key)) is None:
            raise InvalidFile(f"there is a tensor {key!r}, which is no part of a low-rank adapter")
        pieces.setdefault(match[1], {})[match[2]] = array
    usual = _scale_of(config, "")
    found: dict[str, Array] = {"scale": np.asarray(usual, np.float32)}
    for module, own in sorted(pieces.items()):
        a, b = _pair(config, module, own)
        scale = _scale_of(config, module)
        b = b if scale == usual else (b * (scale / usual)).astype(b.dtype)
        if "B.bias" in own:  # one rank more, of which x knows nothing: B A x + bias = B' (A' x + c)
            bias = (own["B.bias"] * (scale / usual)).astype(b.dtype)
            a = np.concatenate([a, np.zeros_like(a[:1])])
            b = np.concatenate([b, bias[:, None]], 1)
            c = np.zeros(len(a), a.dtype)
            c[-1] = 1
            found[module + _C] = c
        found[module + _A], found[module + _B] = a, b
    return found


def _pair(config: Mapping[str, Any], module: str, own: Mapping[str, Array]) -> tuple[Array, Array]:
    """Give the two matrices of a module, or refuse what does not fit together."""
    rank = _pattern(config, "rank_pattern", module, config.get("r"))
    try:
        a, b = own["A.weight"], own["B.weight"]
        fits = (a.ndim, b.ndim, a.shape[0], b.shape[1]) == (2, 2, rank, rank)
    except (KeyError, IndexError) as error:
        raise InvalidFile(f"{module!r} has only one of its two matrices") from error
    if not fits:
        raise InvalidFile(
            f"the matrices of {module!r} are {a.shape} and {b.shape}; the configuration says that "
            f"they are of rank {rank!r}"
        )
    return a, b


def _scale_of(config: Mapping[str, Any], module: str) -> float:
    """Give what a module's product is multiplied by; with `use_rslora` as in 2312.03732, eq. 6."""
    rank = _pattern(config, "rank_pattern", module, config.get("r"))
    alpha = _pattern(config, "alpha_pattern", module, config.get("lora_alpha"))
    if not (isinstance(rank, int) and isinstance(alpha, int | float) and rank > 0 and alpha):
        raise InvalidFile(f"r={rank!r} and lora_alpha={alpha!r} give no scale")
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _pattern(config: Mapping[str, Any], name: str, module: str, usual: Any) -> Any:
    """Look a module up among patterns as PEFT does: the first that its path ends with."""
    for pattern, value in (config.get(name) or {}).items():
        try:
            if module and re.match(rf"(.*\.)?({pattern})$", module):
                return value
        except re.error as error:
            raise InvalidFile(f"{name} has {pattern!r}, which is no pattern: {error}") from error
    return usual


def _from_ia3(config: Mapping[str, Any], tensors: Arrays) -> dict[str, Array]:
    forward = config.get("feedforward_modules") or []
    forward = [forward] if isinstance(forward, str) else list(forward)
    found: dict[str, Array] = {}
    for key, array in tensors.items():
        if (match := _IA3_KEY.fullmatch(key)) is None:
            raise InvalidFile(f"there is a tensor {key!r}, which is no part of an (IA)^3 adapter")
        module = match[1]
        if any(module == each or module.endswith(f".{each}") for each in forward):
            if not module.endswith(_DOWN):
                raise InvalidFile(f"scales of the inputs of {module!r} are not carried")
            module = module.removesuffix(_DOWN) + _UP
        found[module + _SCALES] = array.reshape(-1)
    return found


def _targets(modules: Iterable[str]) -> list[str]:
    """Give the names that PEFT finds these modules by, and no other where it can be known."""
    layers: dict[str, set[str]] = {}
    for module in modules:
        match = re.fullmatch(r"(?:.+\.)?layers\.(\d+)\.(?:.+\.)?(\w+)", module)
        if match is None:
            return sorted(modules)
        layers.setdefault(match[2], set()).add(match[1])
    everywhere = set().union(*layers.values())
    whole = everywhere == {str(number) for number in range(len(everywhere))}
    same = whole and all(each == everywhere for each in layers.values())
    return sorted(layers) if same else sorted(modules)


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value
