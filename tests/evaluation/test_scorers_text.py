"""Scores of written answers, with the arithmetic of small ones."""

from __future__ import annotations

import random
import sys

import pytest

from ipse.errors import MissingExtra, UsageError
from ipse.evaluation.scorers.text import (
    bleu,
    chrf,
    corpus_bleu,
    edit_distance,
    edit_share,
    locomo_f1,
    meteor,
    rouge_1,
    rouge_l,
    token_f1,
)

SCORES = (rouge_1, rouge_l, meteor, chrf, bleu, token_f1)
SENTENCE = "She moved to Lisbon because the sea is close, and it's warm."


@pytest.mark.parametrize("score", SCORES)
def test_the_same_text_is_best_and_scores_stay_within_bounds(score):
    assert 0.999 < score(SENTENCE, SENTENCE) <= 1.0
    assert 0.0 < score("He moved to Lisbon, since it was warm.", SENTENCE) < 0.9


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(("output", "target"), [("", "word"), ("word", ""), ("", ""), (" \n", "w")])
def test_an_empty_side_scores_zero(score, output, target):
    assert score(output, target) == 0.0


@pytest.mark.parametrize("score", SCORES)
def test_what_shares_nothing_scores_zero(score):
    assert score("xyz", "bcd efgh") == 0.0


def test_rouge_1_counts_words_whatever_their_order():
    # shared: the, dog, saw (3); output has 4 words, target 5: 2 * 3 / (4 + 5)
    assert rouge_1("Dog saw the bird.", "the big dog saw me") == pytest.approx(6 / 9)


def test_rouge_l_counts_the_longest_common_subsequence():
    # "dog saw" in order (2): 2 * 2 / (4 + 5)
    assert rouge_l("Dog saw the bird.", "the big dog saw me") == pytest.approx(4 / 9)


def test_rouge_does_not_stem():
    assert rouge_1("dogs", "dog") == rouge_l("dogs", "dog") == 0.0


def test_rouge_sees_ascii_alone_and_chrf_sees_every_script():
    assert rouge_1("το σπίτι", "το σπίτι") == 0.0
    assert chrf("το σπίτι", "το σπίτι") == pytest.approx(1.0)


def test_meteor_matches_equal_words_and_stems_and_asks_for_order():
    # 2 of 3 words match (the; cats = cat by its stem), in one chunk:
    # P = R = F = 2/3, penalty 0.5 * (1/2)^3 = 1/16
    assert meteor("The cats sit", "the cat sat") == pytest.approx(2 / 3 * 15 / 16)
    # all 2 match, in two chunks: F = 1, penalty 0.5 * (2/2)^3
    assert meteor("cat the", "the cat") == pytest.approx(0.5)


def test_meteor_and_stems_need_no_corpus(monkeypatch):
    data = pytest.importorskip("nltk.data")
    monkeypatch.setattr(data, "path", [])
    assert meteor("a car", "an automobile") == 0.0  # synonyms, which only WordNet knows
    assert token_f1("cars", "car") == 1.0


def test_chrf_and_bleu_are_sacrebleus_over_a_hundred():
    sacrebleu = pytest.importorskip("sacrebleu")
    output, target = "the cat sat on a mat", "the cat sat on the mat"
    assert chrf(output, target) == sacrebleu.sentence_chrf(output, [target]).score / 100
    # 1- to 4-gram precisions 5/6, 3/5, 2/4, 1/3; equally long, so no brevity penalty
    assert bleu(output, target) == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)


def test_bleu_of_a_short_answer_takes_the_n_grams_it_has():
    assert bleu("yes", "yes") == pytest.approx(1.0)
    assert corpus_bleu(["yes"], ["yes"]) == 0.0  # no 4-gram anywhere


def test_corpus_bleu_pools_counts_before_it_divides():
    outputs, targets = ["a b c d", "a b c d x"], ["a b c d", "a b c d e"]
    # n-grams that match: 4+4 of 4+5, 3+3 of 3+4, 2+2 of 2+3, 1+1 of 1+2
    assert corpus_bleu(outputs, targets) == pytest.approx((8 / 9 * 6 / 7 * 4 / 5 * 2 / 3) ** 0.25)


