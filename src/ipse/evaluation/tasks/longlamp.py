"""`longlamp`: an abstract, a review or a post at full length (LongLaMP, arXiv 2407.11016).

profile   {"id": "53e9", "title": "Dense codes", "abstract": "Codes are …", "year": 2009}
question  Generate an abstract for the title "Sparse codes" using the following items: 1. …
target    We study codes that …

is a line of `longlamp/abstract_generation_user/test.jsonl`: the question is its `input`, the target
its `output`, and `name` says whose they are. `product_review` and `topic_writing` have other fields
in their profiles. The benchmark is published as Parquet files, which `datasets` writes as such
lines; its fourth kind, e-mails, is not public.

A profile is the person's past as the benchmark cuts it: questions bear no date, so there is
nothing to check it by. Papers have years, everything else stands in the file's order. Records are
cut to their first 750 words, as in the official prompts; questions and targets are whole. Profile
items that say nothing are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

from ipse.evaluation.task import Item, Measure, Person, Source, Task
from ipse.evaluation.tasks.profiles import distinct, first_people, records, sound, view
from ipse.importers.base import moment, nth, objects
from ipse.importers.rows import need, need_text
from ipse.records import Record, User
from ipse.text import cut

__all__ = ["Longlamp"]


@dataclass(frozen=True)
class _Fields:
    """The fields of one kind of file.

    Attributes:
        user: Who is asked, in a line.
        output: What the person wrote, in an item of the profile.
        inputs: What that answered to.
    """

    user: str
    output: str
    inputs: tuple[str, ...]


_FIELDS = {
    "abstract_generation": _Fields("name", "abstract", ("title",)),
    "product_review": _Fields("reviewerId", "reviewText", ("overall", "summary", "description")),
    "topic_writing": _Fields("author", "content", ("summary",)),
}


@dataclass(frozen=True, kw_only=True)
class Longlamp(Task):
    """Long texts, each by a person of whom others are known.

    Attributes:
        kind: What is written.
        split: Whether train, val and test share no people, or no time.
        part: Which part is asked.
        words: The most words of each side of a record.
    """

    name: ClassVar[str] = "longlamp"
    measures: ClassVar[tuple[Measure, ...]] = ("nats", "write")
    metrics: ClassVar[tuple[str, ...]] = ("rouge_1", "rouge_l", "meteor", "nats_per_token")
    tokens: ClassVar[int] = 512

    kind: Literal["abstract_generation", "product_review", "topic_writing"] = "abstract_generation"
    split: Literal["user", "temporal"] = "user"
    part: Literal["test", "val", "train"] = "test"
    words: int = 750

    @property
    def source(self) -> Source:
        """The file of this kind, split and part, and how to make it."""
        config = f"{self.kind}_{self.split}"
        return Source(
            folder="longlamp",
            files=(f"{config}/{self.part}.jsonl",),
            home="huggingface.co/datasets/LongLaMP/LongLaMP by load_dataset('LongLaMP/LongLaMP', "
            f"'{config}', split='{self.part}').to_json('{self.part}.jsonl')",
            licence="for research, see there",
        )

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people of the file."""
        return first_people(self._asked(), count, self.items)

    def population(self) -> Iterator[User]:
        """Give the people of the train part, if they are others: of a split by user."""
        if self.split == "temporal" or self.part == "train":
            return iter(())
        return distinct(user for user, _ in replace(self, part="train")._asked())

    def _asked(self) -> Iterator[tuple[User, Item]]:
        path = self.source.find(self.root, self.source.files[0])
        for number, line in sound(objects(path)):
            where = f"{path}:{number}"
            user = need_text(where, line, _FIELDS[self.kind].user)
            question, target = (need_text(where, line, name) for name in ("input", "output"))
            profile = need(where, line, "profile", list)
            make = partial(self._record, user)
            written = records(where, profile, _FIELDS[self.kind].output, make)
            yield view(user, written), Item(f"{self.part}-{number}", question, target=target)

    def _record(self, user: str, place: int, item: dict[str, Any]) -> Record:
        fields = _FIELDS[self.kind]
        given = (str(item[name]) for name in fields.inputs if item.get(name))
        return Record(
            user=user,
            kind="content",
            input=cut("\n".join(given), self.words),
            output=cut(str(item[fields.output]), self.words),
            time=nth(place) if item.get("year") is None else moment(item["year"]),
            source="longlamp",
            meta={"profile_id": item.get("id")},
        )
