"""Simulated editors: deterministic, done once, and silent where nothing is to be edited."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipse.construct import WISHES, editors
from ipse.errors import UsageError
from ipse.preferences import pairs
from ipse.records import User

KINDS = ("argument", "essay", "letter")
DRAFT = "I think people may need sleep. Perhaps they sleep too little! It is good for them."

SENTENCES = st.lists(
    st.sampled_from(
        ["I think people may need sleep.", "Perhaps they are tired!", "- Is it so?",
         "1. He has it.",
         "One could say that it is rather long and goes on, and on, without an end in sight, as if"
         " nobody had ever told the one who wrote it that people like their sentences short.",
         "quite"]
    ),
    min_size=1,
).map(" ".join)  # fmt: skip


def wish(name):
    return next(each for each in WISHES if each.name == name)


@pytest.mark.parametrize(
    ("name", "edited"),
    [
        ("direct", "People will need sleep. They sleep too little! It is good for them."),
        ("second person", "You think you may need sleep. Perhaps you sleep too little! It is good "
         "for you."),
        ("loud", "I think people may need sleep! Perhaps they sleep too little! It is good for "
         "them!"),
        ("short", "I think people may need sleep. Perhaps they sleep too little!"),
        ("bullets", "- I think people may need sleep.\n- Perhaps they sleep too little!\n- It is "
         "good for them."),
        ("opening", f"In short, {DRAFT}"),
        ("lower", DRAFT.lower()),
        ("closing", f"{DRAFT} What do you think?"),
    ],
)  # fmt: skip
def test_a_wish_edits(name, edited):
    assert wish(name).edit(DRAFT) == edited


@given(SENTENCES)
def test_what_is_edited_once_is_edited(text):
    every = [*editors(6, KINDS), *editors(6, KINDS, strange=True)]
    for editor, kind in product(every, KINDS):
        once = editor.edit(kind, text)
        assert editor.edit(kind, once) == once


def test_a_short_text_is_short():
    words = wish("short").edit(" ".join(["word"] * 90)).split()
    assert len(words) == 25
    assert words[-1] == "word."


def test_editors_wish_other_things_of_other_kinds_and_stay_the_same():
    drawn = editors(5, KINDS, seed=2)
    assert drawn == editors(9, KINDS, seed=2)[:5]
    assert drawn[2:] == editors(3, KINDS, seed=2, first=2)
    for editor in [*drawn, *editors(5, KINDS, seed=2, strange=True)]:
        assert len({editor.said(kind) for kind in KINDS}) == len(KINDS)


def test_an_edit_is_a_preference_that_says_nobody_made_it():
    (editor,) = editors(1, KINDS)
    record = editor.record(3, "essay", "Sum it up.", DRAFT)
    assert record.user == editor.id == "constructed-editor-0"
    assert record.source.startswith("constructed:editor:")
    (pair,) = pairs(User(editor.id, (record,)))
    assert (pair.how, pair.rejected, pair.chosen) == ("edit", DRAFT, editor.edit("essay", DRAFT))


def test_a_draft_that_is_as_wished_is_left_alone():
    (editor,) = editors(1, KINDS)
    assert editor.record(0, "essay", "Sum it up.", editor.edit("essay", DRAFT)) is None


def test_editors_need_a_kind_of_text():
    with pytest.raises(UsageError, match="at least one kind"):
        editors(1, [])
