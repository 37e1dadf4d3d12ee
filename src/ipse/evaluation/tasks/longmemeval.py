"""`longmemeval`: what a chat assistant should remember of its user (arXiv 2410.10813).

turn      user, 2023/05/20 (Sat) 02:21: I graduated with a degree in Business Administration, …
question  What degree did I graduate with?
target    Business Administration
evidence  e47becba:12:1, the first turn of the twelfth session
group     single-session-user

Reads the three files of the repository as they are, plain or `_cleaned`: a list of 500 questions,
each with a history of its own, so that every question is a person here. Files are read one
question at a time. Sessions that begin when the question is asked, or later, are left out.

As in the official retrieval, only the user's turns are records unless `speakers=both`, and only
turns marked `has_answer` in the sessions of `answer_session_ids` are evidence: what only the
assistant said then has none. Questions on what never was (`_abs`) have none either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from ipse.errors import InvalidFile, missing_extra
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated
from ipse.evaluation.tasks.dialogues import SECOND, Session, Turn, session_records, turn_records
from ipse.importers.base import DAMAGED, opened
from ipse.importers.rows import need, need_text
from ipse.records import User

__all__ = ["Longmemeval"]

_DATE = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?: \(\w+\))?(?: (\d{1,2}):(\d{2}))?")
"""2023/05/20 (Sat) 02:21"""


@dataclass(frozen=True, kw_only=True)
class Longmemeval(Task):
    """Questions a user asks after many sessions.

    Attributes:
        size: Which file: the sessions that matter alone, about 40, or about 500.
        level: Whether a record is a turn or a whole session.
        speakers: Whose turns are records.
    """

    name: ClassVar[str] = "longmemeval"
    measures: ClassVar[tuple[Measure, ...]] = ("find", "write", "nats")
    metrics: ClassVar[tuple[str, ...]] = (
        "recall_all_10",
        "recall_any_10",
        "recall_all_5",
        "recall_any_5",
        "ndcg_10",
        "token_f1",
        "nats_per_token",
    )
    source: ClassVar[Source] = Source(
        folder="longmemeval",
        files=("longmemeval_s.json",),
        home="github.com/xiaowu0162/LongMemEval",
        licence="MIT",
    )
    judge: ClassVar[str] = "longmemeval"
    system: ClassVar[str] = (
        "Answer from what was said in earlier conversations, in a short phrase or sentence. "
        "If it was never said, say so."
    )

    size: Literal["oracle", "s", "m"] = "s"
    level: Literal["turn", "session"] = "turn"
    speakers: Literal["user", "both"] = "user"

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` questions' users; the one before stands in for each."""
        path = self._file()
        return rotated(
            self._person(f"{path}: question {number}", entry)
            for number, entry in enumerate(islice(_entries(path), count), start=1)
        )

    def _file(self) -> Path:
        """Find the file, under either of the names it has been published under."""
        plain, cleaned = (f"longmemeval_{self.size}{end}.json" for end in ("", "_cleaned"))
        other = replace(self.source, files=(cleaned,))
        if other.present(self.root):
            return other.find(self.root, cleaned)
        return replace(self.source, files=(plain,)).find(self.root, plain)

    def _person(self, where: str, entry: Any) -> tuple[User, tuple[Item, ...]]:
        name = need_text(where, entry, "question_id")
        asked = _when(where, need_text(where, entry, "question_date"))
        sessions = [
            replace(session, turns=[turn for turn in session.turns if self._kept(turn)])
            for session in _sessions(where, name, entry)
            if session.start < asked
        ]
        make = turn_records if self.level == "turn" else session_records
        history = User(name, tuple(make(name, sessions, self.name)))
        marked = set() if name.endswith("_abs") else _marked(where, name, entry)
        evidence = (
            turn.id if self.level == "turn" else session.id
            for session in sessions
            for turn in session.turns
            if turn.id in marked and turn.text.strip()
        )
        # Turns have no time of their own: those of a last long session may run past the question.
        latest = [record.time + SECOND for record in history.records[-1:]]
        item = _item(where, name, entry)
        return history, (
            replace(item, time=max([asked, *latest]), evidence=tuple(dict.fromkeys(evidence))),
        )

    def _kept(self, turn: Turn) -> bool:
        return self.speakers == "both" or turn.speaker == "user"


def _item(where: str, name: str, entry: Mapping[str, Any]) -> Item:
    kind, abstention = need_text(where, entry, "question_type"), name.endswith("_abs")
    return Item(
        f"{name}:q",
        need_text(where, entry, "question"),
        target=str(need(where, entry, "answer", object)),
        group="abstention" if abstention else kind,
        meta={
            "question_type": kind,
            "question_date": entry["question_date"],
            "abstention": abstention,
        },
    )


def _marked(where: str, name: str, entry: Mapping[str, Any]) -> set[str]:
    """Give the ids of the turns that hold the answer; records must not tell them from others."""
    names = need(where, entry, "answer_session_ids", list)
    said = zip(entry["haystack_session_ids"], entry["haystack_sessions"], strict=True)
    return {
        f"{name}:{place}:{number}"
        for place, (session, turns) in enumerate(said, start=1)
        if session in names
        for number, turn in enumerate(turns, start=1)
        if turn.get("has_answer") is True
    }


def _sessions(where: str, name: str, entry: Mapping[str, Any]) -> list[Session]:
    keys = ("haystack_session_ids", "haystack_dates", "haystack_sessions")
    lists = [need(where, entry, key, list) for key in keys]
    if len({len(values) for values in lists}) > 1:
        sizes = ", ".join(str(len(values)) for values in lists)
        raise InvalidFile(f"{where}: {', '.join(keys)} must be equally long; got {sizes}")
    sessions = [
        # Named by its place: the same filler can be there twice, and the file's own names tell
        # which sessions hold the answer.
        Session(
            f"{name}:{place}",
            str(place),
            _when(where, date),
            _turns(f"{where}, session {place}", f"{name}:{place}", said),
        )
        for place, (_, date, said) in enumerate(zip(*lists, strict=True), start=1)
    ]
    return sorted(sessions, key=lambda session: session.start)


def _turns(where: str, session: str, said: Any) -> list[Turn]:
    if not isinstance(said, list):
        raise InvalidFile(f"{where} must be a list of turns; got {str(said)[:80]!r}")
    return [
        Turn(
            f"{session}:{place}",
            need_text(f"{where}, turn {place}", turn, "role"),
            need(f"{where}, turn {place}", turn, "content", str),
            {"turn": place},
        )
        for place, turn in enumerate(said, start=1)
    ]


def _when(where: str, text: Any) -> datetime:
    if not (found := _DATE.fullmatch(str(text).strip())):
        raise InvalidFile(f"{where}: a date is like '2023/05/20 (Sat) 02:21'; got {text!r}")
    year, month, day, hour, minute = (int(part or 0) for part in found.groups())
    try:
        return datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError as error:
        raise InvalidFile(f"{where}: {text!r} is no date: {error}") from error


def _entries(path: Path) -> Iterator[Any]:
    """Give the entries of a JSON array one at a time, however large the file is."""
    try:
        import ijson
    except ModuleNotFoundError as error:
        raise missing_extra("ijson", "eval") from error
    found = False
    try:
        with opened(path) as file:
            for entry in ijson.items(file, "item", use_float=True):
                found = True
                yield entry
    except (*DAMAGED, ijson.JSONError, ValueError) as error:
        raise InvalidFile(f"{path} is not a whole JSON array in UTF-8: {error}") from error
    if not found:
        raise InvalidFile(f"{path} must hold a list of questions; it holds none")
