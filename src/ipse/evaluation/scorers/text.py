"""Scores of a written answer against the words the person wrote: the output, then the target.

Every score is in 0..1, and 1 is best; an empty output scores 0, even where the target is empty
too. The two edit distances are the other way round: 0 is best, and `edit_distance` counts words.

All but `chrf` see words, and suit languages that put spaces between them. ROUGE sees ASCII letters
and digits alone, as in the official scripts: two equal texts in Greek or Chinese score 0.

Knows no task and no model, and reads no corpus: nothing is ever downloaded.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from ipse.errors import UsageError, missing_extra

__all__ = [
    "bleu",
    "chrf",
    "corpus_bleu",
    "edit_distance",
    "edit_share",
    "locomo_f1",
    "meteor",
    "rouge_1",
    "rouge_l",
    "token_f1",
]

_TOKEN = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
"""A word, an apostrophe inside it included, or a single mark."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the|and)\b")
_REFUSALS = ("no information available", "not mentioned")


def rouge_1(output: str, target: str) -> float:
    """Give the F1 of the words that both have (ROUGE-1).

    By `rouge-score` without a stemmer, which is what LaMP and LongLaMP report through `evaluate`.
    Of a set of answers, that library gives the median of bootstrap means, drawn by chance; the
    plain mean is next to it, and not exactly it.

    Args:
        output: What was written.
        target: The person's own words.

    Returns:
        The F1, in 0..1.
    """
    return _rouge("rouge1", output, target)


def rouge_l(output: str, target: str) -> float:
    """Give the F1 of the longest common subsequence of words (ROUGE-L), as `rouge_1` does."""
    return _rouge("rougeL", output, target)


def meteor(output: str, target: str) -> float:
    """Give METEOR without synonyms.

    By nltk with its defaults (alpha 0.9, beta 3, gamma 0.5): words match if they are equal or have
    the same Porter stem. Two things differ from what LongLaMP reports through `evaluate`: synonyms
    match there by WordNet, which is not bundled, and do not here, so that ours is usually a little
    lower; and nltk's tokenizer, which needs a download as well, splits words there (`do`, `n't`)
    that ours keeps whole. Set it beside our own numbers, not beside published ones.

    Args:
        output: What was written.
        target: The person's own words.

    Returns:
        The score, in 0..1.
    """
    score = _package("nltk.translate.meteor_score", "nltk").single_meteor_score
    return float(score(_TOKEN.findall(target), _TOKEN.findall(output), wordnet=_NoWordNet()))


def chrf(output: str, target: str) -> float:
    """Give chrF2: F2 of character 1- to 6-grams, by sacrebleu; it divides its 0..100 by 100."""
    return _unit(_package("sacrebleu").sentence_chrf(output, [target]).score)


def bleu(output: str, target: str) -> float:
    """Give BLEU of one answer, by sacrebleu, divided by 100.

    Only those n-grams count that the output is long enough to have (effective order), and zero
    counts are smoothed (`exp`), as is fit for single sentences. Published BLEU is `corpus_bleu`.

    Args:
        output: What was written.
        target: The person's own words.

    Returns:
        The score, in 0..1.
    """
    score = _package("sacrebleu").sentence_bleu(output, [target], use_effective_order=True).score
    return _unit(score)


def corpus_bleu(outputs: Sequence[str], targets: Sequence[str]) -> float:
    """Give BLEU of all answers together, by sacrebleu with its defaults, divided by 100.

    Args:
        outputs: What was written.
        targets: The people's own words, in the same order.

    Returns:
        The score, in 0..1.

    Raises:
        UsageError: If there are no answers, or not as many of one as of the other.
    """
    if not outputs or len(outputs) != len(targets):
        raise UsageError(f"there is no BLEU of {len(outputs)} outputs and {len(targets)} targets")
    return _unit(_package("sacrebleu").corpus_bleu(list(outputs), [list(targets)]).score)


