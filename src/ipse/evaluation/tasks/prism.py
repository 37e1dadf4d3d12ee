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

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from ipse.errors import InvalidFile, InvalidRecord
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated, split, spread
from ipse.evaluation.tasks.dialogues import SECOND, need, need_text
from ipse.evaluation.tasks.rows import Place, Rows
from ipse.importers.base import Problem, moment, objects
from ipse.records import USES, Record, User
from ipse.text import cut

__all__ = ["Prism"]

_SURVEY = {
    "self_description": "values and beliefs",
    "system_string": "how a model should behave",
}
"""Fields of the survey that are a person's own words, and what each is an answer about."""

_NOTHING = ("", "EMPTY STRING")
_SECONDS = 10**11
"""A time beyond this many seconds, in the year 5138, is in milliseconds, as pandas writes times."""


@dataclass(frozen=True)
class _Talk:
    """One conversation: when it was completed, of which type, and its rows."""

    completed: datetime
    type: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class _Pair:
    """A chosen answer and one that scored lower."""

    id: str
    type: str
    earlier: str
    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class _Files:
    """What is read of the three files: all that is short, and where the rest is."""

    rows: Rows
    places: Mapping[str, list[Place]]
    completed: Mapping[str, tuple[datetime, str]]
    profiles: Mapping[str, dict[str, str]]


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
        files=("survey.jsonl", "conversations.jsonl", "utterances.jsonl"),
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
                yield _history(user, _talks(user, files), files.profiles, self.words)

    def _tested(self) -> Iterator[tuple[User, tuple[Item, ...]]]:
        with Rows.opened(self._path("utterances")) as rows:
            files = self._read(rows)
            tested = set(split(files.places, self.fit).test)
            for user in filter(tested.__contains__, files.places):
                talks = _talks(user, files)
                past = max(1, int(len(talks) * (1 - self.held_out)))
                history = _history(user, talks[:past], files.profiles, self.words)
                if not history.of(["preference"]):
                    continue
                later = _timed(talks[past:], history.records[-1].time, self.words)
                items = [self._item(user, *one) for one in spread(list(later), self.items)]
                if items:
                    yield history, tuple(items)

    def _item(self, user: str, time: datetime, pair: _Pair) -> Item:
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

    def _read(self, rows: Rows) -> _Files:
        places: dict[str, list[Place]] = defaultdict(list)
        for place, row in rows.scan():
            places[need_text(rows.where(place), row, "user_id")].append(place)
        completed = {}
        for where, row in _objects(self._path("conversations")):
            name = need_text(where, row, "conversation_id")
            kind = need_text(where, row, "conversation_type")
            completed[name] = _completed(where, row), kind
        profiles = {
            need_text(where, row, "user_id"): {name: str(row.get(name) or "") for name in _SURVEY}
            for where, row in _objects(self._path("survey"))
        }
        return _Files(rows, dict(places), completed, profiles)


def _completed(where: str, row: Mapping[str, Any]) -> datetime:
    value = need(where, row, "generated_datetime", object)
    if isinstance(value, int) and value > _SECONDS:
        value /= 1000
    try:
        return moment(value)
    except InvalidRecord as error:
        raise InvalidFile(f"{where}: 'generated_datetime': {error}") from error


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in objects(path):
        if isinstance(entry, Problem):
            raise InvalidFile(str(entry))
        yield f"{path}:{entry[0]}", entry[1]


def _talks(user: str, files: _Files) -> list[_Talk]:
    """Give a person's conversations in order of when they were completed."""
    found: dict[str, _Talk] = {}
    for place in files.places[user]:
        where, row = files.rows.where(place), files.rows.at(place)
        name = need_text(where, row, "conversation_id")
        if name not in files.completed:
            raise InvalidFile(f"{where}: conversations.jsonl has no conversation {name!r}")
        _check(where, row)
        found.setdefault(name, _Talk(*files.completed[name], [])).rows.append(row)
    return sorted(found.values(), key=lambda talk: talk.completed)


def _check(where: str, row: Mapping[str, Any]) -> None:
    need_text(where, row, "utterance_id")
    need(where, row, "turn", int)
    need(where, row, "if_chosen", bool)
    for name in ("user_prompt", "model_response"):
        need(where, row, name, str)
    score = need(where, row, "score", object)
    if not isinstance(score, int | float) or isinstance(score, bool):
        raise InvalidFile(f"{where}: 'score' must be a number; got {score!r}")


def _pairs(talk: _Talk, words: int) -> Iterator[_Pair]:
    turns: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in talk.rows:
        turns[row["turn"]].append(row)
    earlier: list[str] = []
    for number in sorted(turns):
        chosen = next((row for row in turns[number] if row["if_chosen"]), None)
        if chosen is None:
            continue
        prompt, said = chosen["user_prompt"], chosen["model_response"]
        for row in turns[number]:
            other = row["model_response"]
            if row["score"] < chosen["score"] and other != said and other.strip() and said.strip():
                name = f"{chosen['utterance_id']}>{row['utterance_id']}"
                yield _Pair(name, talk.type, "\n".join(earlier), prompt, said, other)
        earlier += [f"Person: {cut(prompt, words)}", f"Model: {cut(said, words)}"]


def _timed(
    talks: Sequence[_Talk], after: datetime | None, words: int
) -> Iterator[tuple[datetime, _Pair]]:
    """Give pairs with their times, strictly ascending: when it was completed, a second apart."""
    for talk in talks:
        for pair in _pairs(talk, words):
            after = talk.completed if after is None else max(talk.completed, after + SECOND)
            yield after, pair


def _history(
    user: str, talks: Sequence[_Talk], profiles: Mapping[str, Mapping[str, str]], words: int
) -> User:
    """Give what the survey and some conversations say of a person."""
    start = talks[0].completed
    said = {_SURVEY[name]: text for name, text in profiles.get(user, {}).items()}
    known = [(name, text) for name, text in said.items() if text.strip() not in _NOTHING]
    records = [
        Record(
            user=user,
            kind="profile",
            input=name,
            output=text,
            time=start - (len(known) - place) * SECOND,
            source="prism",
            uses=frozenset(USES),
        )
        for place, (name, text) in enumerate(known)
    ]
    for time, pair in _timed(talks, None, words):
        records.append(
            Record(
                user=user,
                kind="preference",
                input=pair.prompt,
                output=pair.chosen,
                rejected=pair.rejected,
                time=time,
                source="prism",
                meta={"conversation_type": pair.type},
                uses=frozenset(USES),
                id=pair.id,
            )
        )
    return User(user, tuple(records))
