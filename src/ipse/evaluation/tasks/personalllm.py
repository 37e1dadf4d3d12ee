"""`personalllm`: the best of eight answers, for a SIMULATED person (arXiv 2409.20296).

question  What are some good ways to get into running?
choices   eight answers by eight models
right     the answer with the highest reward
meta      rewards: 0.41, -1.02, … (of the choices, in their order)

NOBODY HERE IS A PERSON. Each is a weighting of the data's ten reward models: weights w from a
Dirichlet distribution, and the reward of an answer is sum_j w_j r_j, with every model's scores r_j
standardized over the train prompts. Results say how well a method finds such a weighting, not how
well it knows anyone.

The history holds prompts drawn from the train file, the best answer over the worst; the questions
are drawn from the test file. With the rewards of what was chosen and of the right choice, both in
`meta`, comes the share of the best reward there was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count as counted
from itertools import islice
from typing import ClassVar

import numpy as np

from ipse.errors import InvalidFile
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated
from ipse.importers.base import nth
from ipse.importers.personalllm import (
    ANSWERS,
    Prompts,
    Taste,
    preferred,
    read_prompts,
    taste,
    texts,
)
from ipse.importers.rows import Rows
from ipse.records import Record, User

__all__ = ["Personalllm"]


@dataclass(frozen=True, kw_only=True)
class Personalllm(Task):
    """Simulated people, who differ in the reward models they agree with.

    Attributes:
        items: How many test prompts each is asked; 0 is all.
        past: How many train prompts are in each history.
        alpha: Of the Dirichlet distribution: near 0 a person follows one reward model, at 1 any
            mixture is as likely, far above 1 all are alike.
        fit: How many more simulated people there are for fitting and tuning.
    """

    name: ClassVar[str] = "personalllm"
    measures: ClassVar[tuple[Measure, ...]] = ("choose",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "likelihood")
    source: ClassVar[Source] = Source(
        folder="personalllm",
        files=("train.jsonl", "test.jsonl"),
        home=(
            "the data set namkoong-lab/PersonalLLM on the Hugging Face hub, whose parquet files "
            "become JSON lines by datasets.load_dataset('namkoong-lab/PersonalLLM', "
            "split='train').to_json('train.jsonl'), and 'test' likewise"
        ),
        licence="CC BY 4.0",
    )

    items: int = 4
    past: int = 10
    alpha: float = 0.05
    fit: int = 20

    def people(self, count: int) -> Iterator[Person]:
        """Give `count` simulated people; the one before stands in for each."""
        return islice(rotated(self._people()), count)

    def population(self) -> Iterator[User]:
        """Give simulated people that are none of those."""
        with Rows.opened(self.source.find(self.root, "train.jsonl")) as rows:
            train = read_prompts(rows)
            for number in range(self.fit):
                chance = np.random.default_rng([self.seed, 1, number])
                own = taste(chance, train, self.alpha)
                yield self._history(f"simulated-fit-{number}", own, chance, train)

    def _people(self) -> Iterator[tuple[User, tuple[Item, ...]]]:
        with (
            Rows.opened(self.source.find(self.root, "train.jsonl")) as known,
            Rows.opened(self.source.find(self.root, "test.jsonl")) as asked,
        ):
            train, test = read_prompts(known), read_prompts(asked)
            if train.models != test.models:
                raise InvalidFile(
                    f"{known.path} has scores of the reward models {', '.join(train.models)}, and "
                    f"{asked.path} of {', '.join(test.models)}"
                )
            for number in counted():
                chance = np.random.default_rng([self.seed, 0, number])
                own = taste(chance, train, self.alpha)
                history = self._history(f"simulated-{number}", own, chance, train)
                drawn = chance.permutation(len(test.places))[: self.items or None]
                items = (
                    _item(history, own, test, place, chance, nth(len(train.places) + turn))
                    for turn, place in enumerate(drawn)
                )
                yield history, tuple(items)

    def _history(self, user: str, own: Taste, chance: np.random.Generator, train: Prompts) -> User:
        told = preferred(user, own, chance, train, self.past)
        return User(user, tuple(Record(**fields) for fields in told))


def _item(
    history: User,
    own: Taste,
    test: Prompts,
    place: int,
    chance: np.random.Generator,
    time: datetime,
) -> Item:
    prompt, answers = texts(test, place)
    order = chance.permutation(ANSWERS)
    rewards = own.rewards(test.scores[place])[order]
    return Item(
        f"{history.id}:{test.places[place].number}",
        prompt,
        choices=tuple(answers[one] for one in order),
        right=int(rewards.argmax()),
        document=str(test.places[place].number),
        time=time,
        meta={"rewards": [round(float(reward), 4) for reward in rewards], "simulated": True},
    )
