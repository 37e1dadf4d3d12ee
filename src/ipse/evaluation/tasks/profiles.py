"""People whose history comes with the question, a profile, as LaMP and its relatives give it.

Not a task: what `lamp`, `longlamp` and `lamp-qa` share.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from ipse.errors import InvalidFile, InvalidRecord
from ipse.evaluation.task import Item, Person, rotated
from ipse.importers.base import Problem
from ipse.records import Record, User

__all__ = ["distinct", "first_people", "records", "sound", "view"]

T = TypeVar("T")


def records(
    where: str, profile: list[Any], output: str, make: Callable[[int, dict[str, Any]], Record]
) -> Iterator[Record]:
    """Make records of the items of a profile, leaving out what says nothing.

    Args:
        where: The file and place, for messages.
        profile: The items.
        output: The field with what the person wrote, which every item must have.
        make: Makes a record of an item's place, from 1, and its fields.

    Yields:
        The records.

    Raises:
        InvalidFile: If an item is malformed.
    """
    for place, item in enumerate(profile, 1):
        if not isinstance(item, dict) or output not in item:
            got = reprlib.repr(item)
            raise InvalidFile(f"{where}: profile item {place} needs {output!r}; got {got}")
        if item[output] is None or not str(item[output]).strip():
            continue
        try:
            yield make(place, item)
        except InvalidRecord as error:
            raise InvalidFile(f"{where}: profile item {place}: {error}") from error


def view(user: str, profile: Iterable[Record], time: datetime | None = None) -> User:
    """Give a profile as a view, strictly before a moment where one is known.

    Args:
        user: Who it is.
        profile: The records, in any order; the same record twice is one record.
        time: When the question was asked.

    Returns:
        The view.
    """
    unique = {record.id: record for record in profile}
    whole = User(user, tuple(sorted(unique.values(), key=lambda r: (r.time, r.id))))
    return whole if time is None else whole.before(time)


def first_people(asked: Iterable[tuple[User, Item]], count: int, items: int) -> Iterator[Person]:
    """Make people of questions with their profiles, until one more person would be too many.

    Each question has a profile of its own, so a person of several questions comes several times,
    under the same id; a statistic counts them once. The predecessor stands in for each.

    Args:
        asked: Profiles with what is asked after them, in the file's order.
        count: The most people, by id.
        items: The most questions of one of them; 0 is all.

    Returns:
        The people, lazily.
    """
    return rotated(_first(asked, count, items))


def distinct(users: Iterable[User]) -> Iterator[User]:
    """Give the first view of everyone, lazily."""
    seen: set[str] = set()
    for user in users:
        if user.id not in seen:
            seen.add(user.id)
            yield user


def sound(things: Iterable[T | Problem]) -> Iterator[T]:
    """Pass on what was read, or raise `InvalidFile` at the first problem.

    What is evaluated on must be right as it is: nothing is skipped.
    """
    for thing in things:
        if isinstance(thing, Problem):
            raise InvalidFile(str(thing))
        yield thing


def _first(
    asked: Iterable[tuple[User, Item]], count: int, items: int
) -> Iterator[tuple[User, tuple[Item, ...]]]:
    taken: Counter[str] = Counter()
    for history, item in asked:
        if history.id not in taken and len(taken) == count:
            return
        if items == 0 or taken[history.id] < items:
            taken[history.id] += 1
            yield history, (item,)
