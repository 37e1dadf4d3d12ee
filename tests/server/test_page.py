"""The page in Debian's Chromium: bar 6 of the server."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from ipse.engine import Ipse
from ipse.records import Record
from ipse.server.page.files import sample
from ipse.server.page.mount import HOME
from ipse.server.page.shell import COOKIE

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
expect.set_options(timeout=15_000)

CHROMIUM = shutil.which("chromium")
SERVER = Path(__file__).parent / "serve_page.py"
QUESTION = "What shall I cook with chickpeas and eggs?"
CHICKPEAS = "I always have chickpeas"
BOB = Record(user="bob", kind="dialogue", output="I only drink tea")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium here: apt-get install chromium"
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """A server in a process of its own."""

    def __init__(self, store: Path) -> None:
        self.store, self.port = store, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, str(SERVER), str(store), str(self.port)]
        self.process = subprocess.Popen(command, cwd=store.parent)

    def wait(self) -> None:
        for _ in range(300):
            try:
                httpx.get(self.url + HOME, timeout=5).raise_for_status()
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the server does not answer")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server without keys."""
    yield from running(Server(tmp_path_factory.mktemp("open") / "ipse.db"))


def running(server: Server) -> Iterator[Server]:
    try:
        server.wait()
        yield server
    finally:
        server.end()


