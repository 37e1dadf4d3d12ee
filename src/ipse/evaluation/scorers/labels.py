"""Scores of an answer that must be a label or a rating, by LaMP's rules (arXiv 2304.11406).

They follow the official evaluation script, quirks and all, so that numbers can be set beside
published ones. The output comes first, then the target. Knows no task: labels are handed in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ipse.errors import UsageError, unknown

__all__ = [
    "absolute_error",
    "label_accuracy",
    "label_index",
    "macro_f1",
    "read_rating",
    "rmse",
    "squared_error",
]

_LARGEST = 3.4028235e38
"""The largest number of single precision, in which the official script computes."""


def label_index(output: str, labels: Sequence[str]) -> int:
    """Find the label that an output is, white space around it apart.

    Nothing else is forgiven: not case, not a full stop, not a sentence around the label.

    Args:
        output: What was written.
        labels: All labels there are, such as `[1]` and `[2]`.

    Returns:
        The label's place; -1, a class of its own that no label is in, where it is none of them.
    """
    output = output.strip()
    return labels.index(output) if output in labels else -1


def label_accuracy(output: str, target: str, labels: Sequence[str]) -> float:
    """Say whether an output is the right label: 1 or 0.

    The official script lets a target that is no label count as a hit of any output that is none
    either; here such a target is an error.

    Args:
        output: What was written.
        target: The right label.
        labels: All labels there are.

    Returns:
        1.0 or 0.0.

    Raises:
        Unknown: If the target is not a label.
    """
    return float(label_index(output, labels) == _right(target, labels))


def macro_f1(outputs: Sequence[str], targets: Sequence[str], labels: Sequence[str]) -> float:
    """Average F1 over all labels, each label counting the same.

    It is that of scikit-learn's `f1_score(labels=range(n), average="macro")`, as in the official
    script: an output that is no label is a miss of its target's label and a false alarm of none,
    and a label that is in neither the outputs nor the targets has F1 0 and pulls the average down.
    So it is a number of a whole set of answers, and not the mean of numbers of parts of it.

    Args:
        outputs: What was written.
        targets: The right labels.
        labels: All labels there are.

    Returns:
        The average, in 0..1.

    Raises:
        UsageError: If there are no answers, or a target is not a label.
    """
    if not outputs:
        raise UsageError("there is no F1 of no answers")
    said = [label_index(output, labels) for output in outputs]
    right = [_right(target, labels) for target in targets]
    hits = [s for s, r in zip(said, right, strict=True) if s == r]
    # F1 = 2 hits / (times said + times right)
    scores = [
        2 * hits.count(i) / max(1, said.count(i) + right.count(i)) for i in range(len(labels))
    ]
    return sum(scores) / len(scores)


def read_rating(output: str, target: str) -> float:
    """Read a rating as the official script does.

    Whatever Python's `float` takes is a rating: `4`, ` 4.5 `, `1e1`, and also `2024` or `-3`, as
    they are, however far outside 1 to 5. What it does not take, such as `4 stars`, becomes 1 or 5,
    whichever is farther from the target; 5 where the target is 3. At `nan`, `inf` and numbers
    beyond single precision the official script breaks off; here they are no ratings.

    Args:
        output: What was written.
        target: The right rating.

    Returns:
        The rating.

    Raises:
        UsageError: If the target is not a number.
    """
    rating = _number(output)
    if rating is not None:
        return rating
    gold = _gold(target)
    return 1.0 if abs(1 - gold) > abs(5 - gold) else 5.0


def absolute_error(output: str, target: str) -> float:
    """Give how far a rating is off (see `read_rating`); its mean over answers is LaMP's MAE."""
    return abs(read_rating(output, target) - _gold(target))


def squared_error(output: str, target: str) -> float:
    """Give the square of how far a rating is off (see `read_rating`)."""
    return absolute_error(output, target) ** 2


def rmse(squared: Sequence[float]) -> float:
    """Give the root of the mean of squared errors; of all answers, it is LaMP's RMSE.

    Args:
        squared: The squared errors.

    Returns:
        The root, in the unit of the ratings.

    Raises:
        UsageError: If there are none.
    """
    if not squared:
        raise UsageError("there is no mean of no squared errors")
    return math.sqrt(sum(squared) / len(squared))


def _right(target: str, labels: Sequence[str]) -> int:
    place = label_index(target, labels)
    if place < 0:
        raise unknown("label", target, labels)
    return place


def _gold(target: str) -> float:
    gold = _number(target)
    if gold is None:
        raise UsageError(f"the right rating must be a number, not {target!r}")
    return gold


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST else None  # nan is not less than anything
