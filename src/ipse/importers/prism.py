"""PRISM, people who rated models' answers in conversation (arXiv 2404.16019): its three files.

survey.jsonl         {"user_id": "user0", "self_description": "…", "system_string": "…", …}
conversations.jsonl  {"conversation_id": "c0", "generated_datetime": "…", "conversation_type": "…"}
utterances.jsonl     {"user_id": "user0", "conversation_id": "c0", "turn": 0, "user_prompt": "…",
                      "model_response": "…", "score": 81, "if_chosen": true, "utterance_id": "…"}

A turn's chosen answer is paired with every other of the turn that scored lower; one that scored as
high is a tie. A person's conversations stand in order of when they were completed. What the survey
asked for in their own words comes before them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, InvalidRecord
from ipse.importers.base import Problem, made, moment, objects
from ipse.importers.rows import Place, Rows, need, need_text
from ipse.records import USES, Record, User
from ipse.text import cut

__all__ = [
    "FILES",
    "Files",
    "Pair",
    "Talk",
    "history",
    "read",
    "read_files",
    "rows_of",
    "talks",
    "timed",
]

FILES = ("survey.jsonl", "conversations.jsonl", "utterances.jsonl")

_SURVEY = {
    "self_description": "values and beliefs",
    "system_string": "how a model should behave",
}
"""Fields of the survey that are a person's own words, and what each is an answer about."""

_NOTHING = ("", "EMPTY STRING")
_SECONDS = 10**11
"""A time beyond this many seconds, in the year 5138, is in milliseconds, as pandas writes times."""

_YEARS = range(1970, 9000)
"""Seconds before and after a time must be times, too."""

_SECOND = timedelta(seconds=1)
_WORDS = 60


@dataclass(frozen=True)
class Talk:
    """One conversation: when it was completed, of which type, and its rows."""

    completed: datetime
    type: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Pair:
    """A chosen answer and another of the same turn, which scored lower or, in a tie, as high.

    `line` is where the other stands in the file.
    """

    id: str
    line: int
    type: str
    earlier: str
    prompt: str
    chosen: str
    rejected: str
    tie: bool = False


@dataclass(frozen=True)
class Files:
    """What is read of the three files: all that is short, and where the rest is."""

    rows: Rows
    places: Mapping[str, list[Place]]
    completed: Mapping[str, tuple[datetime, str]]
    profiles: Mapping[str, dict[str, str]]


def read(path: Path) -> Iterator[Record | Problem]:
    """Read what people said of themselves and which answers they preferred, person by person.

    Args:
        path: The folder with the three files, each plain or gzip.

    Yields:
        Records, and a problem for every malformed utterance.
    """
    with Rows.opened(_found(path, "utterances.jsonl")) as rows:
        files = read_files(rows, lambda name: _found(path, name))
        for user in files.places:
            sound: list[dict[str, Any]] = []
            for row in rows_of(user, files):
                if isinstance(row, Problem):
                    yield row
                else:
                    sound.append(row)
            if sound:
                found = talks(sound, files.completed)
                for line, fields in _told(user, found, files.profiles, _WORDS, ties=True):
                    yield made(rows.path, line or files.places[user][0].number, fields)


def read_files(rows: Rows, find: Callable[[str], Path]) -> Files:
    """Read the short files, and where each person's utterances are.

    Args:
        rows: The utterances.
        find: Gives the path of a file by its name.

    Returns:
        What was read.

    Raises:
        InvalidFile: If a line has no person, or one of the short files is malformed.
    """
    places: dict[str, list[Place]] = defaultdict(list)
    for place, row in rows.scan():
        places[need_text(rows.where(place), row, "user_id")].append(place)
    completed = {}
    for where, row in _objects(find("conversations.jsonl")):
        name = need_text(where, row, "conversation_id")
        completed[name] = _completed(where, row), need_text(where, row, "conversation_type")
    profiles = {
        need_text(where, row, "user_id"): {name: str(row.get(name) or "") for name in _SURVEY}
        for where, row in _objects(find("survey.jsonl"))
    }
    return Files(rows, dict(places), completed, profiles)


def rows_of(user: str, files: Files) -> Iterator[dict[str, Any] | Problem]:
    """Give a person's utterances, and a problem for each that is malformed."""
    for place in files.places[user]:
        where = files.rows.where(place)
        try:
            row = files.rows.at(place)
            _check(where, row, files.completed)
        except InvalidFile as error:
            reason = str(error).removeprefix(where).lstrip(": ")
            yield Problem(str(files.rows.path), place.number, reason)
        else:
            yield {**row, "line": place.number}


