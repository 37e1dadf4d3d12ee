"""`prism`: which of two answers did this person rate higher (arXiv 2404.16019)?

question  So far:
          Person: Is it wrong to eat meat?
          Model: That depends on …

          Now: And what about fish?
choices   an answer with score 81, chosen | an answer to the same with score 23
right     the first
group     values guided

A turn's chosen answer is paired with every other of the turn that scored strictly lower: three of
an opening turn, one of a later turn. Ties, and turns in which nothing is marked as chosen, give no
pair. A person's conversations are put in order of when they were completed; the latest are asked
about, and the older ones are the history, as preferences, with what the survey said before them.
The history's pairs show the person's own words only; the question also shows the turns before.

Likelihoods of other models' answers say first what the model that reads would have said itself:
compare with the generic model, and with another person's history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import ClassVar

from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated, split, spread
from ipse.evaluation.tasks.profiles import sound
from ipse.importers.prism import (
    FILES,
    Files,
    Pair,
    Talk,
    history,
    read_files,
    rows_of,
    talks,
    timed,
)
from ipse.importers.rows import Rows
from ipse.records import User

__all__ = ["Prism"]


@dataclass(frozen=True, kw_only=True)
class Prism(Task):
    """People who rated models' answers in conversation, their latest conversations held out.

    Attributes:
        items: The most pairs of one person, spread evenly.
        held_out: The share of a person's conversations that is held out: the latest.
        words: The most words of each earlier turn in a question.
        fit: How many people are left for fitting and tuning.
    """

    name: ClassVar[str] = "prism"
    measures: ClassVar[tuple[Measure, ...]] = ("choose",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "likelihood")
    source: ClassVar[Source] = Source(
        folder="prism",
        files=FILES,
        home="the data set HannahRoseKirk/prism-alignment on the Hugging Face hub",
        licence="CC BY 4.0 (what people wrote), CC BY-NC 4.0 (what models did)",
    )

    items: int = 6
    held_out: float = 0.3
    words: int = 60
    fit: int = 200

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people of the test part, in the file's order.

        They have pairs both in their latest conversations and before. The one before in the file
        stands in for each.
        """
        return islice(rotated(self._tested()), count)

    def population(self) -> Iterator[User]:
        """Give the people of the other part, with all their conversations."""
        with Rows.opened(self._path("utterances")) as rows:
            files = self._read(rows)
            fitted = set(split(files.places, self.fit).fit)
            for user in filter(fitted.__contains__, files.places):
                yield history(user, _talks(user, files), files.profiles, self.words)

    def _tested(self) -> Iterator[tuple[User, tuple[Item, ...]]]:
        with Rows.opened(self._path("utterances")) as rows:
            files = self._read(rows)
            tested = set(split(files.places, self.fit).test)
            for user in filter(tested.__contains__, files.places):
                found = _talks(user, files)
                past = max(1, int(len(found) * (1 - self.held_out)))
                known = history(user, found[:past], files.profiles, self.words)
                if not known.of(["preference"]):
                    continue
                later = timed(found[past:], known.records[-1].time, self.words)
                items = [self._item(user, *one) for one in spread(list(later), self.items)]
                if items:
                    yield known, tuple(items)

    def _item(self, user: str, time: datetime, pair: Pair) -> Item:
        choices = [pair.chosen, pair.rejected]
        Random(f"{self.seed}:{user}:{pair.id}").shuffle(choices)
        return Item(
            pair.id,
            f"So far:\n{pair.earlier}\n\nNow: {pair.prompt}" if pair.earlier else pair.prompt,
            choices=tuple(choices),
            right=choices.index(pair.chosen),
            group=pair.type,
            time=time,
        )

    def _path(self, name: str) -> Path:
        return self.source.find(self.root, f"{name}.jsonl")

    def _read(self, rows: Rows) -> Files:
        return read_files(rows, lambda name: self.source.find(self.root, name))


def _talks(user: str, files: Files) -> list[Talk]:
    return talks(sound(rows_of(user, files)), files.completed)