@pytest.fixture
def ada(server) -> Iterator[None]:
    """The sample person, and another one, known to the server for one test."""
    with Ipse(server.store, "echo") as engine:
        engine.add([*sample(), BOB])
        yield
        for person in engine.store.everybody():
            engine.forget(person)


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium) -> Iterator[playwright.Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    hosts, wrong = set(), []
    found = context.new_page()
    found.set_default_timeout(15_000)
    found.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    found.on("pageerror", lambda error: wrong.append(str(error)))
    yield found
    context.close()
    assert hosts <= {"127.0.0.1", None}, "a page must load nothing from elsewhere"
    assert not wrong


def show(page, server, person, path="") -> None:
    """Open a view of a person."""
    memory = quote(json.dumps({"dark": None, "person": person}))
    page.context.add_cookies([{"name": COOKIE, "value": memory, "url": server.url}])
    page.goto(server.url + HOME + path)


def ask(page, question=QUESTION):
    """Put a question by the keyboard alone; give both cards."""
    expect(page.locator(".ip-question textarea")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(question)
    page.keyboard.press("Enter")
    personal = page.locator(".ip-answer.ip-personal").last
    expect(personal.get_by_text("Why this answer")).to_be_visible()
    return page.locator(".ip-answer.ip-generic").last, personal


def test_a_sample_person_is_imported_asked_as_corrected_forgotten_and_erased(page, server):
    page.goto(server.url)
    page.get_by_role("button", name="Add the sample person").click()
    generic, personal = ask(page)
    expect(generic.locator(".ip-text")).to_have_text(f"[user] {QUESTION}")
    expect(personal.locator(".ip-text")).to_contain_text(CHICKPEAS)

    personal.get_by_text("Why this answer").click()
    expect(personal.get_by_text("Methods: bm25:k=2 at strength 1")).to_be_visible()

    personal.locator(".ip-record", has_text=CHICKPEAS).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Forget").click()
    dialog.get_by_role("button", name="Forget for good?").click()
    again = page.locator(".ip-answer.ip-personal")
    expect(again).to_have_count(1)
    expect(again.get_by_text("Why this answer")).to_be_visible()
    expect(again.locator(".ip-text")).not_to_contain_text(CHICKPEAS)

    page.get_by_role("link", name="Me").click()
    expect(page.get_by_text("21 records from")).to_be_visible()
    expect(page.get_by_text(CHICKPEAS)).to_have_count(0)
    page.get_by_role("button", name="Erase …").click()
    page.get_by_role("dialog").get_by_label("Name").fill("ada")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("Forgot 21 records")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Who is it for?")).to_be_visible()


def test_a_file_is_imported_and_a_correction_changes_the_answer(page, server):
    record = {"user": "cyd", "kind": "dialogue", "output": "I always have chickpeas and rice"}
    other = {**record, "user": "ada"}
    show(page, server, "cyd", "me")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(
        {"name": "other.jsonl", "mimeType": "text/plain", "buffer": json.dumps(other).encode()}
    )
    expect(page.get_by_text("tells of 'ada', not of 'cyd'")).to_be_visible()
    chooser.set_input_files(
        {"name": "mine.jsonl", "mimeType": "text/plain", "buffer": json.dumps(record).encode()}
    )
    expect(page.get_by_text("1 record from")).to_be_visible()
    page.get_by_role("link", name="Chat").click()
    _, personal = ask(page)
    personal.locator(".ip-record").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What they said").fill("I always have lentils and eggs")
    dialog.get_by_role("button", name="Save correction").click()
    expect(page.locator(".ip-personal .ip-text")).to_contain_text("lentils")


def test_what_is_said_of_answers_becomes_records(page, server, ada):
    show(page, server, "ada")
    generic, personal = ask(page)
    personal.get_by_role("button", name="Thumb up").click()
    expect(page.get_by_text("Kept as 1 record").first).to_be_visible()
    generic.get_by_role("button", name="Better").click()
    expect(generic.locator(".ip-crown")).to_be_visible()
    expect(personal.locator(".ip-crown")).not_to_be_visible()
    page.get_by_role("link", name="Me").click()
    expect(page.get_by_text("24 records from")).to_be_visible()


def test_answers_on_the_page_are_counted_and_what_it_asks_to_learn_is_learned(page, server, ada):
    show(page, server, "ada")
    ask(page)
    page.get_by_role("link", name="Operate").click()
    tile = page.locator(".ip-tile").filter(has_text="Tokens written")
    expect(tile.locator(".ip-tile-number")).to_have_text(re.compile("[1-9]"))
    page.get_by_role("button", name="Learn of everybody").click()
    row = page.get_by_label("Jobs").locator(".ip-row")
    expect(row).to_contain_text("done", timeout=10_000)


def test_at_strength_0_both_answers_are_the_same(page, server, ada):
    show(page, server, "bob")
    slider = page.locator(".q-slider__track-container")
    slider.focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(page.locator(".ip-number")).to_have_text("0.00")
    generic, personal = ask(page, "What do I drink?")
    expect(personal.locator(".ip-text")).to_have_text(generic.locator(".ip-text").inner_text())


def test_no_view_is_wider_than_its_screen(page, server, ada):
    show(page, server, "ada")
    for name in ("Chat", "Me", "Compare", "Operate"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator(f".ip-{name.lower()}")).to_be_visible()
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            # Charts take their new width in a frame of their own.
            page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")


def test_keys_lead_to_every_view(page, server, ada):
    show(page, server, "ada")
    expect(page.locator(".ip-chat")).to_be_visible()
    page.locator("body").click(position={"x": 5, "y": 500})
    for key, text in (("2", "What is known"), ("3", "Gain over"), ("4", "People"), ("1", "Ask")):
        page.keyboard.press(key)
        expect(page.get_by_text(text).first).to_be_visible()


def test_light_and_dark_are_chosen_and_remembered(page, server, ada):
    show(page, server, "ada")
    for name in ("Theme: Light or dark", "Theme: Light"):
        page.get_by_role("button", name=name).first.click()
    expect(page.locator("body.body--dark")).to_be_attached()
    page.reload()
    expect(page.locator("body.body--dark")).to_be_attached()


@pytest.fixture
def keyed(tmp_path) -> Iterator[tuple[Server, str]]:
    """A server with keys, and Bob's."""
    store = tmp_path / "ipse.db"
    with Ipse(store, "echo") as engine:
        engine.add([*sample(), BOB])
        key, _ = engine.store.keys.create("bob")
    for server in running(Server(store)):
        yield server, key


def test_a_key_of_one_person_shows_nobody_else(page, keyed):
    server, key = keyed
    show(page, server, "ada", "me")
    page.get_by_label("Key").fill("ipse-000000000000-" + "x" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This key is good for nothing")).to_be_visible()
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ask something as bob")).to_be_visible()
    page.get_by_role("link", name="Me").click()
    expect(page.get_by_text("1 record from")).to_be_visible()
    expect(page.get_by_label("Person")).to_have_count(0)
    page.goto(server.url + HOME + "operate")
    expect(page.get_by_text("This key is one person's")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
