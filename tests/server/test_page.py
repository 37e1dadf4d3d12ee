"""The page in Debian's Chromium: bar 6 of the server, keys, looks, and what needs no mouse."""

from __future__ import annotations

import json
import re

import pytest

from ipse.engine import Ipse
from ipse.server.page.files import sample
from ipse.server.page.mount import HOME
from tests.server.browser import (
    BOB,
    CHICKPEAS,
    QUESTION,
    ask,
    expect,
    go,
    in_chromium,
    put,
    running,
    said,
    show,
    whole,
)
from tests.server.serve_page import FOREVER

pytestmark = in_chromium


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


def test_answers_on_the_page_are_counted_and_what_it_asks_to_learn_is_learned(page, server, known):
    show(page, server, "ada")
    ask(page)
    page.get_by_role("link", name="Operate").click()
    tile = page.locator(".ip-tile").filter(has_text="Tokens written")
    expect(tile.locator(".ip-tile-number")).to_have_text(re.compile("[1-9]"))
    page.get_by_role("button", name="Learn of everybody").click()
    row = page.get_by_label("Jobs").locator(".ip-row").first
    expect(row).to_contain_text("done", timeout=10_000)


def test_no_view_is_wider_than_its_screen(page, server, known):
    show(page, server, "ada")
    for name in ("Chat", "Me", "Compare", "Operate"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator(f".ip-{name.lower()}")).to_be_visible()
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            fits(page, width)


def test_no_long_word_no_answer_and_no_dialog_is_wider_than_a_phone(page, server, known):
    word = "Donaudampfschifffahrtsgesellschaftskapitänsmütze" * 3
    known.remember("ada", f"I always wear chickpeas, my {word}")
    page.set_viewport_size({"width": 390, "height": 844})
    show(page, server, "ada")
    _, personal = ask(page, f"Chickpeas, a {word}?")
    personal.get_by_text("Why this answer").click()
    expect(personal.get_by_text("Methods: bm25")).to_be_visible()
    fits(page, 390)
    personal.get_by_role("button", name="Write it as it should have been").click()
    for close in ("Leave it", "Close"):
        expect(page.get_by_role("dialog")).to_be_visible()
        fits(page, 390)
        inside = "each => each.scrollWidth <= each.clientWidth"
        assert page.locator(".ip-dialog").evaluate(inside)
        page.get_by_role("dialog").get_by_role("button", name=close).click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        if close == "Leave it":
            personal.locator(".ip-record", has_text="Donau").click()
    go(page, "Me")
    expect(page.locator(".ip-record").first).to_contain_text("Donau")
    fits(page, 390)


def fits(page, width) -> None:
    """Wait until there is nothing to scroll to; charts take their new width in a frame."""
    page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")


def test_keys_lead_to_every_view(page, server, known):
    show(page, server, "ada")
    expect(page.locator(".ip-chat")).to_be_visible()
    page.locator("body").click(position={"x": 5, "y": 500})
    for key, text in (("2", "What is known"), ("3", "Gain over"), ("4", "People"), ("1", "Ask")):
        page.keyboard.press(key)
        expect(page.get_by_text(text).first).to_be_visible()


def test_light_and_dark_are_chosen_and_remembered(page, server, known):
    show(page, server, "ada")
    for name in ("Theme: Light or dark", "Theme: Light"):
        page.get_by_role("button", name=name).first.click()
    expect(page.locator("body.body--dark")).to_be_attached()
    page.reload()
    expect(page.locator("body.body--dark")).to_be_attached()


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A server with keys, Bob's and a service's, that learns from conversations."""
    store = tmp_path_factory.mktemp("keyed") / "ipse.db"
    with Ipse(store, "echo") as engine:
        engine.add([*sample(), BOB])
        keys = {name: engine.store.keys.create(name)[0] for name in ("bob", None)}
    with running(store, learn_conversations="true") as server:
        yield server, keys


def test_a_key_of_one_person_shows_nobody_else(page, keyed):
    server, keys = keyed
    show(page, server, "ada", "me")
    page.get_by_label("Key").fill("ipse-000000000000-" + "x" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This key is good for nothing")).to_be_visible()
    page.get_by_label("Key").fill(keys["bob"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ask something as bob")).to_be_visible()
    page.get_by_role("link", name="Me").click()
    expect(page.get_by_text("1 record from")).to_be_visible()
    expect(page.get_by_label("Person")).to_have_count(0)
    page.goto(server.url + HOME + "operate")
    expect(page.get_by_text("This key is one person's")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_what_is_said_becomes_a_record_where_that_is_so_but_in_a_temporary_chat(page, keyed):
    server, keys = keyed
    show(page, server, "ada")
    page.get_by_label("Key").fill(keys[None])
    page.keyboard.press("Enter")
    temporary = page.get_by_role("checkbox", name="Temporary")
    temporary.click()
    ask(page, "Said for now")
    temporary.click()
    ask(page, "Said for good")
    go(page, "Me")
    expect(page.get_by_text("23 records from")).to_be_visible()
    with Ipse(server.store, "echo") as known:
        record = known.store.user("ada").records[-1]
    assert (record.output, record.source) == ("Said for good", "conversation")


def test_no_mouse_is_needed_to_ask_to_see_why_and_to_forget(page, server, known):
    show(page, server, "ada")
    expect(page.get_by_label("Question")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Quickly.")
    page.keyboard.press("Enter")
    personal = page.locator(".ip-answer.ip-personal")
    whole(personal)
    assert f"[user] {QUESTION}\nQuickly." in said(personal)

    tab_to(page, "Why this answer", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Methods: bm25:k=2 at strength 1")).to_be_visible()

    tab_to(page, CHICKPEAS, "Shift+Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    tab_to(page, CHICKPEAS, None)  # where it was
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    tab_to(page, "Forget")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Forget for good?")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(personal.locator(".ip-text")).not_to_contain_text(CHICKPEAS)
    assert not any(CHICKPEAS in record.output for record in known.store.user("ada").records)


def tab_to(page, text, key="Tab") -> None:
    """Go from one thing to the next until one is focused that says so."""
    for _ in range(40):
        focused = page.locator(":is(button, [role=button]):focus")
        if focused.count() and text in focused.inner_text():
            return
        assert key, f"{text!r} is not focused"
        page.keyboard.press(key)
    raise AssertionError(f"no key leads to {text!r}")


def test_who_loses_the_server_is_told_and_goes_on_when_it_is_back(page, server, known):
    show(page, server, "ada")
    _, personal = put(page, FOREVER)
    expect(personal.locator(".ip-text")).to_contain_text("5 6 7")
    server.process.kill()
    server.process.wait()
    try:
        expect(page.get_by_text("Connection lost")).to_be_visible()
    finally:
        server.begin()
        server.wait()
    expect(page.get_by_text("Ask something as ada")).to_be_visible()
    expect(page.get_by_text("Connection lost")).to_be_hidden()
    assert known.store.replies("ada") == []
    ask(page)
