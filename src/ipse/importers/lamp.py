"""LaMP, the seven-task benchmark of personalized generation (arXiv 2304.11406): its JSON files.

    [{"id": "110", "user_id": "7", "input": "Generate a headline for the following article: ...",
      "profile": [{"id": "1100", "title": "...", "text": "...", "date": "2015-04-12"}]}]

with the gold answers in a file of their own:

    {"task": "LaMP_4", "golds": [{"id": "110", "output": "..."}]}

A profile item becomes a record. Questions and golds are not records: an evaluation reads them
with `read_questions`. Question files hold gigabytes, so one question is in memory at a time; golds
are small and loaded whole.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, InvalidRecord, unknown
from ipse.importers.array import entries
from ipse.importers.base import Problem, document, made, moment, nth
from ipse.records import Kind, Record

__all__ = ["TASKS", "Question", "Task", "read", "read_questions"]


@dataclass(frozen=True)
class Task:
    """How a task's profile items become records.

    Attributes:
        kind: What a record of it is.
        input: The item's field that becomes the record's input, or "" where none does.
        output: The item's field that becomes the record's output.
        labels: The answers there are, if they are a closed list.
    """

    kind: Kind
    input: str
    output: str
    labels: tuple[str, ...] = ()


_TAGS = (
    "sci-fi", "based on a book", "comedy", "action", "twist ending", "dystopia", "dark comedy",
    "classic", "psychology", "fantasy", "romance", "thought-provoking", "social commentary",
    "violence", "true story",
)  # fmt: skip

_NEWS = (
    "women", "religion", "politics", "style & beauty", "entertainment", "culture & arts", "sports",
    "science & technology", "travel", "business", "crime", "education", "healthy living",
    "parents", "food & drink",
)  # fmt: skip

_MOVIES = Task("interaction", "description", "tag", _TAGS)

TASKS: dict[str, Task] = {
    "lamp-1": Task("content", "title", "abstract", ("[1]", "[2]")),
    "lamp-2": _MOVIES,
    "lamp-2m": _MOVIES,
    "lamp-2n": Task("content", "text", "category", _NEWS),
    "lamp-3": Task("interaction", "text", "score", ("1", "2", "3", "4", "5")),
    "lamp-4": Task("content", "text", "title"),
    "lamp-5": Task("content", "abstract", "title"),
    "lamp-6": Task("content", "text", "title"),
    "lamp-7": Task("content", "", "text"),
}
"""The tasks; `lamp-2` is movie tagging as in the paper's second version, `lamp-2n` is its first."""

_TWINS = {"lamp-2": "lamp-2n", "lamp-2m": "lamp-2n", "lamp-2n": "lamp-2"}
"""Two tasks are called LaMP-2, and their files have the same names: each with the other."""

_ASKS = {"lamp-2": "Which tag", "lamp-2n": "Which category"}

_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})(?:-([0-9]{1,2}))?")


@dataclass(frozen=True)
class Question:
    """One question of the benchmark.

    Attributes:
        id: The question's id.
        user: Who is asked: the file's `user_id`, or the question's id where it has none.
        input: What is asked.
        profile: The person's records, in the file's order.
        output: The gold answer, None where no golds were given or they lack it.
        time: When it was asked, None where the file does not say.
    """

    id: str
    user: str
    input: str
    profile: tuple[Record, ...]
    output: str | None = None
    time: datetime | None = None


def read(path: Path, *, task: str) -> Iterator[Record | Problem]:
    """Read the profile items of a question file as records.

    Args:
        path: The question file, plain or gzip.
        task: One of `TASKS`.

    Returns:
        Records, and a problem for every malformed question or item.

    Raises:
        Unknown: If there is no such task.
    """
    return _flat(read_questions(path, task))


def read_questions(
    path: Path, task: str, golds: Path | None = None, *, blanks: bool = True
) -> Iterator[Question | Problem]:
    """Read questions with the records of whoever is asked, and their gold answers.

    Args:
        path: The question file, plain or gzip.
        task: One of `TASKS`.
        golds: The file of gold answers.
        blanks: Whether an item that says nothing is a problem; otherwise it is left out.

    Returns:
        Questions; the problems of a question come before it, and its good items are kept.

    Raises:
        Unknown: If there is no such task.
        InvalidFile: If the golds cannot be read, or are those of another task.
    """
    if task not in TASKS:
        raise unknown("LaMP task", task, TASKS)
    return _questions(path, task, {} if golds is None else _golds(golds, task), blanks)


def _flat(questions: Iterator[Question | Problem]) -> Iterator[Record | Problem]:
    for question in questions:
        if isinstance(question, Problem):
            yield question
        else:
            yield from question.profile


