"""Fixtures of the server's tests: an app on the echo backend, and clients that speak to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from ipse import Ipse
from ipse.server import create_app
from ipse.settings import Settings
from tests.people import echo, person

LOCAL = "http://127.0.0.1"


@pytest.fixture
def engine(tmp_path) -> Iterator[Ipse]:
    """Two people on the echo backend: Ada with 16 records, Bob with 16."""
    with Ipse(tmp_path / "ipse.db", echo(), methods="bm25") as engine:
        engine.add([*person("ada").records, *person("bob").records])
        yield engine


@pytest.fixture
def served_as() -> Settings:
    return Settings(backend="echo")


@pytest.fixture
def client(engine, served_as) -> Iterator[TestClient]:
    """A client of a server in open mode."""
    app = create_app(engine, served_as)
    with TestClient(app, base_url=LOCAL, raise_server_exceptions=False) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {key}"}
