"""A causal language model in memory: tokens in, hidden states and logits out.

One lock around each forward pass keeps threads from fighting over the cores, so long jobs and
streams take turns token by token. This file knows nothing of plans.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from ipse.backends.cache import remembered
from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Attention, Span
from ipse.backends.local.chunks import Chunk, inputs, reading_adapters, steer
from ipse.backends.local.lora import Extras
from ipse.backends.local.network import Network
from ipse.backends.local.weights import quiet
from ipse.errors import BackendFailure, InvalidPlan
from ipse.lm import Piece
from ipse.plan import Message

__all__ = ["Dtype", "LanguageModel", "load_model", "weight_files"]

Dtype = Literal["auto", "float32", "bfloat16"]

_CONTEXT = 8192
"""Tokens, where a model does not say how many it can read."""

_ORDINARY = "Not everyone who reads this sentence would have written it the same way."
"""What a model is checked on: of tokens it never saw, no two ways of rounding agree."""

_APART = 0.3
"""How far from `transformers` ours may be, in nats of a token on average: bfloat16 rounds to 0.1
where the model is sure, and another shape gives more than 1."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A model with its tokenizer.

    Attributes:
        network: The network as `transformers` loads it, frozen and in evaluation mode.
        tokenizer: The tokenizer, with a chat template.
        core: The same weights, as we run them.
        turn: Held during each forward pass.
    """

    network: Any
    tokenizer: Any
    core: Network
    turn: Lock = field(default_factory=Lock, repr=False)

    @cached_property
    def context(self) -> int:
        """The most tokens the model can read and write."""
        stated = getattr(self.network.config, "max_position_embeddings", None) or _CONTEXT
        return min(int(stated), int(self.tokenizer.model_max_length))

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a turn."""
        stated = self.network.generation_config.eos_token_id
        listed = stated if isinstance(stated, list) else [stated]
        return frozenset(t for t in (*listed, self.tokenizer.eos_token_id) if t is not None)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.network.device
        return device

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Give the tokens of a conversation, up to where the assistant's turn begins."""
        turns = [{"role": m.role, "content": self._plain(m.content)} for m in messages]
        text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        # The template writes every special token itself, so the tokenizer must add none.
        return self._encode(text)

    def tokens(self, text: str) -> list[int]:
        """Give the tokens of a text that stands inside a turn."""
        return self._encode(self._plain(text))

    def cut(self, text: str, limit: int | None) -> Piece:
        """Keep the first `limit` tokens of a text, whole characters only; None keeps all."""
        plain = self._plain(text)
        found = self.tokenizer(
            plain, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        spans = found["offset_mapping"]
        if limit is None or len(spans) <= limit:
            return Piece(text, len(spans))
        # Where the next token begins: the beginning of a character even if it is cut through.
        end = spans[max(limit, 0)][0]
        return Piece(plain[:end], sum(stop <= end for _, stop in spans[:limit]))

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _plain(self, text: str) -> str:
        # What people wrote must not act as control tokens: `<|im_end|>` becomes `< |im_end|>`.
        for token in self.tokenizer.all_special_tokens:
            if token in text:
                text = text.replace(token, f"{token[:1]} {token[1:]}")
        return text

    def fits(self, prompt: int, target: int = 1) -> None:
        """Refuse what the model cannot read.

        Args:
            prompt: Tokens to read.
            target: Tokens that have to fit behind them.

        Raises:
            InvalidPlan: If it is more than the context holds.
        """
        if prompt + target > self.context:
            raise InvalidPlan(
                f"the prompt has {prompt} tokens and {target} must follow, but the model holds "
                f"{self.context}. Retrieve fewer records or shorten them"
            )

    @torch.inference_mode()
    def read(self, chunks: Sequence[Chunk]) -> Tensor:
        """Read tokens of many rows, end to end, and give the final states, (tokens, hidden)."""
        with self.turn:
            return self._run(chunks)

    @torch.inference_mode()
    def states(self, chunks: Sequence[Chunk], layers: Sequence[int]) -> Tensor:
        """Read tokens of many rows up to some layers.

        Args:
            chunks: The tokens, end to end.
            layers: The layers behind which states are wanted, in any order.

        Returns:
            The states, (tokens, layers, hidden).
        """
        with self.turn:
            return self._run(chunks, layers)

    def _run(self, chunks: Sequence[Chunk], layers: Sequence[int] | None = None) -> Tensor:
        x, places = inputs(self.core, chunks)
        attend = Attention((), [chunk.span for chunk in chunks])
        adapters, added = Extras((), reading_adapters(chunks)), steer(chunks)
        if layers is None:
            return self.core.run(x, places, attend, adapters, added)
        found, first = dict[int, Tensor](), 0
        for layer in sorted(set(layers)):
            x = self.core.run(x, places, attend, adapters, added, first, layer + 1)
            found[layer], first = x, layer + 1
        return torch.stack([found[layer] for layer in layers], dim=1)

    @torch.inference_mode()
    def logprobs(self, hidden: Tensor) -> Tensor:
        """Give next-token log-probabilities in nats, float32: (..., hidden) to (..., vocab)."""
        with self.turn:
            return torch.log_softmax(self.core.logits(hidden), dim=-1)


def weight_files(folder: Path) -> list[Path]:
    """List the files that hold a model's weights, in order."""
    return sorted(folder.glob("*.safetensors"))


def load_model(folder: Path, dtype: Dtype = "auto", identity: str = "") -> LanguageModel:
    """Load a model into memory.

    Args:
        folder: Configuration, tokenizer and safetensors.
        dtype: The number format of the weights; `auto` takes the faster one, measured once.
        identity: What the weights are, to remember the measurement by.

    Returns:
        The model.

    Raises:
        BackendFailure: If the folder does not hold a model that can be run.
    """
    if dtype == "auto":
        key = f"dtype {_processor()} {identity or folder.resolve()}"
        dtype = "bfloat16" if remembered(key, lambda: _faster(folder)) == "bfloat16" else "float32"
    model = _open(folder, dtype)
    if not model.tokenizer.chat_template:
        raise BackendFailure(f"the model in {str(folder)!r} has no chat template; use a chat model")
    _check_core(model)
    return model


def _open(folder: Path, dtype: str) -> LanguageModel:
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, dtype), local_files_only=True
            )
    # transformers raises a different error for each way in which a folder can be broken.
    except Exception as error:
        raise BackendFailure(
            f"cannot load a model from {str(folder)!r}: {error}. "
            "If this is Ipse's cache, delete that folder: it is made again at the next use"
        ) from error
    network.eval().requires_grad_(False)
    network = network.to("cuda") if torch.cuda.is_available() else network
    return LanguageModel(network, tokenizer, Network(network))


def _check_core(model: LanguageModel) -> None:
    """Refuse a model that ours reads otherwise than `transformers` does."""
    ids = model.tokenizer(_ORDINARY, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model.network(torch.tensor([ids], device=model.device), use_cache=False).logits[0]
    stated = torch.log_softmax(logits.float(), dim=-1)
    apart = (model.logprobs(model.read([_plain(ids)])) - stated).abs().mean()
    if not apart < _APART:
        kind = model.network.config.model_type
        raise BackendFailure(
            f"models of type {kind!r} are not carried yet: they are not quite shaped like Llama"
        )


def _plain(ids: Sequence[int]) -> Chunk:
    return Chunk(ids, 0, Span(0, len(ids)), Attached(), ())


def _faster(folder: Path) -> str:
    seconds: dict[str, float] = {}
    for name in ("float32", "bfloat16"):
        model = _open(folder, name)
        ids = [1] * 256
        model.read([_plain(ids)])
        start = time.perf_counter()
        model.read([_plain(ids)])
        seconds[name] = time.perf_counter() - start
    return min(seconds, key=lambda name: seconds[name])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    flags = [line for line in lines if line.startswith(("model name", "flags"))]
    return " ".join(flags[:2]) or platform.processor()
