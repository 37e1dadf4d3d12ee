"""LaMP, the seven-task benchmark of personalized generation (arXiv 2304.11406): its JSON files.

    [{"id": "110", "user_id": "7", "input": "Generate a headline for the following article: ...",
      "profile": [{"id": "1100", "title": "...", "text": "...", "date": "2015-04-12"}]}]

with the gold answers in a file of their own:

    {"task": "LaMP_4", "golds": [{"id": "110", "output": "..."}]}

A profile item becomes a record. Questions and golds are not records: an evaluation reads them
with `read_questions`. The files are single JSON values, so they are loaded whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipse.errors import InvalidFile, InvalidRecord, unknown
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


@dataclass(frozen=True)
class Question:
    """One question of the benchmark.

    Attributes:
        id: The question's id.
        user: Who is asked: the file's `user_id`, or the question's id where it has none.
        input: What is asked.
        profile: The person's records, in the file's order.
        output: The gold answer, None where no golds were given or they lack it.
    """

    id: str
    user: str
    input: str
    profile: tuple[Record, ...]
    output: str | None = None


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
    path: Path, task: str, golds: Path | None = None
) -> Iterator[Question | Problem]:
    """Read questions with the records of whoever is asked, and their gold answers.

    Args:
        path: The question file, plain or gzip.
        task: One of `TASKS`.
        golds: The file of gold answers.

    Returns:
        Questions; the problems of a question come before it, and its good items are kept.

    Raises:
        Unknown: If there is no such task.
        InvalidFile: If the golds cannot be read, or are those of another task.
    """
    if task not in TASKS:
        raise unknown("LaMP task", task, TASKS)
    return _questions(path, task, {} if golds is None else _golds(golds, task))


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


def _questions(path: Path, task: str, golds: dict[str, str]) -> Iterator[Question | Problem]:
    data = document(path)
    if not isinstance(data, list):
        raise InvalidFile(f"{path} is not a list of questions")
    for number, entry in enumerate(data, 1):
        if reason := _fault(entry):
            yield Problem(str(path), number, reason)
            continue
        name = str(entry["id"])
        user = str(name if entry.get("user_id") is None else entry["user_id"])
        profile: list[Record] = []
        for place, item in enumerate(entry["profile"], 1):
            record = _record(path, number, user, task, place, item)
            if isinstance(record, Problem):
                yield record
            else:
                profile.append(record)
        yield Question(name, user, entry["input"], tuple(profile), golds.get(name))


def _fault(entry: object) -> str:
    if not isinstance(entry, dict):
        return f"a question is a JSON object; got {str(entry)[:80]!r}"
    if not isinstance(entry.get("id"), str | int):
        return "a question needs an 'id'"
    if not isinstance(entry.get("input"), str):
        return "a question needs an 'input' that is text"
    if not isinstance(entry.get("profile"), list):
        return "a question needs a 'profile' that is a list"
    return ""


def _record(
    path: Path, number: int, user: str, task: str, place: int, item: object
) -> Record | Problem:
    spec = TASKS[task]
    needed = [name for name in (spec.input, spec.output) if name]
    if not isinstance(item, dict) or any(item.get(name) is None for name in needed):
        names = " and ".join(repr(name) for name in needed)
        return Problem(str(path), number, f"profile item {place} of {task} needs {names}")
    try:
        time = moment(item["date"]) if item.get("date") is not None else nth(place)
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
