from __future__ import annotations

from collections.abc import Iterator

import pytest

from ipse.backends import open_backend
from ipse.backends.http import HttpBackend
from ipse.lm import LM
from tests.backends.fake_server import KEY, FakeServer, start


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    state, server = start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def http(fake, monkeypatch) -> Iterator[HttpBackend]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with HttpBackend(
        fake.url, "fake", api_key=KEY, embedding_model="hash", timeout=5.0, retries=2
    ) as backend:
        yield backend


@pytest.fixture(params=["echo", "http", "local"])
def lm(request, hash_embedder) -> LM:
    if request.param == "echo":
        return open_backend("echo", embedder=hash_embedder)
    return request.getfixturevalue({"http": "http", "local": "pico"}[request.param])
