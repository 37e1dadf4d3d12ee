"""`authors`: how does this author go on?

question  Continue this text in the same voice:

          Fellow citizens, I shall not attempt to describe the grateful emotions which … The
          approbation which it announces of my conduct in the preceding term affords me a
          consolation which I shall profoundly feel through life.
target    The general accord with which it has been expressed adds to the great and …
choices   the target, and three continuations of other texts by authors of those years
meta      authors: Jefferson, Monroe, Washington, Madison

Essays of The Federalist and addresses of presidents of the United States, in the public domain.
Everyone's latest year is asked about (in The Federalist, the latest essay), and all that is older
is their history: an opening as the input, how it goes on as the output. Files know years only, so
texts of one year are put a day apart, in the file's order; nothing of the year that is asked about
is in a history. Essays whose author is disputed are left out.

Who stands in for an author, and whose continuations are the wrong ones, are those nearest in time:
otherwise the language of a century would do for a person's. Wrong continuations are from texts that
are asked about, too, so that nobody's history holds one. Which of four texts a model finds
likeliest depends on how plain each is before it depends on whose they are: compare with the generic
model and with another author's history, not with one in four.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from ipse.errors import InvalidFile, UsageError
from ipse.evaluation.task import Item, Measure, Person, Source, Task, split, spread
from ipse.evaluation.tasks.dialogues import SECOND
from ipse.evaluation.tasks.passages import Passage, passages
from ipse.importers import sample_path
from ipse.importers.base import Problem, objects
from ipse.importers.rows import need, need_text
from ipse.records import USES, Record, User

__all__ = ["Authors", "written"]

_FILES = ("federalist.jsonl", "us_presidents.jsonl")
_DAY = timedelta(days=1)
_FIRST_ESSAY = datetime(1787, 10, 27, tzinfo=UTC)
"""When the first essay came out; each is put a day after the one before."""

_NAMESAKES: Mapping[str, tuple[int, str, str]] = {
    "Adams": (1825, "John Adams", "John Quincy Adams"),
    "Harrison": (1889, "William Henry Harrison", "Benjamin Harrison"),
    "Johnson": (1963, "Andrew Johnson", "Lyndon B. Johnson"),
    "Roosevelt": (1933, "Theodore Roosevelt", "Franklin D. Roosevelt"),
    "Bush": (2001, "George H. W. Bush", "George W. Bush"),
}
"""Surnames of two presidents: from which year on it is the second, and what to call each."""

_NAMES = {"GWBush": "George W. Bush", "VanBuren": "Van Buren"}


@dataclass(frozen=True)
class _Author:
    """One author: everything up to the latest year, and what that year is asked for."""

    history: User
    asked: tuple[tuple[datetime, Passage], ...]

    @property
    def year(self) -> float:
        """When they are asked about, in years."""
        time = self.asked[0][0]
        return time.year + time.timetuple().tm_yday / 366


@dataclass(frozen=True, kw_only=True)
class Authors(Task):
    """Whose continuation is it?

    Attributes:
        items: The most passages of one author, spread evenly.
        opening: The fewest words of an opening.
        words: The fewest words of a continuation.
        wrong: How many continuations are by others.
        near: From how many authors nearest in time those are drawn.
    """

    name: ClassVar[str] = "authors"
    measures: ClassVar[tuple[Measure, ...]] = ("nats", "choose")
    metrics: ClassVar[tuple[str, ...]] = ("nats_per_token", "accuracy", "likelihood")
    source: ClassVar[Source] = Source(
        folder="authors",
        files=_FILES,
        home="Project Gutenberg and NLTK's corpora inaugural and state_union, as JSON lines",
        licence="public domain",
        shipped=True,
    )
    tokens: ClassVar[int] = 80

    items: int = 4
    opening: int = 60
    words: int = 40
    wrong: int = 3
    near: int = 4

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` authors of more than one year; at least 2, for the control."""
        authors = {name: author for name, author in self._authors().items() if author.asked}
        names = split(authors, 0).test[:count]
        if len(names) < 2:
            raise UsageError(f"choices need the words of at least 2 authors; got {len(names)}")
        for name in names:
            author = authors[name]
            # The nearest in time first; of two as near, the first by name.
            others = sorted(
                (authors[other] for other in sorted(authors) if other != name),
                key=lambda other: abs(other.year - author.year),
            )
            items = tuple(
                self._item(f"{name}:{place}", author, passage, others[: self.near])
                for place, passage in spread(list(enumerate(author.asked)), self.items)
            )
            yield Person(author.history, items, others[0].history)

    def population(self) -> Iterator[User]:
        """Give the authors of one year only: they have no past to be known by."""
        authors = self._authors()
        return (authors[name].history for name in sorted(authors) if not authors[name].asked)

    def _item(
        self,
        item: str,
        author: _Author,
        asked: tuple[datetime, Passage],
        others: Sequence[_Author],
    ) -> Item:
        time, passage = asked
        right = passage.continuation
        draw = Random(f"{self.seed}:{item}")
        by = {right: author.history.id}
        for other in draw.sample(others, min(self.wrong, len(others))):
            found = {passage.continuation for _, passage in other.asked} - by.keys()
            alike = sorted(found, key=lambda text: (abs(len(text) - len(right)), text))
            if alike:
                by[draw.choice(alike[:3])] = other.history.id
        choices = sorted(by)
        draw.shuffle(choices)
        return Item(
            item,
            f"Continue this text in the same voice:\n\n{passage.opening}",
            target=right,
            choices=tuple(choices),
            right=choices.index(right),
            time=time,
            meta={"authors": [by[choice] for choice in choices]},
        )

    def _authors(self) -> dict[str, _Author]:
        texts: dict[str, dict[datetime, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name in _FILES:
            for author, year, text in _texts(self.source.find(self._root, name)):
                texts[author][year].append(text)
        return {name: self._author(name, years) for name, years in texts.items()}

    def _author(self, name: str, years: Mapping[datetime, Sequence[str]]) -> _Author:
        timed = {year: list(self._timed(year, years[year])) for year in sorted(years)}
        filled = [year for year, found in timed.items() if found]
        asked = filled[1:][-1:]
        records = (
            Record(
                user=name,
                kind="content",
                input=passage.opening,
                output=passage.continuation,
                time=time,
                source="authors",
                uses=frozenset(USES),
            )
            for year in filled
            if year not in asked
            for time, passage in timed[year]
        )
        return _Author(User(name, tuple(records)), tuple(timed[asked[0]]) if asked else ())

    def _timed(self, year: datetime, texts: Sequence[str]) -> Iterator[tuple[datetime, Passage]]:
        for place, text in enumerate(texts):
            for number, passage in enumerate(passages(text, self.opening, self.words)):
                yield year + place * _DAY + number * SECOND, passage

    @property
    def _root(self) -> Path:
        if self.root is not None and (self.root / self.source.folder).is_dir():
            return self.root
        return sample_path().parent


def written(where: str, row: Mapping[str, Any]) -> tuple[str, datetime] | None:
    """Say who wrote a line's text, and when; None where that is disputed.

    Args:
        where: The file and line, for messages.
        row: The line, of either file.

    Returns:
        The author, and the start of the year, or the essay's day.

    Raises:
        InvalidFile: If a field is missing or not what it should be.
    """
    name = need_text(where, row, "user_id")
    if "no" in row:
        if " OR " in name or " AND " in name:
            return None
        return name.title(), _FIRST_ESSAY + (_counted(where, row, "no") - 1) * _DAY
    year = _counted(where, row, "year")
    if name in _NAMESAKES:
        since, earlier, later = _NAMESAKES[name]
        name = later if year >= since else earlier
    return _NAMES.get(name, name), datetime(year, 1, 1, tzinfo=UTC)


def _counted(where: str, row: Mapping[str, Any], name: str) -> int:
    number = need(where, row, name, int)
    if not 1 <= number <= 9999:
        raise InvalidFile(f"{where}: {name!r} must be 1 to 9999; got {number}")
    return number


def _texts(path: Path) -> Iterator[tuple[str, datetime, str]]:
    for row in objects(path):
        if isinstance(row, Problem):
            raise InvalidFile(str(row))
        number, data = row
        where = f"{path}:{number}"
        if (by := written(where, data)) is not None:
            yield *by, need_text(where, data, "text")
