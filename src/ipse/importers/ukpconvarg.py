"""UKPConvArg1 (Habernal and Gurevych, ACL 2016): which argument convinces whom, and why.

A folder of two files, plain or gzip. `annotations.jsonl`, one judgement a line:

    {"user_id": "ecb03ad7fb", "pair_id": "arg219298_arg219206", "topic": "tv-or-books_tv",
     "arg1": "arg219298", "arg2": "arg219206", "choice": "a2", "reason": "A2 is about the topic",
     "worker_stance": "none"}

and `arguments.jsonl`, one argument a line:

    {"arg_id": "arg219298", "topic": "tv-or-books_tv", "author": "49ec42940d", "stance": "TV",
     "text": "..."}

A judgement gives two records at one time, so that neither is in the other's past: the reason as
`content`, and the choice as `preference`, unless both arguments have the same text. The file has no
times: a person's first judgement is put at `START`, each next one a minute later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from ipse.errors import InvalidFile, unknown
from ipse.importers.base import Entry, Problem, made, objects
from ipse.records import Record
from ipse.text import cut

__all__ = ["START", "Argument", "Choice", "arguments", "prompt", "question", "read", "readable"]

START = datetime(2016, 1, 1, tzinfo=UTC)
"""When every person's first judgement is said to be."""

Choice = Literal["a1", "a2", "equal"]

_VERDICTS: dict[str, str] = {
    "a1": "argument 1.",
    "a2": "argument 2.",
    "equal": "both alike.",
}
_JUDGEMENT = ("user_id", "pair_id", "topic", "arg1", "arg2", "choice", "reason")
_KEPT = ("pair_id", "arg1", "arg2", "choice", "worker_stance")
_ARGUMENT = ("arg_id", "topic", "author", "stance", "text")


@dataclass(frozen=True)
class Argument:
    """One argument of a debate.

    Attributes:
        id: The file's id for it.
        topic: The debate and its side, as the file writes them; `readable` takes them apart.
        author: Who wrote it, hashed.
        stance: The side it takes, in the debate's own words.
        text: What it says.
    """

    id: str
    topic: str
    author: str
    stance: str
    text: str


def read(path: Path, *, user: str | Collection[str] | None = None) -> Iterator[Record | Problem]:
    """Read judgements: a reason and a choice each.

    Args:
        path: The folder.
        user: Whose judgements to read, one id or several; everybody's where it is None.

    Returns:
        Records, and a problem for every malformed line of either file.

    Raises:
        InvalidFile: If the folder lacks one of the files.
    """
    files = _file(path, "annotations"), _file(path, "arguments")
    return _records(*files, {user} if isinstance(user, str) else user)


def arguments(path: Path) -> dict[str, Argument]:
    """Read the arguments of a folder, by id; malformed ones are left for `read` to report.

    Args:
        path: The folder.

    Returns:
        The arguments.

    Raises:
        InvalidFile: If the folder lacks the file.
    """
    found = _arguments(_file(path, "arguments"))
    return {item.id: item for item in found if isinstance(item, Argument)}


def prompt(
    topic: str, stance: str, arg1: str, arg2: str, choice: Choice, words: int | None = None
) -> str:
    """Write down what a person judged and how, as the input of their reason.

    A record's meta holds `topic`, `stance`, `choice` and the ids of both arguments, so that it can
    be written again with shorter arguments.

    Args:
        topic: The debate, readable.
        stance: The side both arguments take, readable.
        arg1: The first argument's text.
        arg2: The second argument's text.
        choice: Which convinces more.
        words: How many words of each argument to keep; all where it is None.

    Returns:
        The text, which ends by asking why.

    Raises:
        Unknown: If there is no such choice.
    """
    if choice not in _VERDICTS:
        raise unknown("choice", choice, _VERDICTS)
    return (
        f"Topic: {topic} ({stance})\n\n"
        f"Argument 1: {cut(arg1, words)}\n\n"
        f"Argument 2: {cut(arg2, words)}\n\n"
        f"More convincing: {_VERDICTS[choice]}\n\n"
        "Say why, in one sentence."
    )


