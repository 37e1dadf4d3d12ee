"""A forward pass of our own over the weights of a decoder shaped like Llama.

All rows of a batch lie end to end, one line a token, without padding: `(tokens, hidden)`. What
belongs to a row alone comes in from outside: its keys and values (`Attend`), its adapters (`Extra`)
and its steering vectors. The weights are never changed. This file knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ipse.backends.local.slopes import gated, normed, turned
from ipse.errors import BackendFailure

__all__ = ["SITES", "Attend", "Extra", "Network", "Part", "Site", "Steer"]

Site = Literal["qkv", "o", "gate_up", "down"]
"""The four products of a layer that read its hidden states; what is read together is one."""

SITES: dict[Site, tuple[str, ...]] = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""The modules each site is made of, in the order of their outputs."""

Attend: TypeAlias = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""Given a layer, queries (tokens, heads, width) and new keys and values (tokens, kv heads, width),
gives what each token attends to, (tokens, heads * width)."""

Steer: TypeAlias = Mapping[int, Sequence[tuple[Tensor, Tensor]]]
"""By layer: lines of the batch, and what to add to them, (lines, hidden) or (hidden,)."""


class Extra(Protocol):
    """What a batch adds to the products of a layer."""

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> Tensor:
        """Give `y` (tokens, out) with what rows' own weights make of `x` (tokens, in).

        `y` is the caller's last use of that tensor, so it may be changed in place.
        """


@dataclass(frozen=True)
class Part:
    """Where a module stands: its layer, its site, and its outputs among the site's."""

    layer: int
    site: Site
    outputs: slice


