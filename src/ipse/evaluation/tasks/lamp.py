"""`lamp-1` ... `lamp-7`: the benchmark of personalized generation (LaMP, arXiv 2304.11406).

profile   {"id": "1100", "title": "How to Run a Half Marathon", "text": "Training for a …"}
          {"id": "1101", "title": "The Case for Cold Water", "text": "Every morning at six …"}
question  Generate a headline for the following article: Most people who swim in winter …
target    Winter Swimming, and Why You Might Like It

The files lie below the data folder as they do on the server that the download page links to:

    lamp/LaMP_4/dev/dev_questions.json         split by user, and dev_outputs.json beside it
    lamp/time/LaMP_4/dev/dev_questions.json    split by time
    lamp/LaMP_2/new/dev/dev_questions.json     `lamp-2`: movie tags, the LaMP-2 of today
    lamp/LaMP_2/dev/dev_questions.json         `lamp-2n`: news categories, the LaMP-2 of 2023

Questions are asked word for word, so the method `lamp` can work records into them. A profile is
the person's past as the benchmark cuts it; where a question bears a date, what is not older goes.
Profile items that say nothing are left out. The test part has no public answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task
from ipse.evaluation.tasks.profiles import distinct, first_people, sound, view
from ipse.importers.lamp import TASKS, Question, read_questions
from ipse.records import User

__all__ = ["Lamp"]

_FOLDERS = {"2": "LaMP_2/new", "2n": "LaMP_2"}

_LABELLED = ("label_accuracy", "macro_f1", "accuracy")
_WRITTEN = ("rouge_1", "rouge_l", "nats_per_token")
_METRICS = {"1": _LABELLED, "2": _LABELLED, "2n": _LABELLED, "3": ("mae", "rmse", "accuracy")}


@dataclass(frozen=True, kw_only=True)
class Lamp(Task):
    """One of LaMP's tasks: citations, tags, ratings, headlines, titles, subjects or tweets.

    Attributes:
        number: Which task; 2 is movie tagging and 2n news categorization.
        split: Whether train and dev share no people, or no time.
        part: Which part is asked.
    """

    name: ClassVar[str] = "lamp"

    number: Literal["1", "2", "2n", "3", "4", "5", "6", "7"] = "4"
    split: Literal["user", "time"] = "user"
    part: Literal["dev", "train"] = "dev"

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Choose and write a label, or judge and write a text."""
        return ("choose", "write") if self._labels else ("nats", "write")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The official scores, then those of a likelihood."""
        return _METRICS.get(self.number, _WRITTEN)

    @property
    def tokens(self) -> int:
        """As in the official script, which cuts a text at 128 tokens; a label needs few."""
        return 16 if self._labels else 128

    @property
    def source(self) -> Source:
        """The two files of this task, split and part."""
        time = "time/" if self.split == "time" else ""
        folder = f"{time}{_FOLDERS.get(self.number, f'LaMP_{self.number}')}/{self.part}"
        return Source(
            folder="lamp",
            files=tuple(f"{folder}/{self.part}_{what}.json" for what in ("questions", "outputs")),
            home="lamp-benchmark.github.io/download",
            licence="CC BY-NC-SA 4.0; LaMP-6 is made of the Avocado corpus, LDC2015T03",
        )

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people of the question file, with the golds."""
        return first_people(self._asked(), count, self.items)

    def population(self) -> Iterator[User]:
        """Give the people of the train part, if they are others: of a split by user, for dev."""
        if self.split == "time" or self.part == "train":
            return iter(())
        train = replace(self, part="train")
        return distinct(_view(question) for question in train._questions(golds=False))

    @property
    def _task(self) -> str:
        return f"lamp-{self.number}"

    @property
    def _labels(self) -> tuple[str, ...]:
        return TASKS[self._task].labels

    def _asked(self) -> Iterator[tuple[User, Item]]:
        for question in self._questions(golds=True):
            yield _view(question), self._item(question)

    def _questions(self, golds: bool) -> Iterator[Question]:
        questions, outputs = self.source.files
        path = self.source.find(self.root, questions)
        answers = self.source.find(self.root, outputs) if golds else None
        yield from sound(read_questions(path, self._task, answers, blanks=False))

    def _item(self, question: Question) -> Item:
        target = (question.output or "").strip()  # the official script strips both sides
        if not target:
            raise InvalidFile(
                f"{self.source.files[1]} has no answer to the question {question.id!r} of "
                f"{self.source.files[0]}"
            )
        if self._labels and target not in self._labels:
            raise InvalidFile(
                f"{self.source.files[1]}: the answer to {question.id!r} is {target!r}, which is "
                f"no label of {self._task}: {', '.join(self._labels)}"
            )
        return Item(
            question.id,
            question.input,
            target=target,
            choices=self._labels,
            right=self._labels.index(target) if self._labels else -1,
            time=question.time,
        )


def _view(question: Question) -> User:
    return view(question.user, question.profile, question.time)
