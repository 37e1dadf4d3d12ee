"""`prefeval`: does an answer follow what the user prefers, said long before? (arXiv 2502.09597).

said      user: I strictly avoid restaurants that serve foods containing gluten due to a severe …
question  I'll be visiting Rome soon. What are some must-try local restaurants you'd recommend …
choices   Roscioli, a bakery and restaurant known for their fresh pasta.
          Gemma, a cozy gluten-free trattoria serving authentic Roman cuisine.   (right)
          …
group     travel_restaurant

Reads the repository's `benchmark_dataset` as of commit 5079505. The three forms say the same
preferences: in one sentence, by choosing among options, or in passing, in a conversation on
something else. Unrelated conversations follow, then the question. Entries of `mcq_options` go
with entries of the other files by their place. There the first option is always the right one, so
they are shuffled, by a seed of each item's own.

A written answer has no gold answer: a judge reads it beside the preference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal, get_args

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated
from ipse.evaluation.tasks.dialogues import SECOND, Session, Turn, turn_records
from ipse.importers.base import document, nth
from ipse.importers.rows import need, need_text
from ipse.records import User

__all__ = ["TOPICS", "Form", "Prefeval", "Topic"]

Form = Literal["explicit", "choice", "persona"]
"""How a preference is said."""

Topic = Literal[
    "all",
    "education_learning_styles",
    "education_resources",
    "entertain_games",
    "entertain_music_book",
    "entertain_shows",
    "entertain_sports",
    "lifestyle_beauty",
    "lifestyle_dietary",
    "lifestyle_fit",
    "lifestyle_health",
    "pet_ownership",
    "professional_work_location_style",
    "shop_fashion",
    "shop_home",
    "shop_motors",
    "shop_technology",
    "travel_activities",
    "travel_hotel",
    "travel_restaurant",
    "travel_transportation",
]

TOPICS: tuple[str, ...] = get_args(Topic)[1:]

_FOLDERS: dict[Form, str] = {
    "explicit": "explicit_preference",
    "choice": "implicit_preference/choice-based",
    "persona": "implicit_preference/persona-driven",
}
_OPTIONS = "mcq_options"
_FILLER = "filtered_inter_turns.json"

Said = tuple[str, str]
"""Who said what."""


@dataclass(frozen=True, kw_only=True)
class Prefeval(Task):
    """Questions whose usual answer goes against what the user prefers.

    Attributes:
        form: How the preference is said.
        topic: Which topic; people of all topics come in turn.
        turns: How many unrelated exchanges lie between the preference and the question.
    """

    name: ClassVar[str] = "prefeval"
    measures: ClassVar[tuple[Measure, ...]] = ("choose", "write", "find")
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "likelihood", "recall_5")
    source: ClassVar[Source] = Source(
        folder="prefeval",
        # One topic of twenty: the others lie beside it.
        files=(
            _FILLER,
            *(f"{folder}/travel_restaurant.json" for folder in (*_FOLDERS.values(), _OPTIONS)),
        ),
        home="github.com/amazon-science/PrefEval (benchmark_dataset)",
        licence="see its LICENSE",
    )
    judge: ClassVar[str] = "prefeval"
    tokens: ClassVar[int] = 400

    form: Form = "explicit"
    topic: Topic = "all"
    turns: int = 10

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people, one a question; the one before stands in for each."""
        return rotated(islice(self._everyone(), count))

    def _everyone(self) -> Iterator[tuple[User, tuple[Item, ...]]]:
        topics = TOPICS if self.topic == "all" else (self.topic,)
        filler = self._filler()
        # The first of every topic, then the second of every topic.
        for row in chain.from_iterable(zip_longest(*(self._rows(topic) for topic in topics))):
            if row is not None:
                yield self._person(row, filler)

    def _rows(self, topic: str) -> Iterator[_Row]:
        path = self.source.find(self.root, f"{_FOLDERS[self.form]}/{topic}.json")
        entries = _listed(path)
        others = self.source.find(self.root, f"{_OPTIONS}/{topic}.json")
        options = _listed(others)
        if len(entries) != len(options):
            raise InvalidFile(
                f"{path} and {others} must go together; they have {len(entries)} and "
                f"{len(options)} entries"
            )
        for number, (entry, beside) in enumerate(zip(entries, options, strict=True), start=1):
            where = f"{others}: entry {number}"
            choices = need(where, beside, "classification_task_options", list)
            if len(choices) < 2 or not all(isinstance(choice, str) for choice in choices):
                raise InvalidFile(f"{where}: the options must be two texts or more; got {choices}")
            yield _Row(topic, number, f"{path}: entry {number}", entry, choices)

    def _person(self, row: _Row, filler: Sequence[Said]) -> tuple[User, tuple[Item, ...]]:
        name = f"{row.topic}-{row.number}"
        said = _SAID[self.form](row.where, row.entry)
        turns = [
            Turn(f"{name}:{place}", speaker, text, {"turn": place})
            for place, (speaker, text) in enumerate([*said, *filler], start=1)
        ]
        session = Session(name, "conversation", nth(0), turns)
        history = User(name, tuple(turn_records(name, [session], self.name)))
        order = list(range(len(row.options)))
        Random(f"{self.seed}:{name}").shuffle(order)
        preference = need_text(row.where, row.entry, "preference")
        item = Item(
            f"{name}:q",
            need_text(row.where, row.entry, "question"),
            choices=tuple(row.options[place] for place in order),
            right=order.index(0),
            evidence=tuple(f"{name}:{place}" for place in _EVIDENCE[self.form]),
            group=row.topic,
            time=history.records[-1].time + SECOND,
            meta={"preference": preference, "form": self.form, "topic": row.topic},
        )
        return history, (item,)

    def _filler(self) -> list[Said]:
        if not self.turns:
            return []
        path = self.source.find(self.root, _FILLER)
        found = [
            (need_text(where, turn, "role"), need(where, turn, "content", str))
            for number, talk in enumerate(_listed(path), start=1)
            for where in [f"{path}: conversation {number}"]
            for turn in need(where, talk, "conversation", list)
        ]
        if len(found) < 2 * self.turns:
            raise InvalidFile(
                f"{path} has {len(found) // 2} exchanges; turns must be at most that, "
                f"got {self.turns}"
            )
        return found[: 2 * self.turns]


