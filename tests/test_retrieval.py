from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from ipse.records import Record
from ipse.retrieval import (
    BM25,
    blend,
    fuse,
    named,
    recency,
    select,
    since,
    sittings,
    spans,
    stemmed,
    top,
    with_neighbors,
)
from ipse.text import words
from tests.people import START

TEXTS = st.lists(st.text("ab c", max_size=12), min_size=1, max_size=8)


def oracle(texts, query, k1=1.5, b=0.75):
    """BM25 as its formula reads, one word and one document at a time."""
    bags = [Counter(words(text)) for text in texts]
    lengths = [sum(bag.values()) for bag in bags]
    average = sum(lengths) / len(lengths)
    scores = []
    for bag, length in zip(bags, lengths, strict=True):
        score = 0.0
        for word in words(query):
            df = sum(word in other for other in bags)
            idf = math.log(1 + (len(bags) - df + 0.5) / (df + 0.5))
            if word in bag:
                damp = k1 * (1 - b + b * length / average)
                score += idf * bag[word] * (k1 + 1) / (bag[word] + damp)
        scores.append(score)
    return scores


@given(TEXTS, st.text("abc d", max_size=12))
def test_bm25_is_its_formula(texts, query):
    assert BM25.build(texts).scores(query) == pytest.approx(oracle(texts, query), abs=1e-4)


def test_bm25_orders_as_the_papers_code_does():
    texts = [f"word{i % 7} word{i % 5} word{i % 3} filler {'long ' * (i % 4)}" for i in range(60)]
    query = "word3 word4"
    theirs = BM25Okapi([words(text) for text in texts]).get_scores(words(query))
    ours = BM25.build(texts).scores(query)
    assert set(top(ours, 5)) == set(top(theirs, 5))


def test_an_index_reopens_from_its_arrays():
    texts = ["green tea", "black tea", "coffee"]
    index = BM25.build(texts)
    again = BM25.from_arrays(index.to_arrays(), len(texts))
    assert (again.scores("black tea") == index.scores("black tea")).all()
    assert top(again.scores("black tea"), 1).tolist() == [1]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_an_index_of_nothing_finds_nothing(texts):
    assert BM25.build(texts).scores("tea").tolist() == [0.0] * len(texts)


@given(st.lists(st.integers(0, 3), max_size=9), st.integers(0, 12))
def test_top_is_the_head_of_the_sorted_list(scores, count):
    places = sorted(range(len(scores)), key=lambda i: (-scores[i], -i))[:count]
    assert top(np.array(scores, float), count).tolist() == places


def test_fusion_by_hand():
    # 1/(60+1) + 1/(60+2) for the first, 1/(60+2) for the second, 1/(60+1) for the third
    scores = fuse([np.array([0, 1]), np.array([2, 0])], 4)
    assert scores == pytest.approx([1 / 61 + 1 / 62, 1 / 62, 1 / 61, 0])


def test_recency_halves():
    assert recency(5, 2).tolist() == pytest.approx([0.25, 0.5**1.5, 0.5, 0.5**0.5, 1])
    assert recency(3, 0).tolist() == [1, 1, 1]


def test_diversity_passes_over_the_twin():
    scores = np.array([1.0, 0.99, 0.5])
    near = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])

    def likeness(places):
        return near[np.ix_(places, places)]

    assert select(scores, 2, 0.0, likeness).tolist() == [0, 1]
    assert select(scores, 2, 0.5, likeness).tolist() == [0, 2]
    assert select(scores, 9, 0.5, likeness).tolist() == [0, 2, 1]


# Mixing scores.


def test_a_blend_by_hand():
    # (1, 2, 3) has mean 2 and deviation sqrt(2/3), so its ends are sqrt(3/2) from the mean;
    # (0, 0, 9) has mean 3 and deviation sqrt(18): -1/sqrt(2), -1/sqrt(2), sqrt(2)
    end, low, high = math.sqrt(3 / 2), -1 / math.sqrt(2), math.sqrt(2)
    expected = [0.25 * -end + 0.75 * low, 0.75 * low, 0.25 * end + 0.75 * high]
    found = blend(np.array([1.0, 2, 3]), np.array([0.0, 0, 9]), 0.25)
    assert found == pytest.approx(expected)


def test_scale_and_offset_do_not_change_a_blend():
    one, other = np.array([0.0, 3, 1, 7]), np.array([5.0, 1, 2, 2])
    assert blend(10 * one + 3, other / 4, 0.5) == pytest.approx(blend(one, other, 0.5))


