"""What a question says of whom and when: names of speakers, and dates.

Months are read in English, and dates as ISO 8601 writes them. A question without names or dates
has no cues, and neither has one on records that do not say who spoke.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["named", "since", "spans"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_NTH = r"(?:st|nd|rd|th)?"
_DATE = re.compile(
    r"\b(?P<iso>\d{4}-\d\d-\d\d)\b"
    rf"|(?:\b(?P<before>\d\d?){_NTH}(?: of)? )?\b(?P<month>{'|'.join(_MONTHS)})\b"
    rf"(?: (?P<after>\d\d?){_NTH}\b)?(?:,? ?(?P<year>\d{{4}})\b)?"
)


def named(question: str, names: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """Find who a question names, and take their names out of it.

    Speakers rarely say their own names: what is left is nearer to what they said.

    Args:
        question: What is asked.
        names: The speakers; one in lower case, such as `user`, is a role and no name.

    Returns:
        The question without the names, or as it was where nothing else is left; and the places in
        `names` of those it names.
    """
    left, found = question, []
    for place, name in enumerate(names):
        if not name.strip() or name.islower():
            continue
        either = "|".join(re.escape(part) for part in (name, name.split()[0]))
        pattern = rf"\b(?:{either})(?:['\u2019]s)?(?!\w)"
        if re.search(pattern, question):
            left = re.sub(pattern, " ", left)
            found.append(place)
    left = " ".join(left.split()) if found else question
    return (left if re.search(r"\w", left) else question), tuple(found)


def spans(question: str, first: int, last: int) -> list[tuple[int, int]]:
    """Give the days a question names, as pairs of a first and a last day.

    Args:
        question: What is asked.
        first: The first day of which anything is known; a date without a year may be of any year
            between this one's and the last one's.
        last: The last such day.

    Returns:
        Days, as `date.toordinal` counts them. A month alone is all its days; at the very start of a
        question it is none, for "May" and "March" are words too.
    """
    years = range(date.fromordinal(first).year, date.fromordinal(last).year + 1)
    found = []
    for match in _DATE.finditer(question):
        day = int(match["before"] or match["after"] or 0)
        if match["iso"]:
            found += _days(*map(int, match["iso"].split("-")))
        elif day or match["year"] or match.start() > 0:
            month = _MONTHS.index(match["month"]) + 1
            for year in [int(match["year"])] if match["year"] else years:
                found += _days(year, month, day)
    return found


def since(
    days: NDArray[Any], spans: Iterable[tuple[int, int]], half_life: float = 7.0
) -> NDArray[np.float64]:
    """Weigh days by spans: 1 within one, and halving with every `half_life` days after its end.

    What happened on a day is told on that day or soon after, never before.

    Args:
        days: Days of (records,).
        spans: Pairs of a first and a last day.
        half_life: In days.

    Returns:
        Weights of (records,), in [0, 1].
    """
    weights = np.zeros(len(days))
    for first, last in spans:
        late = np.maximum(0, days - last) / half_life
        weights = np.maximum(weights, np.where(days < first, 0.0, 0.5**late))
    return weights


def _days(year: int, month: int, day: int) -> list[tuple[int, int]]:
    """Give a day, or all of a month where the day is 0; nothing where there is no such date."""
    try:
        first = date(year, month, day or 1).toordinal()
    except ValueError:
        return []
    return [(first, first if day else first + monthrange(year, month)[1] - 1)]
