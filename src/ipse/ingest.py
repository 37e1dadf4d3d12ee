"""Ingest: a file of some format into a store, a batch at a time or all or nothing.

It knows importers and the store, and neither models nor who asked: the command line and a server
call the same function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ipse.errors import Conflict, InvalidFile, UnknownUser, UsageError, unknown
from ipse.importers import IMPORTERS, Problem, read
from ipse.preferences import JUDGING, disputed, rated
from ipse.records import Record
from ipse.store import Added, Store

__all__ = ["FORMATS", "SHOWN", "Ingested", "check", "ingest"]

FORMATS: tuple[str, ...] = tuple(sorted([*IMPORTERS, "ipse"]))
"""Every format there is: the importers', and `ipse`, what `Store.export_user` writes."""

SHOWN = 20
"""How many problems are kept word for word; all are counted."""

_BATCH = 1000


@dataclass(frozen=True)
class Ingested:
    """What became of a file.

    Attributes:
        new: How many records are new in the store.
        known: How many were there already.
        kinds: How many records of each kind were taken.
        malformed: How many pieces of the file were not.
        problems: The first `SHOWN` of those, with the reasons; a record that conflicts with another
            of the same id has the line 0.
        states: How many states are new; only an export holds any.
        replies: How many replies are new; only an export holds any.
        disputed: How often the people in the file, as they are known now, said of two texts first
            one thing and then another; all of it is kept, and the latest counts.
        written: False where problems kept everything from being written.
    """

    new: int = 0
    known: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    malformed: int = 0
    problems: tuple[Problem, ...] = ()
    states: int = 0
    replies: int = 0
    disputed: int = 0
    written: bool = True


def ingest(
    store: Store,
    name: str,
    path: str | Path,
    *,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Ingested:
    """Read a file into a store.

    Records are written a thousand at a time, each batch whole or not at all, so an import that was
    cut short is finished by running it again.

    Args:
        store: The store.
        name: One of `FORMATS`.
        path: The file or, for some formats, the folder.
        strict: Write nothing at all if any piece of the file is malformed.
        progress: Told how many records are done.
        **options: The format's own options.

    Returns:
        What became of it.

    Raises:
        Unknown: If there is no such format or option.
        InvalidFile: If the file is missing or unusable as a whole.
    """
    if name not in IMPORTERS:
        check(name, path, **options)
        return _restore(store, path)
    tally = _Tally(progress or _quietly)

    def records() -> Iterator[Record]:
        return tally.good(read(name, path, **options))

    if strict:
        found = _all_or_nothing(store, path, records, tally)
        return replace(found, disputed=_disputes(store, tally.judges)) if found.written else found
    added: Counter[str] = Counter()
    stream = records()
    while batch := list(islice(stream, _BATCH)):
        for done in _add(store, batch, path, tally):
            added.update(new=done.new, known=done.known)
        tally.progress(sum(tally.kinds.values()))
    found = tally.result(Added(added["new"], added["known"]))
    return replace(found, disputed=_disputes(store, tally.judges))


def check(name: str, path: str | Path, **options: Any) -> None:
    """Refuse what `ingest` would refuse of its arguments; ask before a store is made for them.

    Args:
        name: One of `FORMATS`.
        path: The file or folder.
        **options: The format's own options.

    Raises:
        Unknown: If there is no such format or option.
        UsageError: If an option is missing or not what it should be.
        InvalidFile: If there is no such file.
    """
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    if name != "ipse":
        read(name, path, **options)  # lazy: nothing is read yet
        return
    if options:
        raise UsageError(f"the format 'ipse' has no options; got {next(iter(options))!r}")
    if not Path(path).exists():
        raise InvalidFile(f"no such file: {path}")


class _Tally:
    """Counts what is read, and keeps problems apart from records."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.progress = progress
        self.kinds: Counter[str] = Counter()
        self.judges: set[str] = set()  # who prefers something, or rates answers
        self.malformed = 0
        self.problems: list[Problem] = []

    def good(self, items: Iterable[Record | Problem]) -> Iterator[Record]:
        """Give the records, and count both."""
        for item in items:
            if isinstance(item, Problem):
                self.refuse(item)
            else:
                self.kinds[item.kind] += 1
                if item.kind == "preference" or rated(item):
                    self.judges.add(item.user)
                yield item

    def refuse(self, problem: Problem) -> None:
        """Count a problem."""
        self.malformed += 1
        if len(self.problems) < SHOWN:
            self.problems.append(problem)

    def result(self, added: Added, *, written: bool = True) -> Ingested:
        """Give what was counted, with what the store says."""
        return Ingested(
            new=added.new,
            known=added.known,
            kinds=dict(sorted((+self.kinds).items())),  # + leaves out what fell to 0
            malformed=self.malformed,
            problems=tuple(self.problems),
            written=written,
        )


def _disputes(store: Store, people: Iterable[str]) -> int:
    """Count how often people said of two texts first one thing and then another."""
    count = 0
    for user in sorted(people):
        with suppress(UnknownUser):  # forgotten meanwhile, or none of theirs was taken
            count += len(disputed(store.user(user, kinds=JUDGING)))
    return count


def _quietly(done: int) -> None:
    del done


def _all_or_nothing(
    store: Store, path: str | Path, records: Callable[[], Iterator[Record]], tally: _Tally
) -> Ingested:
    """Read once to look for problems and, if there are none, once more to write."""
    for number, _ in enumerate(records(), 1):
        if number % _BATCH == 0:
            tally.progress(number)
    if tally.malformed:
        return tally.result(Added(0, 0), written=False)
    tally.kinds.clear()
    try:
        return tally.result(store.add(_unchanged(records(), path, tally)))
    except Conflict as conflict:
        tally.refuse(Problem(str(path), 0, str(conflict)))
        return tally.result(Added(0, 0), written=False)


def _unchanged(records: Iterator[Record], path: str | Path, tally: _Tally) -> Iterator[Record]:
    yield from records
    if tally.malformed:
        raise InvalidFile(f"{path} changed while it was read: {tally.problems[0].reason}")


def _add(store: Store, batch: Sequence[Record], path: str | Path, tally: _Tally) -> Iterator[Added]:
    """Add a batch; of one that conflicts with what is there, all that does not."""
    try:
        yield store.add(batch)
    except Conflict as conflict:
        if len(batch) == 1:
            tally.kinds[batch[0].kind] -= 1
            tally.refuse(Problem(str(path), 0, str(conflict)))
            return
        half = len(batch) // 2
        yield from _add(store, batch[:half], path, tally)
        yield from _add(store, batch[half:], path, tally)


def _restore(store: Store, path: str | Path) -> Ingested:
    """Read what `Store.export_user` wrote: all of it or, on an error, none."""
    taken = store.import_user(path)
    added = taken.records
    return Ingested(added.new, added.known, states=taken.states, replies=taken.replies)
