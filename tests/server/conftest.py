"""Fixtures of the server's tests: an app on the echo backend, and clients that speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from ipse import Ipse
from ipse.server import create_app
from ipse.server.page.files import sample
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


# The page in a browser. Its module is read only where it is wanted: Playwright may not be there.


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server without keys, for all tests of the page that do not ask for another."""
    browser = import_module("tests.server.browser")
    with browser.running(tmp_path_factory.mktemp("open") / "ipse.db") as server:
        yield server


@pytest.fixture
def known(server) -> Iterator[Ipse]:
    """The sample person, and another one, known to the server for one test; what looks into it."""
    bob = import_module("tests.server.browser").BOB
    with Ipse(server.store, "echo") as engine:
        engine.add([*sample(), bob])
        yield engine
        for person in engine.store.everybody():
            engine.forget(person)


@pytest.fixture(scope="module")
def chromium():
    """One browser, for the tests of one file."""
    browser = import_module("tests.server.browser")
    with browser.playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=browser.CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(chromium):
    """What remembers the page's scripts from one test to the next; reading them takes its time."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context):
    """A page of a browser that knows nobody, and loads nothing from elsewhere."""
    hosts, wrong = set(), []
    found = context.new_page()
    found.set_default_timeout(15_000)
    found.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    found.on("pageerror", lambda error: wrong.append(str(error)))
    yield found
    found.close()
    context.clear_cookies()
    assert hosts <= {"127.0.0.1", None}, "a page must load nothing from elsewhere"
    assert not wrong