@pytest.mark.parametrize("same", [0.0, 0.1, 4.0])
def test_a_search_that_finds_all_alike_has_no_say(same):
    flat, other = np.full(3, same, np.float32), np.array([0.0, 2, 1])
    assert top(blend(flat, other, 0.9), 3).tolist() == [1, 2, 0]


@pytest.mark.parametrize("size", [0, 1])
def test_a_blend_of_next_to_nothing_is_zero(size):
    assert blend(np.ones(size), np.zeros(size), 0.5).tolist() == [0.0] * size


# Neighbors.


def turn(minute, **fields):
    time = START + timedelta(minutes=minute)
    return Record(**({"user": "ada", "kind": "dialogue", "output": "x", "time": time} | fields))


def test_a_sitting_ends_with_a_long_silence_another_thread_or_another_kind():
    records = [turn(0), turn(50), turn(111), turn(112, kind="content"), turn(113)]
    assert sittings(records).tolist() == [0, 0, 1, 2, 3]
    assert sittings([turn(0, meta={"thread": "a"}), turn(1)]).tolist() == [0, 1]
    assert sittings([]).tolist() == []


def test_neighbors_by_hand():
    # three of one sitting, two of another; a half of each neighbor, and a quarter of the next
    scores = np.array([4.0, 0, 8, 16, 0])
    found = with_neighbors(scores, np.array([0, 0, 0, 1, 1]), 1, 0.5, 0.25)
    assert found.tolist() == [4, 0.5 * 4 + 0.75 * 8, 8, 16, 0.5 * 16]
    assert with_neighbors(scores, np.zeros(5, int), 2, 0.5).tolist() == [8, 14, 18, 20, 12]


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(0, 9))
def test_without_reach_or_company_scores_stay(scores, reach):
    given_, alone = np.array(scores, float), np.arange(len(scores))
    assert with_neighbors(given_, alone, reach, 0.3, 0.3).tolist() == scores
    assert with_neighbors(given_, 0 * alone, 0, 0.3, 0.3).tolist() == scores


# Cues.


@pytest.mark.parametrize(
    ("question", "left", "places"),
    [
        ("What did Ada's mother say?", "What did mother say?", (0,)),
        ("Did Ada or Bob Lee cook?", "Did or cook?", (0, 1)),
        ("Did Bob cook?", "Did cook?", (1,)),
        ("Adams met the user", "Adams met the user", ()),
        ("did ada cook", "did ada cook", ()),
        ("Ada?", "Ada?", (0,)),
        ("", "", ()),
    ],
)
def test_names_are_found_and_taken_out(question, left, places):
    assert named(question, ["Ada", "Bob Lee", "user", " "]) == (left, places)


def test_a_first_name_two_speakers_share_names_both():
    assert named("Did Bob cook?", ["Bob Lee", "Bob Ray"]) == ("Did cook?", (0, 1))


@pytest.mark.parametrize(
    ("question", "days"),
    [
        ("Who called on 5 July 2023?", [((2023, 7, 5), (2023, 7, 5))]),
        ("Who called on the 5th of July, 2023?", [((2023, 7, 5), (2023, 7, 5))]),
        ("Who called on July 5th, 2023?", [((2023, 7, 5), (2023, 7, 5))]),
        ("Who called on 2023-07-05?", [((2023, 7, 5), (2023, 7, 5))]),
        ("Who called in February 2024?", [((2024, 2, 1), (2024, 2, 29))]),
        ("Who called in July?", [((y, 7, 1), (y, 7, 31)) for y in (2022, 2023)]),
        ("May 2023 or 1 June 2023?", [((2023, 5, 1), (2023, 5, 31)), ((2023, 6, 1), (2023, 6, 1))]),
        ("May I call?", []),
        ("What may I march for?", []),
        ("Who called on 31 June 2023, or on 2023-13-40?", []),
        ("Who called in July 0000?", []),
        ("", []),
    ],
)
def test_dates_are_read(question, days):
    first, last = date(2022, 5, 1).toordinal(), date(2023, 12, 1).toordinal()
    expected = [tuple(date(*day).toordinal() for day in pair) for pair in days]
    assert spans(question, first, last) == expected


def test_days_since_by_hand():
    # never before the span, all of it within, a half a week after its end
    assert since(np.array([9, 10, 12, 19]), [(10, 12)]).tolist() == [0, 1, 1, 0.5]
    assert since(np.array([9, 12]), []).tolist() == [0, 0]
    assert since(np.array([9, 12]), [(12, 12), (2, 2)]).tolist() == [0.5, 1]


def test_stems():
    assert stemmed("What did Ada's painting say?") == "ada paint say"
    assert stemmed("paints") == stemmed("Painted") == "paint"
    assert stemmed("What is it?") == "what is it"
    assert stemmed("") == ""
