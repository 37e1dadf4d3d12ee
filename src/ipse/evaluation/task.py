"""What is evaluated: people, what was known of them, and what they did next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ipse.records import User

__all__ = ["Item", "Person", "Split", "Task", "split"]


@dataclass(frozen=True)
class Item:
    """One thing a person did after the history that methods may see.

    Attributes:
        id: The held-out record's id.
        question: What the model is asked.
        target: What the person answered.
    """

    id: str
    question: str
    target: str


@dataclass(frozen=True)
class Person:
    """One person to be evaluated on.

    Attributes:
        history: The view methods may see; all of it is strictly older than every item.
        items: What the person did next.
        other: Another person's view, to stand in the history's place in the control.
    """

    history: User
    items: tuple[Item, ...]
    other: User


class Task(Protocol):
    """A data set made into questions.

    Attributes:
        name: The registry key.
    """

    name: str

    def people(self, count: int) -> list[Person]:
        """Give the first `count` people that results are reported on."""
        ...

    def population(self) -> list[User]:
        """Give people that results are never reported on: to learn from and to choose settings."""
        ...


@dataclass(frozen=True)
class Split:
    """User ids in two parts that share nobody.

    Attributes:
        fit: Who is learned from and tuned on.
        test: Who results are reported on.
    """

    fit: tuple[str, ...]
    test: tuple[str, ...]


def split(users: Iterable[str], fit: int) -> Split:
    """Split people by the hash of their id: the same people, the same split, whoever else there is.

    Args:
        users: Their ids.
        fit: How many are learned from.

    Returns:
        The two parts, each in the order of the hash.
    """
    ordered: Sequence[str] = sorted(users, key=lambda user: hashlib.sha256(user.encode()).digest())
    return Split(tuple(ordered[:fit]), tuple(ordered[fit:]))
