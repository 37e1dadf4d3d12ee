"""`locomo`: questions on months of conversation between two people (arXiv 2402.17753).

turn      D1:3  Caroline  I went to a LGBTQ support group yesterday and it was so powerful.
question  When did Caroline go to the LGBTQ support group?
target    7 May 2023
evidence  D1:3
group     temporal

Reads `locomo10.json` as it lies in the repository: 10 conversations, each one a person here, 5,882
turns, 1,986 questions. Only the turns are read; the file's own summaries hold the answers too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated, spread
from ipse.evaluation.tasks.dialogues import SECOND, Session, Turn, session_records, turn_records
from ipse.importers.base import document
from ipse.importers.rows import need, need_text
from ipse.records import User

__all__ = ["CATEGORIES", "NOT_MENTIONED", "Locomo"]

CATEGORIES = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}
"""What the file's numbers stand for."""

NOT_MENTIONED = "Not mentioned in the conversation"
"""The gold answer of adversarial questions, which ask for what was never said."""

_FILE = "locomo10.json"
_SESSION = re.compile(r"session_([0-9]+)")
_EVIDENCE = re.compile(r"D:?0*([0-9]+):0*([0-9]+)")
_TIME = "%I:%M %p on %d %B, %Y"  # 1:56 pm on 8 May, 2023


@dataclass(frozen=True, kw_only=True)
class Locomo(Task):
    """Two people's conversations, and what is to be remembered of them.

    Attributes:
        level: Whether a record is a turn or a whole session.
    """

    name: ClassVar[str] = "locomo"
    measures: ClassVar[tuple[Measure, ...]] = ("find", "write", "nats")
    metrics: ClassVar[tuple[str, ...]] = (
        "recall_10",
        "recall_1",
        "recall_5",
        "recall_20",
        "ndcg_10",
        "mrr",
        "token_f1",
        "nats_per_token",
    )
    source: ClassVar[Source] = Source(
        folder="locomo",
        files=(_FILE,),
        home="github.com/snap-research/locomo (data)",
        licence="CC BY-NC 4.0",
    )
    judge: ClassVar[str] = "locomo"
    system: ClassVar[str] = (
        "Answer from what was said, in a short phrase, with the words that were used where "
        "possible. Give dates, not words like yesterday. If it was never said, answer: "
        f"{NOT_MENTIONED}."
    )
    tokens: ClassVar[int] = 32

    level: Literal["turn", "session"] = "turn"

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` conversations; the one before stands in for each."""
        path = self.source.find(self.root, _FILE)
        data = document(path)
        if not isinstance(data, list):
            raise InvalidFile(f"{path} must hold a list of conversations; got {str(data)[:80]!r}")
        return rotated(
            self._person(f"{path}: conversation {number}", sample)
            for number, sample in enumerate(data[:count], start=1)
        )

    def _person(self, where: str, sample: Any) -> tuple[User, tuple[Item, ...]]:
        name = need_text(where, sample, "sample_id")
        talk = need(where, sample, "conversation", dict)
        sessions = _sessions(where, name, talk)
        make = turn_records if self.level == "turn" else session_records
        history = User(name, tuple(make(name, sessions, self.name)))
        if not history.records:
            raise InvalidFile(f"{where}: nobody says anything in {name!r}")
        # Which record holds a turn.
        homes = {
            turn.id: turn.id if self.level == "turn" else session.id
            for session in sessions
            for turn in session.turns
            if turn.text.strip()
        }
        speakers = [need_text(where, talk, key) for key in ("speaker_a", "speaker_b")]
        items = [
            self._item(f"{where}, question {number}", number, asked, history, homes)
            for number, asked in enumerate(need(where, sample, "qa", list), start=1)
        ]
        return history, tuple(
            replace(item, meta={**item.meta, "speakers": speakers})
            for item in spread(items, self.items)
        )

    def _item(
        self, where: str, number: int, asked: Any, history: User, homes: Mapping[str, str]
    ) -> Item:
        category = need(where, asked, "category", int)
        if category not in CATEGORIES:
            raise InvalidFile(f"{where}: 'category' must be 1 to 5; got {category}")
        meta: dict[str, Any] = {"category": category}
        if CATEGORIES[category] == "adversarial":
            meta["adversarial_answer"] = str(need(where, asked, "adversarial_answer", object))
            target = NOT_MENTIONED
        else:
            target = str(need(where, asked, "answer", object))
        evidence = _evidence(history.id, need(where, asked, "evidence", list))
        held = dict.fromkeys(homes[turn] for turn in evidence if turn in homes)
        return Item(
            f"{history.id}:q{number}",
            need_text(where, asked, "question"),
            target=target,
            evidence=tuple(held),
            group=CATEGORIES[category],
            time=history.records[-1].time + SECOND,
            meta=meta,
        )


def _evidence(user: str, names: Sequence[Any]) -> list[str]:
    """Read evidence as it is written: `D1:3`, but also `D8:6; D9:17`, `D:11:26` and `D30:05`."""
    found = [match.groups() for name in names for match in _EVIDENCE.finditer(str(name))]
    return [f"{user}:D{session}:{turn}" for session, turn in found]


def _sessions(where: str, name: str, talk: Mapping[str, Any]) -> list[Session]:
    """Give the sessions there are; the file has dates without any, too."""
    numbers = sorted(int(found[1]) for key in talk if (found := _SESSION.fullmatch(key)))
    sessions = [_session(where, name, talk, number) for number in numbers]
    return sorted(sessions, key=lambda session: session.start)


def _session(where: str, name: str, talk: Mapping[str, Any], number: int) -> Session:
    key = f"session_{number}"
    turns = [
        _turn(f"{where}, {key}, turn {place}", name, turn)
        for place, turn in enumerate(need(where, talk, key, list), start=1)
    ]
    said = need_text(where, talk, f"{key}_date_time")
    try:
        start = datetime.strptime(said, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidFile(f"{where}: {key}_date_time: {error}") from error
    return Session(f"{name}:D{number}", key, start, turns)


def _turn(where: str, name: str, turn: Any) -> Turn:
    place, text = need_text(where, turn, "dia_id"), need(where, turn, "text", str)
    if shared := turn.get("blip_caption"):
        text = f"{text} [shares a photo: {shared}]".strip()
    meta = {"dia_id": place}
    return Turn(f"{name}:{place}", need_text(where, turn, "speaker"), text, meta)
