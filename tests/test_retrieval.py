from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from ipse.retrieval import BM25, fuse, recency, select, top
from ipse.text import words

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
