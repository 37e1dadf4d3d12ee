"""Words as they are compared where endings and small words should not count."""

from __future__ import annotations

from ipse.text import words

__all__ = ["stemmed"]

_STEM = 5
"""Characters of a word that are kept. No list of endings, so that it serves many languages."""

_SMALL = frozenset(
    words(
        "a about after an and are as at be been before being but by can could did do does during "
        "for from had has have he her him his how i if in into is it its may me might my no not of "
        "on or our she should so than that the their them there these they this those to was we "
        "were what when where which who whom why will with would you your"
    )
)
"""English words that say how a thing is asked, not what is asked."""


def stemmed(text: str) -> str:
    """Give the words of a text cut to their stems, without those that say little.

    Args:
        text: Any text.

    Returns:
        Stems with a space between; of a text of small words alone, all of them.
    """
    bare = [word.removesuffix("'s").removesuffix("\u2019s") for word in words(text)]
    kept = [word for word in bare if word not in _SMALL]
    return " ".join(word[:_STEM] for word in kept or bare)