def _golds(path: Path, task: str) -> dict[str, str]:
    data = document(path)
    golds = data.get("golds") if isinstance(data, dict) else None
    if not isinstance(golds, list):
        raise InvalidFile(f"{path} has no list 'golds': is it a file of gold answers?")
    named = str(data.get("task", task)).lower().replace("_", "-")
    if named[: len("lamp-1")] != task[: len("lamp-1")]:
        raise InvalidFile(f"{path} has the gold answers of {named!r}, not of {task!r}")
    return {
        str(gold["id"]): str(gold["output"])
        for gold in golds
        if isinstance(gold, dict) and "id" in gold and "output" in gold
    }


def _questions(
    path: Path, task: str, golds: dict[str, str], blanks: bool
) -> Iterator[Question | Problem]:
    for number, entry in enumerate(entries(path), 1):
        if reason := _fault(entry) or _confusion(entry, task):
            yield Problem(str(path), number, reason)
            continue
        name = str(entry["id"])
        user = str(name if entry.get("user_id") is None else entry["user_id"])
        profile: list[Record] = []
        for place, item in enumerate(entry["profile"], 1):
            if not blanks and _is_blank(item, task):
                continue
            record = _record(path, number, user, task, place, item)
            if isinstance(record, Problem):
                yield record
            else:
                profile.append(record)
        output, time = golds.get(name), _time(entry)
        yield Question(name, user, entry["input"], tuple(profile), output, time)


def _fault(entry: object) -> str:
    if not isinstance(entry, dict):
        return f"a question is a JSON object; got {reprlib.repr(entry)}"
    if not isinstance(entry.get("id"), str | int):
        return "a question needs an 'id'"
    if not isinstance(entry.get("input"), str):
        return "a question needs an 'input' that is text"
    if not isinstance(entry.get("profile"), list):
        return "a question needs a 'profile' that is a list"
    try:
        _time(entry)
    except InvalidRecord as error:
        return f"the question's date: {error}"
    return ""


def _time(entry: dict[str, Any]) -> datetime | None:
    """Read the date as the official scripts do: without leading zeros, or a month, too."""
    date = entry.get("date")
    if date is None:
        return None
    if found := _DATE.fullmatch(str(date).strip()):
        year, month, day = found.groups("1")
        date = f"{year}-{month:0>2}-{day:0>2}"
    return moment(date)


def _confusion(entry: dict[str, Any], task: str) -> str:
    """Say so where a question is of the other one of the two tasks called LaMP-2."""
    if task not in _TWINS:
        return ""
    own, other = TASKS[task].output, TASKS[_TWINS[task]].output
    items = [item for item in entry["profile"] if isinstance(item, dict)]
    labelled = bool(items) and other in items[0] and own not in items[0]
    if not labelled and not entry["input"].startswith(_ASKS[_TWINS[task]]):
        return ""
    return f"this question is of {_TWINS[task]!r}, not of {task!r}: both were called LaMP-2"


def _is_blank(item: object, task: str) -> bool:
    """Say whether an item has the field of its output, and nothing in it."""
    name = TASKS[task].output
    if not isinstance(item, dict) or name not in item:
        return False
    return item[name] is None or not str(item[name]).strip()


def _record(
    path: Path, number: int, user: str, task: str, place: int, item: object
) -> Record | Problem:
    spec = TASKS[task]
    needed = [name for name in (spec.input, spec.output) if name]
    if not isinstance(item, dict) or any(item.get(name) is None for name in needed):
        names = " and ".join(repr(name) for name in needed)
        return Problem(str(path), number, f"profile item {place} of {task} needs {names}")
    try:
        time = _time(item) or nth(place)
    except InvalidRecord as error:
        return Problem(str(path), number, f"profile item {place}: {error}")
    fields: dict[str, Any] = {
        "user": user,
        "kind": spec.kind,
        "input": item[spec.input] if spec.input else "",
        "output": _label(item[spec.output]),
        "time": time,
        "source": "lamp",
        "meta": _meta(task, item),
    }
    record = made(path, number, fields)
    if isinstance(record, Problem):
        return Problem(str(path), number, f"profile item {place}: {record.reason}")
    return record


def _label(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


def _meta(task: str, item: dict[str, Any]) -> dict[str, Any]:
    spec = TASKS[task]
    mapped = {spec.input, spec.output, "id", "date"}
    rest = {key: value for key, value in item.items() if key not in mapped}
    meta = rest | {"task": task, "profile_id": item.get("id")}
    return meta | ({"labels": list(spec.labels)} if spec.kind == "interaction" else {})
