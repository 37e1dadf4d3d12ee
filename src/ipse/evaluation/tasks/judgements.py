"""UKPConvArg1's people for the tasks made of it: split, their latest judgements held out.

Not a task: what `ukpconvarg-reason`, `ukpconvarg-choice` and `ukpconvarg-style` share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ipse.errors import UsageError
from ipse.evaluation.task import Item, Person, Source, Split, split
from ipse.importers import read, sample_path, ukpconvarg
from ipse.importers.ukpconvarg import Argument, prompt
from ipse.records import Kind, Record, User

__all__ = ["UKPCONVARG", "Judges", "Part"]

Part = Literal["test", "tune"]

UKPCONVARG = Source(
    folder="ukpconvarg",
    files=("annotations.jsonl", "arguments.jsonl"),
    home="UKPConvArg1 (github.com/UKPLab/acl2016-convincing-arguments), as JSON lines",
    licence="CC BY 4.0",
    shipped=True,
)

_LEAST = 20
"""The fewest records of someone who is evaluated on."""


@dataclass(frozen=True)
class Judges:
    """People who judged arguments, with what they wrote or chose.

    Attributes:
        root: The data folder; the shipped sample is read where it has no `ukpconvarg`.
        kind: `content`, the reasons they gave, or `preference`, the arguments they chose.
        held_out: The share of a person's records that is held out: the latest.
        fit: How many people are left for fitting and tuning.
        part: Who is asked: `test`, whom results are reported on, or `tune`, to choose settings by:
            three quarters of those left, while methods learn from the rest of them.
        latest: How many records of a person's past are known: the latest; 0 is all.
        least: Who has fewer in their past is not asked.
    """

    root: Path | None
    kind: Kind
    held_out: float
    fit: int
    part: Part = "test"
    latest: int = 0
    least: int = 0

    def people(
        self, count: int, items: Callable[[tuple[Record, ...], Judges], tuple[Item, ...]]
    ) -> Iterator[Person]:
        """Give people of the test part, each with the one who stands in for them.

        Args:
            count: The most people; at least 2.
            items: Makes questions of a person's held-out records.

        Yields:
            The people.

        Raises:
            UsageError: If there are fewer than 2.
        """
        chosen = list(islice(self._parted(), count))
        if len(chosen) < 2:
            raise UsageError(
                "the control puts another person in each one's place, so it needs at least 2 "
                f"people; got {len(chosen)}"
            )
        pasts = [past for past, _ in chosen]
        for past, held in chosen:
            asked = items(held, self)
            names = {item.id for item in asked}
            later = [record for record in held if record.id in names]
            other = _nearest(later, [view for view in pasts if view.id != past.id])
            yield Person(past, asked, other)

    def population(self) -> Iterator[User]:
        """Give the people of the other part."""
        return (self._histories[user] for user in self._split.fit)

    def alike(self, record: Record) -> tuple[Record, ...]:
        """Give what others said of the same verdict on the same pair, by their ids."""
        found = self._by_verdict.get(_verdict(record), ())
        return tuple(other for other in found if other.user != record.user)

    @cached_property
    def _by_verdict(self) -> Mapping[tuple[str, str], Sequence[Record]]:
        found: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for _, user in sorted(self._histories.items()):
            for record in user.records:
                found[_verdict(record)].append(record)
        return found

    def item(self, record: Record, words: int, **fields: Any) -> Item:
        """Ask for a reason that was given.

        Args:
            record: The reason.
            words: The most words of each argument in the question.
            **fields: Other fields of the item.

        Returns:
            The item, whose target is the reason.
        """
        meta = record.meta
        one, two = (self.arguments[meta[name]].text for name in ("arg1", "arg2"))
        return Item(
            record.id,
            prompt(meta["topic"], meta["stance"], one, two, meta["choice"], words=words),
            target=record.output,
            group=meta["topic"],
            document=f"{meta['pair_id']} {meta['choice']}",
            time=record.time,
            **fields,
        )

    def _parted(self) -> Iterator[tuple[User, tuple[Record, ...]]]:
        """Give everyone of the test part who has enough of a past: that, and what came later."""
        for name in self._split.test:
            user = self._histories[name]
            held = user.records[int(len(user) * (1 - self.held_out)) :]
            past = user.before(held[0].time)
            if len(past) >= self.least:
                known = past.latest(self.latest) if self.latest else past.records
                yield User(name, known), held

    @cached_property
    def arguments(self) -> Mapping[str, Argument]:
        """The arguments they judged, by id."""
        return ukpconvarg.arguments(self._folder)

    @cached_property
    def _folder(self) -> Path:
        if self.root is not None and (self.root / UKPCONVARG.folder).is_dir():
            return self.root / UKPCONVARG.folder
        return sample_path()

    @cached_property
    def _split(self) -> Split:
        found = split(self._histories, self.fit)
        if self.part == "test":
            return found
        learned_from = len(found.fit) // 4
        return Split(found.fit[:learned_from], found.fit[learned_from:])

    @cached_property
    def _histories(self) -> dict[str, User]:
        return _read(self._folder, self.kind)


def _verdict(record: Record) -> tuple[str, str]:
    return record.meta["pair_id"], record.meta["choice"]


@lru_cache(maxsize=2)
def _read(folder: Path, kind: Kind) -> dict[str, User]:
    """Read everyone once: a run asks for its people and, for each method, for those it fits on."""
    found: dict[str, list[Record]] = defaultdict(list)
    for item in read("ukpconvarg", folder):
        if isinstance(item, Record) and item.kind == kind:
            found[item.user].append(item)
    return {
        user: User(user, tuple(sorted(records, key=lambda r: (r.time, r.id))))
        for user, records in found.items()
        if len(records) >= _LEAST
    }


def _nearest(later: Sequence[Record], views: Sequence[User]) -> User:
    """Give the view with the largest share of records on the held-out records' topics."""
    asked = Counter(record.meta["topic"] for record in later)

    def share(view: User) -> float:
        written = Counter(record.meta["topic"] for record in view.records)
        covered = sum(count for topic, count in asked.items() if written[topic])
        return covered + sum(written[topic] for topic in asked) / len(view)

    return max(views, key=share)
