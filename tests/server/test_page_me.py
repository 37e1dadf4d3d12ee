"""Me on the page: corrections, a pause, an export that is whole, erasing; what is so after."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from ipse.engine import Ipse
from tests.server.browser import ask, choose, expect, go, in_chromium, said, show, told

pytestmark = in_chromium

RICE = {"user": "ada", "kind": "dialogue", "output": "I like rice"}


@pytest.fixture(autouse=True)
def ada(page, server, known):
    """Me, of the sample person."""
    show(page, server, "ada", "me")
    expect(page.get_by_text("22 records from")).to_be_visible()


def find(page, words):
    """Open the one record that holds some words."""
    page.get_by_label("Find").fill(words)
    expect(page.locator(".ip-records .ip-record")).to_have_count(1)
    page.locator(".ip-records .ip-record").click()
    return page.get_by_role("dialog")


def upload(page, name, content):
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def test_what_is_corrected_in_the_profile_is_what_the_model_reads(page, known):
    page.get_by_role("button", name="Put it in words").click()
    words = page.get_by_label("Profile").locator(".ip-text")
    expect(words).to_contain_text("Lisbon")
    dialog = find(page, "Lisbon")
    dialog.get_by_role("button", name="Save correction").click()
    told(page, "nothing is different")
    dialog.get_by_label("Value").fill("Porto")
    dialog.get_by_role("button", name="Save correction").click()
    told(page, "Corrected.")
    page.get_by_role("button", name="Put it in words").click()
    expect(words).to_contain_text("Porto")
    expect(words).not_to_contain_text("Lisbon")
    records = known.store.user("ada").records
    assert len(records) == 22
    assert [r.output for r in records if r.input == "lives in"] == ["Porto"]


def test_what_the_model_may_not_read_it_does_not(page, known):
    dialog = find(page, "chickpeas and eggs in the house")
    dialog.get_by_role("checkbox", name="The model may read it").click()
    dialog.get_by_role("button", name="Save correction").click()
    told(page, "Corrected.")
    (record,) = [r for r in known.store.user("ada").records if "eggs in the house" in r.output]
    assert record.uses == {"train"}
    go(page, "Chat")
    _, personal = ask(page)
    assert "eggs in the house" not in said(personal)


def test_who_is_paused_has_nothing_new_kept_or_learned(page, known):
    pause = page.get_by_role("switch", name="Paused")
    pause.click()
    expect(pause).to_be_checked()
    told(page, "Paused")
    assert known.store.pauses.since("ada") is not None
    before = known.store.user("ada").records

    page.get_by_label("Something to remember").fill("I like rice")
    page.get_by_role("button", name="Remember").click()
    told(page, "'ada' is paused")
    upload(page, "rice.jsonl", json.dumps(RICE).encode())
    page.get_by_role("button", name="Learn now").click()
    expect(page.locator(".q-notification__badge")).to_have_text("3")  # it was said so often
    go(page, "Chat")
    expect(page.get_by_text("Paused: nothing new is kept or learned")).to_be_visible()
    _, personal = ask(page)
    expect(personal.get_by_role("button", name="Thumb up")).to_have_count(0)
    assert known.store.replies("ada") == []
    go(page, "Operate")
    row = page.get_by_label("People").get_by_role("row").filter(has_text="ada")
    row.get_by_role("button", name="Learn").click()
    told(page, "'ada' is paused")
    assert known.store.user("ada").records == before
    assert not known.store.jobs.latest("ada")

    go(page, "Me")
    expect(pause).to_be_checked()
    pause.click()
    expect(pause).not_to_be_checked()
    told(page, "No longer paused")
    assert known.store.pauses.since("ada") is None
    page.get_by_label("Something to remember").fill("I like rice")
    page.get_by_role("button", name="Remember").click()
    expect(page.get_by_text("23 records from")).to_be_visible()
    assert known.store.user("ada").records[-1].output == "I like rice"


def test_an_export_is_whole_and_brings_back_who_was_erased(page, known, tmp_path):
    go(page, "Chat")
    ask(page)
    go(page, "Me")
    before = known.store.user("ada").records
    replies = known.store.replies("ada")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        lines = archive.read("records.jsonl").decode().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {record.id for record in before}
    with Ipse(tmp_path / "elsewhere.db", "echo") as other:
        other.store.import_user(file, "ada")
        assert other.store.user("ada").records == before
        assert {reply.id for reply in other.store.replies("ada")} == {r.id for r in replies}

    receipt = erased(page, "ada", tmp_path)
    assert set(receipt["records"]) == {record.id for record in before}
    assert list(known.store.everybody()) == ["bob"]
    assert known.store.replies("ada") == []

    person = page.get_by_role("combobox", name="Person")
    person.fill("ada")
    person.press("Enter")
    expect(page.get_by_text("Nothing is known of ada yet")).to_be_visible()
    upload(page, file.name, Path(file).read_bytes())
    expect(page.get_by_text("22 records from")).to_be_visible()
    assert known.store.user("ada").records == before


def erased(page, name, folder):
    """Erase a person, who has to be named; give the receipt."""
    page.get_by_role("button", name="Erase …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Erase for good").click()
    told(page, "That is not the name")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Erase for good").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save receipt").click()
    download.value.save_as(folder / "receipt.json")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Who is it for?")).to_be_visible()
    return json.loads((folder / "receipt.json").read_text())


def test_what_is_found_is_of_the_kind_and_source_and_words_chosen(page, known):
    page.get_by_label("Something to remember").fill("I like rice")
    page.get_by_label("Something to remember").press("Enter")
    expect(page.get_by_text("23 records from")).to_be_visible()
    shown = page.locator(".ip-records .ip-record")
    expect(shown).to_have_count(23)
    choose(page, "Kind", "content 5")
    expect(shown).to_have_count(5)
    choose(page, "Kind", "Every kind")
    choose(page, "Source", "page 1")
    expect(shown).to_have_text(["dialogueI like rice"])
    page.get_by_label("Find").fill("nowhere to be found")
    expect(page.get_by_text("Nothing of this sort")).to_be_visible()
