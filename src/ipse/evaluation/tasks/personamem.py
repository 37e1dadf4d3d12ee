"""`personamem`: which reply fits what the user is by now? (arXiv 2504.14225).

turn      user: Attending that community music therapy workshop was truly an incredible …
question  I came across another community music therapy workshop recently.
choices   I remember you mentioned how impactful these workshops were for you …   (right)
          I remember you mentioned how disinterested you were in these workshops …
          …
group     recalling_the_latest_user_preferences

Reads version 1 as published (`questions_32k.csv`, `shared_contexts_32k.jsonl`, and so for `128k`
and `1M`). A line of contexts holds one conversation under its id; a question is asked after its
first `end_index_in_shared_context` messages. So a person here is a conversation up to an index,
with the questions asked there: several of them can be one persona, and are then not independent.
Someone of another persona stands in. Contexts are read one at a time, wherever they lie.

The system messages, which say who the user is, are read too, as in the official script.
"""

from __future__ import annotations

import ast
import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, ClassVar, Literal, cast

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task, spread
from ipse.evaluation.tasks.dialogues import SECOND, Session, Turn, turn_records
from ipse.importers.base import DAMAGED, nth, opened
from ipse.importers.rows import Place, Rows, need, need_text
from ipse.records import Record, User

__all__ = ["Personamem"]

_COLUMNS = (
    "persona_id",
    "question_id",
    "question_type",
    "user_question_or_message",
    "correct_answer",
    "all_options",
    "shared_context_id",
    "end_index_in_shared_context",
)
_LABEL = re.compile(r"\s*\(?([a-z])\)?\s*")
_LABELED = re.compile(r"\s*\(([a-z])\)\s*(.*\S)\s*", re.DOTALL)
"""(a) stands before an option, and alone as the correct answer."""