@pytest.mark.parametrize(("outputs", "targets"), [([], []), (["a"], ["a", "b"])])
def test_corpus_bleu_needs_as_many_outputs_as_targets_and_some(outputs, targets):
    with pytest.raises(UsageError, match="no BLEU"):
        corpus_bleu(outputs, targets)


def test_token_f1_drops_articles_and_marks_and_takes_stems():
    assert token_f1("The dogs, and a cat!", "dog cat") == 1.0
    # said: in, march (2); right: march (1); same 1: 2 * 1 / (2 + 1)
    assert token_f1("in March", "March.") == pytest.approx(2 / 3)
    assert token_f1("well-known", "wellknown") == 1.0  # a mark goes, and joins what it parted


def test_token_f1_counts_a_stem_as_often_as_both_have_it():
    # same: no twice; 2 * 2 / (3 + 2)
    assert token_f1("no no no", "no no") == pytest.approx(4 / 5)


@pytest.mark.parametrize("category", [2, 4])
def test_locomo_plain_categories_are_token_f1(category):
    assert locomo_f1("in March", "March; or April", category) == token_f1(
        "in March", "March; or April"
    )


def test_locomo_multi_hop_averages_the_best_match_of_each_part_of_the_target():
    # pottery: 1 by "pottery"; camping trips: best is "camping", 2 * 1 / (1 + 2); swimming: 0
    score = locomo_f1("camping, pottery", "pottery, camping trips, swimming", 1)
    assert score == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_locomo_multi_hop_counts_an_empty_part_of_the_target_as_missed():
    assert locomo_f1("pottery", "pottery,", 1) == pytest.approx(0.5)


def test_locomo_open_domain_cuts_the_target_at_its_first_semicolon():
    assert locomo_f1("likely yes", "Likely yes; she likes the sea", 3) == 1.0


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("That is NOT mentioned.", 1.0),
        ("No information available", 1.0),
        ("I do not know", 0.0),
        ("", 0.0),
    ],
)
def test_locomo_adversarial_questions_want_a_refusal(output, score):
    assert locomo_f1(output, "a trap", 5) == score


@pytest.mark.parametrize("category", [0, 6, "1"])
def test_there_are_five_locomo_categories(category):
    with pytest.raises(UsageError, match="one of 1 to 5"):
        locomo_f1("a", "a", category)


@pytest.mark.parametrize(
    ("output", "target", "distance"),
    [
        ("", "", 0),
        ("", "two words", 2),
        ("two words", "", 2),
        ("the same", "the same", 0),
        ("The same", "the same", 1),  # case counts
        ("Hi Bob", "Hi, Bob!", 2),  # so do marks
        ("don't go", "do go", 1),  # a word with its apostrophe is one
        ("a b c", "b c d", 2),
        ("übel 👍", "übel 👎", 1),
    ],
)
def test_edit_distance_counts_words_to_change(output, target, distance):
    assert edit_distance(output, target) == edit_distance(target, output) == distance


def test_edit_distance_is_levenshteins():
    def slow(first, second):
        if not first or not second:
            return len(first) + len(second)
        return min(
            slow(first[1:], second) + 1,
            slow(first, second[1:]) + 1,
            slow(first[1:], second[1:]) + (first[0] != second[0]),
        )

    chance = random.Random(0)
    for _ in range(50):
        one, other = (chance.choices("abc", k=chance.randint(0, 5)) for _ in range(2))
        assert edit_distance(" ".join(one), " ".join(other)) == slow(one, other)


def test_edit_share_is_of_the_longer_text():
    assert edit_share("a b", "a b c d") == 0.5
    assert edit_share("a b", "c d") == 1.0
    assert edit_share("", "") == 0.0


@pytest.mark.parametrize(
    ("module", "package", "score"),
    [("sacrebleu", "sacrebleu", chrf), ("nltk.translate.meteor_score", "nltk", meteor)],
)
def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch, module, package, score):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"'{package}' is not installed.*ipse\[eval\]"):
        score("a", "a")
