"""Other servers of the same model, with the same adapters, for `serving.py` to be compared with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from ipse import tensors

__all__ = ["Llama", "Vllm", "gguf_adapter", "peft_adapter"]

Arrays = Mapping[str, NDArray[Any]]

_GGUF_NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}


def peft_adapter(arrays: Arrays, rank: int, folder: Path) -> Path:
    """Write an adapter as PEFT does, for vLLM."""
    folder.mkdir()
    weights = {
        f"base_model.model.{name}.weight": array for name, array in arrays.items() if array.ndim
    }
    modules = sorted({name.split(".")[-2] for name in arrays if name != "scale"})
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank * float(arrays["scale"]),
        "target_modules": modules,
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    tensors.write(folder / "adapter_model.safetensors", weights)
    return folder


def gguf_adapter(arrays: Arrays, rank: int, path: Path) -> Path:
    """Write an adapter for llama.cpp; it turns queries and keys in another order, as fast."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", rank * float(arrays["scale"]))
    for name, array in arrays.items():
        if array.ndim:
            _, _, layer, _, module, part = name.split(".")
            writer.add_tensor(
                f"blk.{layer}.{_GGUF_NAMES[module]}.weight.{part.lower()}",
                np.ascontiguousarray(array, np.float32),
            )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Llama:
    """llama.cpp in this process, one request after another."""

    def __init__(self, model: Path, adapters: Sequence[Path] = ()) -> None:
        """Load a model, and adapters that requests can switch between."""
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path = str(model)
        settings.n_ctx = 1024
        settings.n_parallel = 1
        settings.cpuparams.n_threads = torch.get_num_threads()
        settings.cpuparams_batch.n_threads = torch.get_num_threads()
        settings.warmup = True
        settings.lora_init_without_apply = True
        settings.lora_adapters = [_lora(xllamacpp, path) for path in adapters]
        self._server = xllamacpp.Server(settings)

    def write(self, prompts: Sequence[list[int]], tokens: int, personal: bool) -> None:
        """Answer one after the other, each for exactly so many tokens."""
        for number, prompt in enumerate(prompts):
            asked: dict[str, Any] = {"prompt": prompt, "n_predict": tokens, "temperature": 0}
            if personal:
                asked["lora"] = [{"id": number, "scale": 1.0}]
            asked["cache_prompt"] = False
            answer = self._server.handle_completions({**asked, "ignore_eos": True})
            assert answer["usage"]["completion_tokens"] == tokens, answer


def _lora(xllamacpp: Any, path: Path) -> Any:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = str(path), 0.0
    return adapter


class Vllm:
    """vLLM in an environment of its own, asleep while others are measured."""

    def __init__(self, python: Path, model: Path, most: int, dtype: str) -> None:
        """Start it; it takes half a minute."""
        worker = Path(__file__).with_name("_vllm.py")
        threads = {"VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        self._process = subprocess.Popen(
            [str(python), str(worker), str(model), str(most), dtype],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads},
            start_new_session=True,
        )

    def __enter__(self) -> Vllm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def write(self, prompts: Sequence[list[int]], adapters: Sequence[Path], tokens: int) -> float:
        """Give the seconds that so many tokens for every prompt take."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._awake():
            asked = {"prompts": prompts, "adapters": list(map(str, adapters)), "tokens": tokens}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "{}")
        assert answer.get("tokens") == tokens * len(prompts), f"vLLM answered {answer}"
        seconds: float = answer["seconds"]
        return seconds

    @contextmanager
    def _awake(self) -> Iterator[None]:
        os.killpg(self._process.pid, signal.SIGCONT)
        yield
        os.killpg(self._process.pid, signal.SIGSTOP)
