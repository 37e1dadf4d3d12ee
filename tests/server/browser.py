"""What the tests of the page share: a server to look at, and ways through the page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from ipse.records import Record
from ipse.server.page.mount import HOME
from ipse.server.page.shell import COOKIE
from tests.server.live import PATIENCE, free_port

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
expect.set_options(timeout=15_000)

CHROMIUM = shutil.which("chromium")
SERVER = Path(__file__).parent / "serve_page.py"

QUESTION = "What shall I cook with chickpeas and eggs?"
CHICKPEAS = "I always have chickpeas"
BOB = Record(user="bob", kind="dialogue", output="I only drink tea")

in_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium here: apt-get install chromium"
)


class Server:
    """A server in a process of its own."""

    def __init__(self, store: Path, **settings: str) -> None:
        self.store, self.port = store, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options = [f"--set={name}={value}" for name, value in settings.items()]
        self._command = [sys.executable, str(SERVER), str(store), str(self.port), *options]
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(self._command, cwd=self.store.parent)

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                httpx.get(self.url + HOME, timeout=PATIENCE).raise_for_status()
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)
            else:
                return

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def running(store: Path, **settings: str) -> Iterator[Server]:
    """Run a server on a store, with settings other than the tests' own."""
    server = Server(store, **settings)
    try:
        server.wait()
        yield server
    finally:
        server.end()


def show(page, server, person, path="") -> None:
    """Open a view of a person."""
    memory = quote(json.dumps({"dark": None, "person": person}))
    page.context.add_cookies([{"name": COOKIE, "value": memory, "url": server.url}])
    page.goto(server.url + HOME + path)


def go(page, view):
    """Go to a view that is not open, by its link."""
    page.get_by_role("link", name=view, exact=True).click()
    expect(page.locator(f".ip-{view.lower()}")).to_be_visible()


def put(page, question):
    """Put a question; give both cards as they begin."""
    turns, box = page.locator(".ip-turn"), page.get_by_label("Question")
    expect(box).to_be_visible()
    before = turns.count()
    box.fill(question)
    box.press("Enter")
    turn = turns.nth(before)
    return tuple(turn.locator(f".ip-answer.ip-{side}").first for side in ("generic", "personal"))


def ask(page, question=QUESTION):
    """Put a question, and give both cards once they are whole."""
    cards = put(page, question)
    whole(*cards)
    return cards


def whole(*cards) -> None:
    """Wait until cards are not being written any more."""
    for card in cards:
        expect(card).to_have_attribute("aria-busy", "false")


def settled(page) -> None:
    """Wait until the server writes nothing any more."""
    page.wait_for_function(
        "fetch('/metrics').then(each => each.text())"
        ".then(text => text.includes('ipse_answers_under_way 0.0'))"
    )


def strength(page, number) -> None:
    """Set the strength by the keyboard, from 1 down to 0.5 or 0."""
    for left in ("0.50", "0.00")[: round(2 - 2 * number)]:
        page.locator(".q-slider__track-container").press("PageDown")
        expect(page.locator(".ip-number")).to_have_text(left)


def choose(page, label, option) -> None:
    """Choose one of several."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()


def said(card) -> str:
    """What a card says."""
    return card.locator(".ip-text").inner_text()


def told(page, text) -> None:
    """Wait until the page says something for a few seconds."""
    expect(page.locator(".q-notification", has_text=text).first).to_be_visible()
