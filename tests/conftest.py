"""Fixtures for everybody: a cache folder of the session's own, models, a hash embedder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pico import HashEmbedder, save_pico

if TYPE_CHECKING:
    from ipse.backends.local import LocalBackend


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Iterator[pytest.MonkeyPatch]:
    """Keep the tests out of the real cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield patch


@pytest.fixture(scope="session")
def pico_path(tmp_path_factory) -> Path:
    """A folder with a random tiny chat model."""
    return save_pico(tmp_path_factory.mktemp("pico"))


@pytest.fixture(scope="session")
def pico(pico_path) -> LocalBackend:
    """The local backend on the random tiny model."""
    import torch

    from ipse.backends.local import LocalBackend

    # So small a model is slowed down by a second thread, and badly where others use the cores too.
    torch.set_num_threads(1)
    return LocalBackend(str(pico_path))


@pytest.fixture(scope="session")
def embedded(own_cache) -> LocalBackend:
    """The local backend on the real embedded model; for tests marked `model`."""
    import torch

    from ipse.backends.local import LocalBackend
    from ipse.plan import Plan, Sampling

    torch.set_num_threads(os.cpu_count() or 1)
    lm = LocalBackend()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("IPSE_CACHE")
        lm.generate([Plan.ask("Hi", sampling=Sampling(max_tokens=1))])
    return lm


@pytest.fixture(scope="session")
def hash_embedder() -> HashEmbedder:
    """Embeddings without a model."""
    return HashEmbedder()