def question(topic: str, stance: str) -> str:
    """Ask for an argument: the input of a preference between two."""
    return f"Topic: {topic} ({stance})\n\nWhat is a convincing argument for this side?"


def readable(slug: str) -> tuple[str, str]:
    """Take a topic as the file writes it apart into the debate and its side.

    Args:
        slug: Such as `ban-plastic-water-bottles_no-bad-for-the-economy`.

    Returns:
        Such as `Ban plastic water bottles` and `No bad for the economy`.
    """
    pieces = [piece.strip("-").replace("-", " ") for piece in slug.rpartition("_")[::2]]
    topic, side = (piece[:1].upper() + piece[1:] for piece in pieces)
    return topic, side


def _file(folder: Path, name: str) -> Path:
    for candidate in (folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"):
        if candidate.is_file():
            return candidate
    raise InvalidFile(f"{folder} is not a folder with {name}.jsonl or {name}.jsonl.gz")


def _entries(path: Path, names: tuple[str, ...]) -> Iterator[Entry | Problem]:
    """Give a file's lines as objects in which the named fields are text."""
    for entry in objects(path):
        if isinstance(entry, Problem):
            yield entry
            continue
        number, data = entry
        if missing := [name for name in names if not isinstance(data.get(name), str)]:
            yield Problem(str(path), number, f"the field {missing[0]!r} is missing or not text")
        else:
            yield entry


def _arguments(path: Path) -> Iterator[Argument | Problem]:
    for entry in _entries(path, _ARGUMENT):
        if isinstance(entry, Problem):
            yield entry
        else:
            yield Argument(*(entry[1][name] for name in _ARGUMENT))


def _records(
    annotations: Path, texts: Path, users: Collection[str] | None
) -> Iterator[Record | Problem]:
    known: dict[str, Argument] = {}
    for item in _arguments(texts):
        if isinstance(item, Problem):
            yield item
        else:
            known[item.id] = item
    seen: Counter[str] = Counter()
    for entry in _entries(annotations, _JUDGEMENT):
        if isinstance(entry, Problem):
            yield entry
            continue
        person = entry[1]["user_id"]
        if users is None or person in users:
            yield from _judgement(annotations, entry, known, seen[person])
            seen[person] += 1


def _judgement(
    path: Path, entry: Entry, known: Mapping[str, Argument], place: int
) -> Iterator[Record | Problem]:
    number, data = entry
    for name, choices in (("arg1", known), ("arg2", known), ("choice", _VERDICTS)):
        if data[name] not in choices:
            yield Problem(str(path), number, f"unknown {name} {data[name]!r}")
            return
    content = made(path, number, _content(data, known, place))
    yield content
    if isinstance(content, Record) and known[data["arg1"]].text != known[data["arg2"]].text:
        yield made(path, number, _preference(data, known, place))


def _content(data: Mapping[str, Any], known: Mapping[str, Argument], place: int) -> dict[str, Any]:
    texts = known[data["arg1"]].text, known[data["arg2"]].text
    return _common(data, place) | {
        "kind": "content",
        "input": prompt(*readable(data["topic"]), *texts, data["choice"]),
        "output": data["reason"],
    }


def _preference(
    data: Mapping[str, Any], known: Mapping[str, Argument], place: int
) -> dict[str, Any]:
    chosen, rejected = known[data["arg1"]].text, known[data["arg2"]].text
    if data["choice"] == "a2":
        chosen, rejected = rejected, chosen
    common = _common(data, place)
    tie = {"tie": True} if data["choice"] == "equal" else {}
    return common | {
        "kind": "preference",
        "input": question(*readable(data["topic"])),
        "output": chosen,
        "rejected": rejected,
        "meta": common["meta"] | tie,
    }


def _common(data: Mapping[str, Any], place: int) -> dict[str, Any]:
    topic, stance = readable(data["topic"])
    kept = {name: data.get(name) for name in _KEPT}
    return {
        "user": data["user_id"],
        "time": START + timedelta(minutes=place),
        "source": "ukpconvarg",
        "uses": ("prompt", "train", "share"),
        "meta": kept | {"topic": topic, "stance": stance},
    }