_FEW = 8
"""Rows up to which a product is about twice as fast with the weights as its left factor."""


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Give `x` (..., in) times the weights (out, in), transposed, and the bias (out,)."""
    if x.dim() == 2 and 1 < len(x) <= _FEW and not torch.is_grad_enabled():
        y = torch.mm(weight, x.T).T.contiguous()
        return y if bias is None else y.add_(bias)
    return functional.linear(x, weight, bias)


@dataclass(frozen=True, eq=False)
class _Linear:
    weight: Tensor  # (out, in)
    bias: Tensor | None  # (out,)

    def __call__(self, x: Tensor) -> Tensor:
        return _product(x, self.weight, self.bias)


@dataclass(frozen=True, eq=False)
class _Layer:
    products: dict[Site, _Linear]
    first: Tensor  # (hidden,), the scale of the norm before attention
    second: Tensor  # (hidden,), the one before the feed-forward part
    q_norm: Tensor | None  # (width,), in models that scale each head's queries and keys
    k_norm: Tensor | None


class Network:
    """A decoder's weights, ready to be run.

    Attributes:
        layers: How many decoder layers.
        heads: How many heads of queries.
        kv_heads: How many heads of keys and values.
        width: The width of a head.
        hidden: The width of the hidden states.
        parts: Every module that adapters can change, by its path.
    """

    def __init__(self, model: Any) -> None:
        """Take the weights of a loaded model, which keeps its own names for the same memory.

        Args:
            model: A causal language model of `transformers`.

        Raises:
            BackendFailure: If it is not shaped like Llama.
        """
        config = model.config
        _check(config)
        try:
            trunk = model.model
            self._embedding: Tensor = trunk.embed_tokens.weight  # (vocab, hidden)
            self._head: Tensor = model.lm_head.weight  # (vocab, hidden)
            self._final: Tensor = trunk.norm.weight  # (hidden,)
            self._layers = [_layer(each) for each in trunk.layers]
            self._act = trunk.layers[0].mlp.act_fn
            self.width: int = trunk.layers[0].self_attn.head_dim
            self.parts = _parts(trunk.layers)
            self._rotary = trunk.rotary_emb
        except AttributeError as error:
            raise _strange(config, str(error)) from error
        self.layers = len(self._layers)
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.hidden: int = config.hidden_size
        self._eps: float = config.rms_norm_eps
        self._is_silu = getattr(config, "hidden_act", "") in ("silu", "swish")

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights and of all states."""
        return self._embedding.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._embedding.device

    @cached_property
    def embedding_norm(self) -> float:
        """How long the embedding of a token is on average."""
        return float(torch.linalg.vector_norm(self._embedding.float(), dim=-1).mean())

    def inputs(self, part: Part) -> int:
        """Give how many inputs a module has."""
        return self._layers[part.layer].products[part.site].weight.shape[1]

    def outputs(self, site: Site) -> int:
        """Give how many outputs a site has, over its modules."""
        return self._layers[0].products[site].weight.shape[0]

    def embed(self, ids: Tensor) -> Tensor:
        """Give the embeddings of tokens: (tokens,) to (tokens, hidden)."""
        return functional.embedding(ids, self._embedding)

    def logits(self, x: Tensor) -> Tensor:
        """Give the logits of final states, float32: (..., hidden) to (..., vocab)."""
        return _product(x, self._head).float()

    def from_logits(self, slope: Tensor) -> Tensor:
        """Carry a gradient of the logits back to the states: (..., vocab) to (..., hidden)."""
        return slope.to(self.dtype) @ self._head

    def run(
        self,
        x: Tensor,
        positions: Tensor,
        attend: Attend,
        extra: Extra | None = None,
        steer: Steer | None = None,
        first: int = 0,
        stop: int | None = None,
    ) -> Tensor:
        """Run the decoder, or some of its layers.

        Args:
            x: The embeddings of every row's new tokens, end to end, (tokens, hidden); or the states
                that `first` is to read.
            positions: Each token's place in its row, (tokens,).
            attend: Keeps keys and values, and attends to them.
            extra: What the rows' adapters add.
            steer: What the rows' steering vectors add behind a layer.
            first: The layer to begin at.
            stop: The layer to stop before; None runs all, and the norm behind them.

        Returns:
            The states behind what was run, (tokens, hidden).
        """
        cos, sin = self._rotations(x, positions)  # (tokens, 1, width) each
        for number in range(self.layers)[first:stop]:
            layer = self._layers[number]
            y = self._norm(x, layer.first)
            q, k, v = self._heads(layer, self._product(number, "qkv", y, extra), cos, sin)
            x = x + self._product(number, "o", attend(number, q, k, v), extra)
            y = self._product(number, "gate_up", self._norm(x, layer.second), extra)
            x = x + self._product(number, "down", self._gate(y), extra)
            for lines, vectors in (steer or {}).get(number, ()):
                x = x.index_add(0, lines, vectors.expand(len(lines), -1).to(x.dtype))
        return x if stop is not None else self._norm(x, self._final)

    def _rotations(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Give cosines, and sines negative in their first half, (tokens, 1, width) each."""
        cos, sin = self._rotary(x, positions[None])  # (1, tokens, width) each
        half = self.width // 2
        sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)
        return cos[0, :, None], sin[:, None]

    def _product(self, layer: int, site: Site, x: Tensor, extra: Extra | None) -> Tensor:
        y = self._layers[layer].products[site](x)
        return y if extra is None else extra.add(layer, site, x, y)

    def _gate(self, gate_up: Tensor) -> Tensor:
        if torch.is_grad_enabled() and self._is_silu:
            return gated(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)  # (tokens, intermediate) each
        y: Tensor = self._act(gate) * up
        return y

    def _norm(self, x: Tensor, scale: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return normed(x, scale, self._eps)
        return functional.rms_norm(x, (x.shape[-1],), scale, self._eps)

    def _heads(
        self, layer: _Layer, qkv: Tensor, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Split into heads; turn queries and keys by their places (arXiv 2104.09864, eq. 34)."""
        if torch.is_grad_enabled() and layer.q_norm is None:
            return turned(qkv, cos, sin, self.heads, self.kv_heads)
        heads = qkv.view(len(qkv), -1, self.width)  # (tokens, heads + 2 kv heads, width)
        both = heads[:, : self.heads + self.kv_heads]
        if layer.q_norm is not None and layer.k_norm is not None:
            q = self._norm(both[:, : self.heads], layer.q_norm)
            both = torch.cat([q, self._norm(both[:, self.heads :], layer.k_norm)], dim=1)
        both = both * cos + both.roll(self.width // 2, dims=-1) * sin
        return both[:, : self.heads], both[:, self.heads :], heads[:, -self.kv_heads :]


def _check(config: Any) -> None:
    """Refuse what would be run wrongly without any error."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise _strange(config, f"it has layers of {', '.join(sorted(kinds))}")
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rotation not in ("default", "linear", "llama3", "yarn"):
        raise _strange(config, f"its positions are turned by {rotation!r}")


def _strange(config: Any, why: str) -> BackendFailure:
    return BackendFailure(
        f"models of type {config.model_type!r} are not carried yet: {why}. "
        "Carried: decoders shaped like Llama (llama, mistral, qwen2, qwen3 and their kin)"
    )


def _layer(module: Any) -> _Layer:
    attention = module.self_attn
    return _Layer(
        {site: _joined([module.get_submodule(n) for n in names]) for site, names in SITES.items()},
        module.input_layernorm.weight,
        module.post_attention_layernorm.weight,
        attention.q_norm.weight if "q_norm" in attention._modules else None,
        attention.k_norm.weight if "k_norm" in attention._modules else None,
    )


def _joined(modules: Sequence[Any]) -> _Linear:
    """Join modules that read the same states; their own weights become views of the whole."""
    if len(modules) == 1:
        return _Linear(modules[0].weight, modules[0].bias)
    whole = torch.cat([module.weight.detach() for module in modules])  # (out, in)
    biases = [module.bias for module in modules if module.bias is not None]
    start = 0
    for module in modules:
        end = start + len(module.weight)
        module.weight.data = whole[start:end]  # the same values, kept once
        start = end
    return _Linear(whole, torch.cat(biases) if biases else None)


def _parts(layers: Sequence[Any]) -> dict[str, Part]:
    found = {}
    for number, layer in enumerate(layers):
        for site, names in SITES.items():
            start = 0
            for name in names:
                end = start + layer.get_submodule(name).weight.shape[0]
                found[f"model.layers.{number}.{name}"] = Part(number, site, slice(start, end))
                start = end
    return found