@dataclass(frozen=True)
class _Row:
    """An entry of a topic's file, and the options that go with it."""

    topic: str
    number: int
    where: str
    entry: Any
    options: Sequence[str]


def _explicit(where: str, entry: Any) -> list[Said]:
    return [("user", need_text(where, entry, "preference"))]


def _choice(where: str, entry: Any) -> list[Said]:
    talk = need(where, entry, "conversation", dict)
    return [
        ("user", need_text(where, talk, "query")),
        ("assistant", need_text(where, talk, "assistant_options")),
        ("user", need_text(where, talk, "user_selection")),
        ("assistant", need_text(where, talk, "assistant_acknowledgment")),
    ]


def _persona(where: str, entry: Any) -> list[Said]:
    talk: Mapping[str, Any] = need(where, entry, "conversation", dict)
    return [
        (speaker, need(f"{where}, turn {key}", turn, speaker, str))
        for key, turn in talk.items()
        if turn is not None
        for speaker in ("user", "assistant")
    ]


_SAID: dict[Form, Callable[[str, Any], list[Said]]] = {
    "explicit": _explicit,
    "choice": _choice,
    "persona": _persona,
}

_EVIDENCE: dict[Form, tuple[int, ...]] = {"explicit": (1,), "choice": (3,), "persona": ()}
"""Which turns say the preference; in `persona` the files do not tell."""


def _listed(path: Path) -> list[Any]:
    data = document(path)
    if not isinstance(data, list) or not data:
        raise InvalidFile(f"{path} must hold a list of entries; got {str(data)[:80]!r}")
    return data
