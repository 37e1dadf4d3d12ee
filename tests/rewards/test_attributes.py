"""Attributes order texts as anyone would."""

import numpy as np
import pytest

from ipse.errors import Unknown, UsageError
from ipse.rewards import ATTRIBUTES, measure

MORE = {
    "address": ("You should take your coat.", "One takes a coat."),
    "echo": ("Plastic bottles harm the sea.", "Swimming is pleasant in spring."),
    "enthusiasm": ("I love it! It is so great!", "It is adequate."),
    "formality": (
        "The committee recommends the adoption of the proposal in the interest of the public.",
        "Yeah, I don't think that's gonna work, you guys!",
    ),
    "hedging": ("It might perhaps be better, I think.", "It is better."),
    "length": ("It is better for many reasons.", "It is better."),
    "readability": (
        "The cat sat on the mat. It was warm. It slept.",
        "Institutional considerations necessitate comprehensive reevaluation of methodological "
        "presuppositions, notwithstanding administrative complications.",
    ),
    "structure": ("- one\n- two\n- three", "One, two and three."),
}


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_an_attribute_orders_obvious_texts(name):
    more, less = measure([name], ["Are plastic bottles bad?"] * 2, MORE[name])[:, 0]
    assert more > less


def test_every_text_gets_finite_numbers_and_the_same_alone_as_in_company():
    texts = ["", " ", "!!!", "…", "日本語です。", "a", "word " * 5000, "'", "1. x"]
    names = sorted(ATTRIBUTES)
    together = measure(names, ["why?"] * len(texts), texts)
    assert together.shape == (len(texts), len(names))
    assert np.isfinite(together).all()
    alone = np.vstack([measure(names, ["why?"], [text]) for text in texts])
    assert (alone == together).all()


def test_flesch_reading_ease_is_as_published():
    # Six words, one sentence, six syllables.
    (found,) = measure(["readability"], [""], ["The cat sat on the mat."])[0]
    assert found == pytest.approx(206.835 - 1.015 * 6 - 84.6)


def test_length_is_the_log_of_the_words():
    assert measure(["length"], [""], ["one two three"])[0, 0] == pytest.approx(np.log(4))


def test_no_text_gives_no_line_and_no_name_no_column():
    assert measure(["length"], [], []).shape == (0, 1)
    assert measure([], ["x"], ["y"]).shape == (1, 0)


def test_an_unknown_attribute_is_named_with_the_known():
    with pytest.raises(Unknown, match=r"'lenght'.*Did you mean 'length'"):
        measure(["lenght"], ["x"], ["y"])


def test_each_text_needs_a_prompt():
    with pytest.raises(UsageError, match="2 texts, 1 prompts"):
        measure(["length"], ["x"], ["y", "z"])
