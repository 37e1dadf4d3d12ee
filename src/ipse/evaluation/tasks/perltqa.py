"""`perltqa`: questions on the lives of made-up people (arXiv 2402.16288).

event     1_0_0  Wang Xiaoming and his sister Wang Xiaohong decided to explore the Grand Canyon …
question  What themes does Zhang Xiaohong believe Nietzsche explores in 'Thus Spoke Zarathustra'?
target    Zhang Xiaohong believes that Nietzsche explores themes of individual freedom, …
evidence  4_3_1#6, a dialogue
group     dialogues

Reads the English files of `Dataset/en_v2` as of commit 67f8351. The memory holds people's profile,
relationships, events and dialogues under ids; a question names the id that answers it. A dialogue
is one record, since nothing finer is named. `profile_description` tells the profile once more and
is left out. Dates are loose ("during an election"), so the order of the file stands for time;
dialogues begin with theirs. Questions come after all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated, spread
from ipse.evaluation.tasks.dialogues import SECOND
from ipse.importers.base import document, nth
from ipse.importers.rows import need, need_text
from ipse.records import Kind, Record, User

__all__ = ["Perltqa"]

_MEMORY = "perltmem_en_v2.json"
_QUESTIONS = "perltqa_en_v2.json"
_QUOTED = re.compile(r"'([^']+)'")
"""Reference memories are written ['1_0_0']; of a profile, by the bare name of the attribute."""


@dataclass(frozen=True, kw_only=True)
class Perltqa(Task):
    """What a person is, whom they know, what happened to them and what they talked about."""

    name: ClassVar[str] = "perltqa"
    measures: ClassVar[tuple[Measure, ...]] = ("find", "write", "nats")
    metrics: ClassVar[tuple[str, ...]] = (
        "recall_5",
        "recall_1",
        "recall_10",
        "ndcg_10",
        "mrr",
        "token_f1",
        "nats_per_token",
    )
    source: ClassVar[Source] = Source(
        folder="perltqa",
        files=(_MEMORY, _QUESTIONS),
        home="github.com/Elvin-Yiming-Du/PerLTQA (Dataset/en_v2)",
        licence="CC BY-NC 4.0",
    )
    system: ClassVar[str] = "Answer from what is known of the person, in one sentence."

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people; the one before stands in for each."""
        return rotated(islice(self._everyone(), count))

    def _everyone(self) -> Iterator[tuple[User, tuple[Item, ...]]]:
        memory, asked = (self.source.find(self.root, name) for name in (_MEMORY, _QUESTIONS))
        lives, entries = document(memory), document(asked)
        if not isinstance(lives, dict):
            raise InvalidFile(f"{memory} must hold people by name; got {str(lives)[:80]!r}")
        if not isinstance(entries, list):
            raise InvalidFile(f"{asked} must hold a list of people; got {str(entries)[:80]!r}")
        for number, entry in enumerate(entries, start=1):
            where = f"{asked}: entry {number}"
            if not isinstance(entry, dict):
                raise InvalidFile(f"{where} must hold a person's questions by their name")
            for name, sections in entry.items():
                life = need(str(memory), lives, name, dict)
                history = User(name, tuple(_records(f"{memory}: {name!r}", name, life)))
                items = tuple(_items(f"{where}, {name!r}", sections, history))
                yield history, spread(items, self.items)


@dataclass(frozen=True)
class _Memory:
    """One thing that is remembered, under the id questions name it by."""

    id: str
    kind: Kind
    input: str
    output: str
    section: str
    date: str = ""


def _records(where: str, name: str, life: Mapping[str, Any]) -> Iterator[Record]:
    memories = [
        *_profile(need(where, life, "profile", dict)),
        *_relationships(where, need(where, life, "social_relationship", dict)),
        *_events(where, need(where, life, "events", dict)),
        *_dialogues(where, need(where, life, "dialogues", dict)),
    ]
    for place, memory in enumerate(memory for memory in memories if memory.output.strip()):
        yield Record(
            user=name,
            kind=memory.kind,
            input=memory.input,
            output=memory.output,
            time=nth(place),
            source="perltqa",
            meta={"section": memory.section, "date": memory.date},
            id=f"{name}:{memory.id}",
        )


def _profile(profile: Mapping[str, Any]) -> Iterator[_Memory]:
    for attribute, value in profile.items():
        if value is not None:
            yield _Memory(attribute, "profile", attribute, str(value), "profile")


def _relationships(where: str, found: Mapping[str, Any]) -> Iterator[_Memory]:
    for key, relation in found.items():
        at = f"{where}, social_relationship {key!r}"
        who, what = (
            need(at, relation, part, str) for part in ("Supporting Characters", "Description")
        )
        kind = need(at, relation, "Relationship", str)
        yield _Memory(key, "profile", kind, f"{who}: {what}", "social_relationship")


def _events(where: str, found: Mapping[str, Any]) -> Iterator[_Memory]:
    for key, event in found.items():
        at = f"{where}, event {key!r}"
        content, summary = (need(at, event, part, str) for part in ("content", "summary"))
        date = str(event.get("Creation Time") or "")
        yield _Memory(key, "content", summary, content, "events", date)


def _dialogues(where: str, found: Mapping[str, Any]) -> Iterator[_Memory]:
    for key, dialogue in found.items():
        at = f"{where}, dialogue {key!r}"
        contents = need(at, dialogue, "contents", dict)
        said = [
            line for date in contents for line in (date, *map(str, need(at, contents, date, list)))
        ]
        yield _Memory(key, "dialogue", "", "\n".join(said), "dialogues", next(iter(contents), ""))


def _items(where: str, sections: Any, history: User) -> Iterator[Item]:
    asked = [
        *(("profile", question) for question in need(where, sections, "profile", list)),
        *_nested(where, sections, "social_relationship"),
        *_nested(where, sections, "events"),
        *_nested(where, sections, "dialogues"),
    ]
    for number, (section, question) in enumerate(asked, start=1):
        at = f"{where}, question {number}"
        reference = str(need(at, question, "Reference Memory", object)).strip()
        named = _QUOTED.findall(reference) or [reference]
        evidence = dict.fromkeys(f"{history.id}:{memory}" for memory in named)
        yield Item(
            f"{history.id}:q{number}",
            need_text(at, question, "Question"),
            target=str(need(at, question, "Answer", object)),
            evidence=tuple(record for record in evidence if history.holds([record])),
            group=section,
            time=history.records[-1].time + SECOND if history.records else None,
            meta={"anchors": _anchors(at, question)},
        )


def _nested(where: str, sections: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Give the questions of a section, where they lie in lists under the ids they are about."""
    for group in need(where, sections, name, list):
        if not isinstance(group, dict):
            raise InvalidFile(f"{where}: {name!r} must hold questions by id; got {str(group)[:80]}")
        for key in group:
            for question in need(f"{where}, {name}", group, key, list):
                yield name, question


def _anchors(where: str, question: Any) -> list[str]:
    """Give the words in the memory that the answer hangs on; there may be none."""
    anchors = question.get("Memory Anchors", [])
    if not isinstance(anchors, list) or not all(isinstance(anchor, dict) for anchor in anchors):
        raise InvalidFile(f"{where}: 'Memory Anchors' must be a list of objects; got {anchors}")
    return [words for anchor in anchors for words in anchor]
