"""`lamp-qa`: an answer that says what this asker wants to know (LaMP-QA, arXiv 2506.00137).

profile   {"id": "81", "category": "cooking", "text": "Why do my scones go flat? I have baked …"}
question  How should I store sourdough starter while I travel?
aspects   {"aspect": "Time away", "evidence": "I am gone for six weeks",
           "reason": "How long it must keep decides how it is kept."}

A file such as `lamp-qa/Society_and_Culture_test.json` is a list of such questions, each of another
person, with the profile, `rubric_aspects` and the `narrative`: the post's body, which the aspects
were drawn from. The model never sees those two; they are in an item's `meta` as `narrative` and
`aspects`, for the judge of the rubric `lamp-qa`: 0 to 2 for each aspect, halved, and averaged
(section 3.2). There is no gold answer, so no score without a judge.

A profile is what the person had asked before (section 3.1); nothing bears a date, so the file's
order stands for time. Profile items that say nothing are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task
from ipse.evaluation.tasks.profiles import first_people, records, view
from ipse.importers.array import entries
from ipse.importers.base import nth
from ipse.importers.rows import need, need_text
from ipse.records import Record, User

__all__ = ["LampQa"]

_ASPECT = ("aspect", "reason", "evidence")


@dataclass(frozen=True, kw_only=True)
class LampQa(Task):
    """Questions of a forum, with what each asker hoped to read.

    Attributes:
        category: Which of the three files.
        part: Which part is asked.
    """

    name: ClassVar[str] = "lamp-qa"
    measures: ClassVar[tuple[Measure, ...]] = ("write",)
    metrics: ClassVar[tuple[str, ...]] = ()
    judge: ClassVar[str] = "lamp-qa"
    tokens: ClassVar[int] = 512

    category: Literal[
        "Art_and_Entertainment", "Lifestyle_and_Personal_Development", "Society_and_Culture"
    ] = "Lifestyle_and_Personal_Development"
    part: Literal["test", "validation", "train"] = "test"

    @property
    def source(self) -> Source:
        """The file of this category and part."""
        return Source(
            folder="lamp-qa",
            files=(f"{self.category}_{self.part}.json",),
            home="huggingface.co/datasets/alireza7/LaMP-QA by utils/download_datasets.py of "
            "github.com/LaMP-Benchmark/LaMP-QA",
            licence="for research, see there; posts of StackExchange, CC BY-SA",
        )

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people of the file; there are no others to learn from."""
        return first_people(self._asked(), count, self.items)

    def _asked(self) -> Iterator[tuple[User, Item]]:
        path = self.source.find(self.root, self.source.files[0])
        for number, entry in enumerate(entries(path), 1):
            where = f"{path}: question {number}"
            name = need_text(where, entry, "id")
            profile = need(where, entry, "profile", list)
            posts = records(where, profile, "text", partial(_record, name))
            yield view(name, posts), _item(where, name, entry)


def _item(where: str, name: str, entry: dict[str, Any]) -> Item:
    aspects = need(where, entry, "rubric_aspects", list)
    if not aspects:
        raise InvalidFile(f"{where}: 'rubric_aspects' is empty, so an answer cannot be judged")
    for place, aspect in enumerate(aspects, 1):
        need_text(f"{where}: aspect {place}", aspect, "aspect")
    return Item(
        name,
        need_text(where, entry, "question"),
        group=str(entry.get("category") or ""),
        meta={
            "narrative": need(where, entry, "narrative", str),
            "aspects": [{k: aspect[k] for k in _ASPECT if k in aspect} for aspect in aspects],
        },
    )


def _record(user: str, place: int, post: dict[str, Any]) -> Record:
    return Record(
        user=user,
        kind="content",
        output=str(post["text"]),
        time=nth(place),
        source="lamp-qa",
        meta={"profile_id": post.get("id"), "category": post.get("category")},
    )
