from __future__ import annotations

import pytest

from ipse.text import cut, document, ends, one_line, overlap, show, words
from tests.people import person, reason


def test_words_keep_their_apostrophes():
    assert words("Don't STOP, it\u2019s 5 o'clock!") == [
        "don't",
        "stop",
        "it\u2019s",
        "5",
        "o'clock",
    ]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(None, "a b c d e"), (5, "a b c d e"), (4, "a b … d e"), (3, "a b … e"), (1, "a …")],
)
def test_ends_keeps_both_ends(count, expected):
    assert ends("a b c d e", count) == expected


def test_text_without_spaces_is_cut_all_the_same():
    assert len(cut("\u5b57" * 1000, 4)) == 4 * 16 + 2
    assert len(ends("x" * 1000, 4)) == 4 * 16 + 2


def test_characters_written_without_spaces_are_words():
    assert words("\u7eff\u8336 tea") == ["\u7eff", "\u8336", "tea"]


def test_cut_keeps_the_beginning():
    assert cut("a b c", 2) == "a b …"
    assert cut("a  b", 2) == "a  b"
    assert cut("a b c", None) == "a b c"


def test_overlap_is_the_share_of_words():
    assert overlap(["green tea", "black tea", ""]).tolist() == [
        [1, pytest.approx(1 / 3), 0],
        [pytest.approx(1 / 3), 1, 0],
        [0, 0, 0],
    ]


def test_every_kind_reads_as_one_line():
    shown = {record.kind: show(record) for record in person(count=1).records}
    assert shown == {
        "profile": "home: Paris",
        "dialogue": "I like tea",
        "interaction": "A film on tea: 4",
        "preference": 'preferred "green" to "black"',
        "content": "ada finds point 1 on plastic bottles convincing!",
    }
    assert one_line("a\n b") == "a b"


def test_a_search_looks_at_the_side_it_is_told():
    record = reason("ada", 1, input="one two three four", output="five")
    assert document(record, "input") == "one two three four"
    assert document(record, "output") == "five"
    assert document(record, "both", limit=2) == "one two … five"
    assert document(reason("ada", 1, input="", output="five"), "input") == "five"
