"""What is evaluated: people, what was known of them, and what they did next.

A task is a data set made into questions. It reads files lazily, knows no model, no method and no
store, and hands out people one at a time, so that a file of any size is never in memory whole.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from ipse.errors import InvalidFile, UsageError
from ipse.records import User

__all__ = [
    "MEASURES",
    "Item",
    "Measure",
    "Person",
    "Source",
    "Split",
    "Task",
    "rotated",
    "split",
    "spread",
]

Measure = Literal["find", "nats", "choose", "write"]
"""What is done with an item.

find    are the records that hold the answer among those the plan lets the model read, and where?
nats    how likely does the model find the person's own words?
choose  which of the choices does the model find likeliest?
write   the model answers, and the answer is scored.
"""

MEASURES: tuple[Measure, ...] = ("find", "nats", "choose", "write")

T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """One question, and what there is to compare an answer with.

    Attributes:
        id: Unique for its person; the held-out record's id where there is one.
        question: What the model is asked.
        target: The gold answer, the person's own words where there are any; "" where there is none.
        choices: The answers to choose from, or the labels a written answer must be one of.
        right: The place of the right choice.
        evidence: The ids of the history's records that hold the answer.
        group: Results are also given by this, such as a question type.
        document: What is asked about, where several people answer the same thing.
        time: When it was asked; None where the data does not say.
        meta: What scorers and judges of this task need besides, as JSON.
    """

    id: str
    question: str
    target: str = ""
    choices: tuple[str, ...] = ()
    right: int = -1
    evidence: tuple[str, ...] = ()
    group: str = ""
    document: str = ""
    time: datetime | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """One person to be evaluated on; a statistic counts them once, however many items they have.

    Attributes:
        history: The view methods may see; all of it is strictly older than every item.
        items: What the person did next.
        other: Another person's view, to stand in the history's place in the control; None where
            nobody's could.

    Raises:
        UsageError: If the history holds an item, or anything that is not older than every item.
    """

    history: User
    items: tuple[Item, ...]
    other: User | None = None

    def __post_init__(self) -> None:
        latest = self.history.records[-1].time if self.history.records else None
        for item in self.items:
            if self.history.holds([item.id]):
                raise UsageError(f"the history of {self.history.id!r} holds the item {item.id!r}")
            if item.time is not None and latest is not None and latest >= item.time:
                raise UsageError(
                    f"the history of {self.history.id!r} reaches to {latest}, which is not before "
                    f"the item {item.id!r} of {item.time}"
                )
        if self.other is not None and self.other.id == self.history.id:
            raise UsageError(f"{self.history.id!r} cannot stand in for themselves")


@dataclass(frozen=True)
class Source:
    """Where a data set comes from, and how its files lie below the data folder.

    Attributes:
        folder: Its folder below the data folder.
        files: Its files below that, as they are named where they come from.
        home: Where to get it.
        licence: What it may be used for.
        shipped: Whether a sample comes with Ipse, so that nothing needs to be fetched.
    """

    folder: str
    files: tuple[str, ...]
    home: str
    licence: str
    shipped: bool = False

    def find(self, root: Path | None, name: str) -> Path:
        """Find one of the files, plain or gzip.

        Args:
            root: The data folder; None where none was named.
            name: One of `files`.

        Returns:
            The path.

        Raises:
            InvalidFile: If it is not there; the message says where to get it and where it goes.
        """
        if root is not None:
            for candidate in (root / self.folder / name, root / self.folder / f"{name}.gz"):
                if candidate.is_file():
                    return candidate
        where = root if root is not None else Path("DATA")
        raise InvalidFile(
            f"there is no {where / self.folder / name}. Get it from {self.home} "
            f"({self.licence}), lay it out as {where / self.folder}/{{{', '.join(self.files)}}}, "
            "and name the data folder by --data or IPSE_DATA"
        )

    def present(self, root: Path | None) -> bool:
        """Say whether all files are there, or a sample is shipped."""
        if self.shipped:
            return True
        return root is not None and all(
            (root / self.folder / name).is_file() or (root / self.folder / f"{name}.gz").is_file()
            for name in self.files
        )


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A data set made into questions. Subclasses are final, in a file of their own.

    Fields are the task's settings. The class says what can be measured, by which scores, and where
    the data is from.

    Attributes:
        name: The registry key and the file's stem.
        judge: The rubric a model judges its written answers by, or "".
        system: What the model is told before every question, or "".
        normalized: Whether choices are compared by nats per token, not by nats: for choices whose
            lengths differ.
        root: The data folder; None where none was named, and a shipped sample is to do.
        items: The most items of one person; 0 is all.
        seed: Of whatever is drawn by chance.
    """

    name: ClassVar[str]
    judge: ClassVar[str] = ""
    system: ClassVar[str] = ""
    normalized: ClassVar[bool] = True

    root: Path | None = None
    items: int = 0
    seed: int = 0

    # A task may say these once, as class variables, or by its settings, as properties.

    @property
    @abstractmethod
    def measures(self) -> tuple[Measure, ...]:
        """What can be done with its items; the first is done where nothing else is asked."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """The scores that are reported, the headline first; names in `METRICS`."""

    @property
    @abstractmethod
    def source(self) -> Source:
        """Where the data comes from."""

    @property
    def tokens(self) -> int:
        """The longest written answer, in tokens."""
        return 64

    @abstractmethod
    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people that results are reported on, lazily.

        The same settings give the same people in the same order, and the first of many are those
        of few, except for who stands in for another.

        Args:
            count: The most people.

        Returns:
            The people.

        Raises:
            InvalidFile: If the data is not there, or not what it should be.
        """

    def population(self) -> Iterator[User]:
        """Give people that results are never reported on: to learn from and to choose settings."""
        return iter(())


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


def spread(things: Sequence[T], count: int) -> tuple[T, ...]:
    """Take at most `count` things at even distances; all of them where `count` is 0."""
    if count == 0 or count >= len(things):
        return tuple(things)
    return tuple(things[i * len(things) // count] for i in range(count))


def rotated(people: Iterable[tuple[User, tuple[Item, ...]]]) -> Iterator[Person]:
    """Let each person's predecessor stand in for them, and the second person for the first.

    For files in which nobody is nearer to anybody than anybody else. Reads one person ahead, and
    holds no more than that. Someone with the predecessor's own id gets nobody to stand in.

    Args:
        people: Histories with their items, in the file's order.

    Yields:
        The people.
    """
    first: tuple[User, tuple[Item, ...]] | None = None
    before: User | None = None
    for history, items in people:
        if first is None and before is None:
            first = (history, items)
        else:
            if first is not None:
                yield Person(first[0], first[1], _unless_same(history, first[0]))
                first = None
            assert before is not None
            yield Person(history, items, _unless_same(before, history))
        before = history
    if first is not None:
        yield Person(*first)


def _unless_same(other: User, user: User) -> User | None:
    return None if other.id == user.id else other
