"""Chat on the page: what is said of answers, stopping, temporary chats; what is kept of each."""

from __future__ import annotations

import pytest

from ipse.feedback import said as feedback
from tests.server.browser import (
    CHICKPEAS,
    QUESTION,
    ask,
    expect,
    go,
    in_chromium,
    put,
    said,
    settled,
    show,
    strength,
    told,
    whole,
)
from tests.server.serve_page import FOREVER

pytestmark = in_chromium


@pytest.fixture(autouse=True)
def ada(page, server, known):
    """Chat, as the sample person."""
    show(page, server, "ada")


def reply_to(known, text):
    """The one reply that is kept with a text."""
    (found,) = [reply for reply in known.store.replies("ada") if reply.text == text]
    return found


def test_a_thumb_is_a_record_of_that_reply_and_the_latest_counts(page, known):
    _, personal = ask(page)
    reply = reply_to(known, said(personal))
    up = personal.get_by_role("button", name="Thumb up")
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    (record,) = feedback(known.store.user("ada"))
    assert (record.kind, record.input, record.output) == ("interaction", QUESTION, "up")
    assert record.meta["reply_id"] == reply.id
    assert set(record.meta["evidence"]) == set(reply.evidence) != set()

    up.click()
    told(page, "That was known already")
    personal.get_by_role("button", name="Thumb down").click()
    expect(up).to_have_attribute("aria-pressed", "false")
    outputs = [record.output for record in feedback(known.store.user("ada"))]
    assert outputs == ["up", "down"]


def test_an_edited_answer_is_preferred_to_its_draft_and_read_from_then_on(page, known):
    _, personal = ask(page)
    draft = said(personal)
    personal.get_by_role("button", name="Write it as it should have been").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Keep").click()
    told(page, "the edit is the draft")
    dialog.get_by_label("Answer").fill("Dragon stew, in ten minutes.")
    dialog.get_by_role("button", name="Keep").click()
    expect(personal.locator(".ip-text")).to_have_text("Dragon stew, in ten minutes.")
    (record,) = feedback(known.store.user("ada"))
    assert (record.output, record.rejected) == ("Dragon stew, in ten minutes.", draft)
    assert record.meta["reply_id"] == reply_to(known, draft).id
    generic, personal = ask(page, "And for the sea?")
    assert "[assistant] Dragon stew, in ten minutes." in said(personal)
    assert "Dragon stew" not in said(generic)


def test_the_better_of_two_is_a_preference_and_the_last_word_counts(page, known):
    generic, personal = ask(page)
    one, two = said(generic), said(personal)
    generic.get_by_role("button", name="Better").click()
    expect(generic.locator(".ip-crown")).to_be_visible()
    expect(personal.locator(".ip-crown")).to_be_hidden()
    personal.get_by_role("button", name="Better").click()
    expect(personal.locator(".ip-crown")).to_be_visible()
    first, second = feedback(known.store.user("ada"))
    assert (first.output, first.rejected) == (one, two)
    assert (second.output, second.rejected) == (two, one)
    assert second.meta["other_reply_id"] == reply_to(known, one).id


def test_another_answer_is_written_beside_the_first_at_the_strength_set_now(page, known):
    generic, personal = ask(page)
    strength(page, 0)
    personal.get_by_role("button", name="Another answer").click()
    second = page.get_by_label("Personal, answer 2", exact=True)
    whole(second)
    assert said(second) == said(generic)
    assert CHICKPEAS in said(personal)
    strengths = sorted(reply.strength for reply in known.store.replies("ada"))
    assert strengths == [0, 0, 1]

    second.get_by_role("button", name="Better").click()
    expect(second.locator(".ip-crown")).to_be_visible()
    (record,) = feedback(known.store.user("ada"))
    assert (record.output, record.rejected) == (said(second), said(personal))
    go(page, "Me")
    go(page, "Chat")
    expect(second.locator(".ip-crown")).to_be_visible()
    expect(page.get_by_label("Personal", exact=True)).to_have_count(1)


def test_an_answer_that_is_stopped_is_kept_nowhere(page, known):
    generic, personal = put(page, FOREVER)
    for card in (generic, personal):
        expect(card.locator(".ip-text")).to_contain_text("5 6 7")
        card.get_by_role("button", name="Stop").click()
        expect(card.get_by_text("Stopped. What is not whole is not kept.")).to_be_visible()
        expect(card.get_by_role("button", name="Stop")).to_be_hidden()
        expect(card.get_by_role("button", name="Better")).to_be_hidden()
    assert known.store.replies("ada") == []
    settled(page)
    _, personal = ask(page)
    assert FOREVER not in said(personal)


def test_who_comes_back_to_a_growing_answer_sees_it_grow_and_can_stop_it(page, known):
    put(page, FOREVER)
    go(page, "Me")
    go(page, "Chat")
    personal = page.locator(".ip-personal.ip-answer")
    before = said(personal)
    expect(personal.locator(".ip-text")).not_to_have_text(before)
    for left in (1, 0):
        page.get_by_role("button", name="Stop").first.click()
        expect(page.get_by_role("button", name="Stop")).to_have_count(left)
    go(page, "Me")
    go(page, "Chat")
    expect(page.get_by_text("Stopped. What is not whole")).to_have_count(2)


def test_another_person_stops_what_is_written_for_the_last(page, known):
    put(page, FOREVER)
    person = page.get_by_role("combobox", name="Person")
    person.fill("bob")
    person.press("Enter")
    expect(page.get_by_text("Ask something as bob")).to_be_visible()
    settled(page)
    assert known.store.replies("ada") == known.store.replies("bob") == []


def test_a_temporary_chat_keeps_nothing(page, known):
    before = known.store.user("ada").records
    page.get_by_role("checkbox", name="Temporary").click()
    _, personal = ask(page)
    assert CHICKPEAS in said(personal)
    expect(personal.get_by_text("Temporary: it is not kept")).to_be_visible()
    for name in ("Thumb up", "Thumb down", "Write it as it should have been", "Better"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()
    assert known.store.replies("ada") == []
    assert known.store.user("ada").records == before

    page.get_by_role("checkbox", name="Temporary").click()
    _, personal = ask(page, "And tonight?")
    expect(personal.get_by_role("button", name="Thumb up")).to_be_visible()
    assert {reply.question for reply in known.store.replies("ada")} == {"And tonight?"}


def test_a_method_that_there_is_not_is_said_in_its_card_and_the_other_is_written(page, known):
    page.get_by_label("Methods").fill("magic")
    generic, personal = ask(page)
    expect(personal.locator(".ip-note")).to_contain_text("magic")
    assert QUESTION in said(generic)