@dataclass(frozen=True, kw_only=True)
class Personamem(Task):
    """Questions put to an assistant in the middle of a long acquaintance.

    Attributes:
        size: How long the conversations are, in tokens.
    """

    name: ClassVar[str] = "personamem"
    measures: ClassVar[tuple[Measure, ...]] = ("choose",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "likelihood")
    source: ClassVar[Source] = Source(
        folder="personamem",
        files=("questions_32k.csv", "shared_contexts_32k.jsonl"),
        home="huggingface.co/datasets/bowen-upenn/PersonaMem-v1",
        licence="MIT",
    )

    size: Literal["32k", "128k", "1M"] = "32k"

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` conversations, each up to where something is asked."""
        return islice(self._everyone(), count)

    def _everyone(self) -> Iterator[Person]:
        questions, contexts = f"questions_{self.size}.csv", f"shared_contexts_{self.size}.jsonl"
        source = replace(self.source, files=(questions, contexts))
        asked = _asked(source.find(self.root, questions))
        with Rows.opened(source.find(self.root, contexts)) as rows:
            places = _places(rows, asked)
            for position, context in enumerate(places):
                # From the one before backwards, and around.
                others = [*reversed(places[:position]), *reversed(places[position + 1 :])]
                stranger = next((c for c in others if c.persona != context.persona), None)
                other = None if stranger is None else _view(rows, stranger, max(stranger.asked))
                messages = _messages(rows, context)
                for end in sorted(context.asked):
                    history = _user(rows.where(context.place), context.name, messages[:end], end)
                    items = tuple(_item(question, history) for question in context.asked[end])
                    yield Person(history, spread(items, self.items), other)


@dataclass(frozen=True)
class _Question:
    """A row of the questions: where it stands, and its columns."""

    where: str
    row: Mapping[str, str]


@dataclass(frozen=True)
class _Context:
    """A conversation that something is asked about.

    Attributes:
        name: Its id.
        place: Where it lies.
        persona: Whose it is.
        asked: The questions by how many messages precede them.
    """

    name: str
    place: Place
    persona: str
    asked: Mapping[int, Sequence[_Question]]


_Asked = Mapping[str, Mapping[int, Sequence[_Question]]]


def _asked(path: Path) -> _Asked:
    """Group the questions by conversation and index; the rows are small beside the contexts."""
    found: dict[str, dict[int, list[_Question]]] = defaultdict(lambda: defaultdict(list))
    for question in _table(path):
        end = question.row["end_index_in_shared_context"]
        if not end.isdecimal():
            raise InvalidFile(
                f"{question.where}: end_index_in_shared_context must be a number; got {end!r}"
            )
        found[question.row["shared_context_id"]][int(end)].append(question)
    return found


def _table(path: Path) -> Iterator[_Question]:
    try:
        with opened(path) as file:
            reader = csv.DictReader(
                io.TextIOWrapper(cast(IO[bytes], file), "utf-8-sig", newline="")
            )
            if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
                known = ", ".join(reader.fieldnames or ()) or "none"
                raise InvalidFile(f"{path} has no column {missing[0]!r}; its columns: {known}")
            for number, row in enumerate(reader, start=1):
                where = f"{path}: question {number}"
                if empty := [name for name in _COLUMNS if not (row[name] or "").strip()]:
                    raise InvalidFile(f"{where} has no {empty[0]!r}")
                yield _Question(where, row)
    except (*DAMAGED, csv.Error, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path} is not a whole CSV file in UTF-8: {error}") from error


def _places(rows: Rows, asked: _Asked) -> list[_Context]:
    """Find the conversations that something is asked about, in the file's order."""
    found = {}
    for place, row in rows.scan():
        for name in row.keys() & asked.keys():
            persona = next(iter(asked[name].values()))[0].row["persona_id"]
            found[name] = _Context(name, place, persona, asked[name])
    if missing := sorted(asked.keys() - found.keys()):
        raise InvalidFile(f"{rows.path} has no context {missing[0]!r}, which questions are about")
    return list(found.values())


def _messages(rows: Rows, context: _Context) -> list[Any]:
    return need(rows.where(context.place), rows.at(context.place), context.name, list)


def _view(rows: Rows, context: _Context, end: int) -> User:
    where = rows.where(context.place)
    return _user(where, context.name, _messages(rows, context)[:end], end)


def _user(where: str, context: str, messages: Sequence[Any], end: int) -> User:
    """Make a view of the messages before an index.

    A system message says who the user is, and begins a session.
    """
    name = f"{context}:{end}"
    records: list[Record] = []
    turns: list[Turn] = []
    sessions = [Session(f"{name}:s0", "0", nth(0), turns)]
    for place, message in enumerate(messages):
        at = f"{where}, message {place}"
        role, text = need_text(at, message, "role"), need(at, message, "content", str)
        if role != "system":
            turns.append(Turn(f"{name}:{place}", role, text, {"turn": place}))
        elif text.strip():
            turns = []
            sessions.append(Session(f"{name}:s{place}", str(place), nth(place + 1), turns))
            records.append(_persona(name, place, text))
    records += turn_records(name, sessions, "personamem")
    return User(name, tuple(sorted(records, key=lambda record: (record.time, record.id))))


def _persona(user: str, place: int, text: str) -> Record:
    return Record(
        user=user,
        kind="profile",
        input="persona",
        output=text,
        time=nth(place),
        source="personamem",
        id=f"{user}:{place}",
    )


def _item(question: _Question, history: User) -> Item:
    where, row = question.where, question.row
    options = _options(where, row["all_options"])
    answer = _LABEL.fullmatch(row["correct_answer"])
    if answer is None or answer[1] not in options:
        raise InvalidFile(
            f"{where}: correct_answer must be one of {', '.join(f'({key})' for key in options)}; "
            f"got {row['correct_answer']!r}"
        )
    right = list(options).index(answer[1])
    return Item(
        row["question_id"],
        row["user_question_or_message"],
        target=options[answer[1]],
        choices=tuple(options.values()),
        right=right,
        group=row["question_type"],
        time=history.records[-1].time + SECOND if history.records else None,
        meta={"persona": row["persona_id"], "topic": row.get("topic", "")},
    )


def _options(where: str, text: str) -> dict[str, str]:
    """Read options, which stand there as Python writes a list of texts, each after its label."""
    try:
        listed = ast.literal_eval(text.strip())
        found = [_LABELED.fullmatch(option) for option in listed]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = []
    options = {match[1]: match[2] for match in found if match is not None}
    if len(options) < max(2, len(found)):
        raise InvalidFile(
            f"{where}: all_options must be a list of texts that begin with (a), (b) and so on; "
            f"got {text[:80]!r}"
        )
    return options