def talks(
    rows: Iterable[dict[str, Any]], completed: Mapping[str, tuple[datetime, str]]
) -> list[Talk]:
    """Give a person's conversations in order of when they were completed."""
    found: dict[str, Talk] = {}
    for row in rows:
        name = row["conversation_id"]
        found.setdefault(name, Talk(*completed[name], [])).rows.append(row)
    return sorted(found.values(), key=lambda talk: talk.completed)


def timed(
    found: Sequence[Talk], after: datetime | None, words: int, *, ties: bool = False
) -> Iterator[tuple[datetime, Pair]]:
    """Give pairs with their times, strictly ascending: when it was completed, a second apart.

    Args:
        found: The conversations.
        after: What all times are later than.
        words: The most words of each earlier turn.
        ties: Whether ties are given, too.

    Yields:
        Times and pairs.
    """
    for talk in found:
        for pair in _pairs(talk, words, ties):
            after = talk.completed if after is None else max(talk.completed, after + _SECOND)
            yield after, pair


def history(
    user: str, found: Sequence[Talk], profiles: Mapping[str, Mapping[str, str]], words: int
) -> User:
    """Give what the survey and some conversations say of a person, ties apart.

    Args:
        user: Who it is.
        found: The conversations, at least one.
        profiles: What the survey says, by person.
        words: The most words of each earlier turn.

    Returns:
        The view.
    """
    told = _told(user, found, profiles, words, ties=False)
    return User(user, tuple(Record(**fields) for _, fields in told))


def _told(
    user: str,
    found: Sequence[Talk],
    profiles: Mapping[str, Mapping[str, str]],
    words: int,
    *,
    ties: bool,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the fields of a person's records with the line of each; 0 is the survey's."""
    start = found[0].completed
    own: dict[str, Any] = {"user": user, "source": "prism", "uses": frozenset(USES)}
    told = {_SURVEY[name]: text for name, text in profiles.get(user, {}).items()}
    known = [(name, text) for name, text in told.items() if text.strip() not in _NOTHING]
    for place, (name, text) in enumerate(known):
        time = start - (len(known) - place) * _SECOND
        yield 0, {**own, "kind": "profile", "input": name, "output": text, "time": time}
    for time, pair in timed(found, None, words, ties=ties):
        preferred = {
            "kind": "preference",
            "input": pair.prompt,
            "output": pair.chosen,
            "rejected": pair.rejected,
            "time": time,
            "meta": {"conversation_type": pair.type, **({"tie": True} if pair.tie else {})},
            "id": pair.id,
        }
        yield pair.line, {**own, **preferred}


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise InvalidFile(f"{folder} has no {name}; PRISM is a folder with {', '.join(FILES)}")


def _completed(where: str, row: Mapping[str, Any]) -> datetime:
    value = need(where, row, "generated_datetime", object)
    if isinstance(value, int) and value > _SECONDS:
        value /= 1000
    try:
        time = moment(value)
    except InvalidRecord as error:
        raise InvalidFile(f"{where}: 'generated_datetime': {error}") from error
    if time.year not in _YEARS:
        raise InvalidFile(f"{where}: 'generated_datetime' is of our time; got {time}")
    return time


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in objects(path):
        if isinstance(entry, Problem):
            raise InvalidFile(str(entry))
        yield f"{path}:{entry[0]}", entry[1]


def _check(where: str, row: Mapping[str, Any], completed: Mapping[str, Any]) -> None:
    name = need_text(where, row, "conversation_id")
    if name not in completed:
        raise InvalidFile(f"{where}: conversations.jsonl has no conversation {name!r}")
    need_text(where, row, "utterance_id")
    need(where, row, "turn", int)
    need(where, row, "if_chosen", bool)
    for field in ("user_prompt", "model_response"):
        need(where, row, field, str)
    score = need(where, row, "score", object)
    if not isinstance(score, int | float) or isinstance(score, bool) or not isfinite(score):
        raise InvalidFile(f"{where}: 'score' must be a number; got {score!r}")


def _pairs(talk: Talk, words: int, ties: bool) -> Iterator[Pair]:
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
            other, tie = row["model_response"], row["score"] == chosen["score"]
            wanted = row["score"] < chosen["score"] or (ties and tie)
            if wanted and other != said and other.strip() and said.strip():
                name = f"{chosen['utterance_id']}>{row['utterance_id']}"
                before = "\n".join(earlier)
                yield Pair(name, row["line"], talk.type, before, prompt, said, other, tie)
        earlier += [f"Person: {cut(prompt, words)}", f"Model: {cut(said, words)}"]