def token_f1(output: str, target: str) -> float:
    """Give the F1 of word stems that both have, by LoCoMo's rules for answers (arXiv 2402.17753).

    Lower case; ASCII punctuation removed, which joins what it stood between; `a`, `an`, `the` and
    also `and` removed; Porter stems; each stem counts as often as both have it.

    Args:
        output: What was written.
        target: The right answer.

    Returns:
        The F1, in 0..1.
    """
    said, right = _stems(output), _stems(target)
    same = (said & right).total()
    # 2PR / (P + R) with P = same / said and R = same / right
    return 2 * same / (said.total() + right.total()) if same else 0.0


def locomo_f1(output: str, target: str, category: int) -> float:
    """Score an answer to a LoCoMo question by the rule of its category.

    1 (multi-hop)       both are split at commas; each part of the target takes its best F1 with
                        any part of the output; the mean over the target's parts
    2 (temporal), 4 (single-hop)   `token_f1`
    3 (open-domain)     `token_f1` with the target up to its first semicolon
    5 (adversarial)     1 if the output holds "no information available" or "not mentioned"

    Args:
        output: What was written.
        target: The right answer; not looked at in category 5.
        category: The question's category, 1 to 5.

    Returns:
        The score, in 0..1.

    Raises:
        UsageError: If there is no such category.
    """
    if category == 1:
        said = output.split(",")
        best = [max(token_f1(part, right) for part in said) for right in target.split(",")]
        return sum(best) / len(best)
    if category == 3:
        return token_f1(output, target.split(";")[0])
    if category in (2, 4):
        return token_f1(output, target)
    if category == 5:
        return float(any(refusal in output.lower() for refusal in _REFUSALS))
    raise UsageError(f"a LoCoMo category is one of 1 to 5, not {category!r}")


def edit_distance(output: str, target: str) -> float:
    """Count the words to insert, delete or replace to make the target of the output (Levenshtein).

    It is the cost of an edit in CIPHER (arXiv 2404.15269). Case counts, and marks count as words.
    Words are split by nltk's tokenizer there, which needs a download, and by a simpler one here.

    Args:
        output: What was written.
        target: What the person made of it, or would have written.

    Returns:
        The distance, in words.
    """
    return float(_levenshtein(_TOKEN.findall(output), _TOKEN.findall(target)))


def edit_share(output: str, target: str) -> float:
    """Give `edit_distance` over the words of the longer text: 0 is equal, 1 is all different."""
    said, right = _TOKEN.findall(output), _TOKEN.findall(target)
    return _levenshtein(said, right) / max(1, len(said), len(right))


class _NoWordNet:
    """Stands in for WordNet: no word has synonyms."""

    def synsets(self, _word: str) -> tuple[()]:
        return ()


def _rouge(kind: str, output: str, target: str) -> float:
    return float(_rouge_scorer(kind).score(target, output)[kind].fmeasure)


@lru_cache
def _rouge_scorer(kind: str) -> Any:
    return _package("rouge_score.rouge_scorer", "rouge-score").RougeScorer(
        [kind], use_stemmer=False
    )


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    return _package("nltk.stem.porter", "nltk").PorterStemmer()


def _package(module: str, package: str = "") -> Any:
    """Import what only scores need: nltk takes seconds, which every command would pay."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise missing_extra(package or module, "eval") from error


def _unit(score: float) -> float:
    """Bring a score of 0..100 to 0..1; a perfect one can come out a little above."""
    return min(1.0, score / 100)


def _stems(text: str) -> Counter[str]:
    plain = _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION))
    return Counter(_stemmer().stem(word) for word in plain.split())


def _levenshtein(first: Sequence[str], second: Sequence[str]) -> int:
    """Fill the table of distances a row at a time."""
    places = np.arange(len(second) + 1)
    row = places  # (second + 1,): from the empty text
    words = np.array(second, dtype=object)
    for count, word in enumerate(first, start=1):
        replaced = row[:-1] + (words != word)
        best = np.concatenate(([count], np.minimum(row[1:] + 1, replaced)))
        # an insertion costs 1 a place: the least of any earlier cell and the way from there
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])
