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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from itertools import count as counted
from math import isfinite
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.errors import InvalidFile, UsageError
from ipse.evaluation.task import Item, Measure, Person, Source, Task, rotated
from ipse.evaluation.tasks.dialogues import need, need_text
from ipse.evaluation.tasks.rows import Place, Rows
from ipse.importers.base import nth
from ipse.records import USES, Record, User

__all__ = ["Personalllm"]

_ANSWERS = 8
_FIRST = "response_1_"


@dataclass(frozen=True)
class _Prompts:
    """One file: where its prompts are, and every reward model's score of every answer."""

    rows: Rows
    places: tuple[Place, ...]
    models: tuple[str, ...]
    scores: NDArray[np.float64]  # (prompts, answers, models)


@dataclass(frozen=True)
class _Taste:
    """What a simulated person goes by: a weight for each reward model, standardized."""

    mean: NDArray[np.float64]  # (models,)
    weights: NDArray[np.float64]  # (models,)

    def rewards(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reward one prompt's answers: (answers, models) to (answers,)."""
        return (scores - self.mean) @ self.weights


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
            train = _read(rows)
            for number in range(self.fit):
                chance = np.random.default_rng([self.seed, 1, number])
                taste = self._taste(chance, train)
                yield self._history(f"simulated-fit-{number}", taste, chance, train)

    def _people(self) -> Iterator[tuple[User, tuple[Item, ...]]]:
        with (
            Rows.opened(self.source.find(self.root, "train.jsonl")) as known,
            Rows.opened(self.source.find(self.root, "test.jsonl")) as asked,
        ):
            train, test = _read(known), _read(asked)
            if train.models != test.models:
                raise InvalidFile(
                    f"{known.path} has scores of the reward models {', '.join(train.models)}, and "
                    f"{asked.path} of {', '.join(test.models)}"
                )
            for number in counted():
                chance = np.random.default_rng([self.seed, 0, number])
                taste = self._taste(chance, train)
                history = self._history(f"simulated-{number}", taste, chance, train)
                drawn = chance.permutation(len(test.places))[: self.items or None]
                items = (
                    _item(history, taste, test, place, chance, nth(len(train.places) + turn))
                    for turn, place in enumerate(drawn)
                )
                yield history, tuple(items)

    def _taste(self, chance: np.random.Generator, train: _Prompts) -> _Taste:
        if self.alpha <= 0:
            raise UsageError(f"alpha of {self.name!r} must be above 0; got {self.alpha}")
        scores = train.scores
        wide = scores.std(axis=(0, 1))
        weights = chance.dirichlet([self.alpha] * len(train.models))
        return _Taste(scores.mean(axis=(0, 1)), weights / np.where(wide > 0, wide, 1))

    def _history(
        self, user: str, taste: _Taste, chance: np.random.Generator, train: _Prompts
    ) -> User:
        records = []
        for number, place in enumerate(chance.permutation(len(train.places))[: self.past]):
            prompt, answers = _texts(train, place)
            rewards = taste.rewards(train.scores[place])
            best, worst = answers[rewards.argmax()], answers[rewards.argmin()]
            if best == worst:
                continue
            records.append(
                Record(
                    user=user,
                    kind="preference",
                    input=prompt,
                    output=best,
                    rejected=worst,
                    time=nth(number),
                    source="personalllm",
                    uses=frozenset(USES),
                )
            )
        return User(user, tuple(records))


def _item(
    history: User,
    taste: _Taste,
    test: _Prompts,
    place: int,
    chance: np.random.Generator,
    time: datetime,
) -> Item:
    prompt, answers = _texts(test, place)
    order = chance.permutation(_ANSWERS)
    rewards = taste.rewards(test.scores[place])[order]
    return Item(
        f"{history.id}:{test.places[place].number}",
        prompt,
        choices=tuple(answers[one] for one in order),
        right=int(rewards.argmax()),
        document=str(test.places[place].number),
        time=time,
        meta={"rewards": [round(float(reward), 4) for reward in rewards], "simulated": True},
    )


def _read(rows: Rows) -> _Prompts:
    """Read all scores, and where the texts are."""
    places: list[Place] = []
    scores: list[list[list[float]]] = []
    models: tuple[str, ...] = ()
    for place, row in rows.scan():
        if not places:
            scored = (name for name, value in row.items() if _number(value))
            models = tuple(sorted(n.removeprefix(_FIRST) for n in scored if n.startswith(_FIRST)))
        places.append(place)
        scores.append(_scores(rows.where(place), row, models))
    if not models:
        raise InvalidFile(f"{rows.path} has no row with scores such as '{_FIRST}gemma_2b'")
    return _Prompts(rows, tuple(places), models, np.array(scores))


def _scores(where: str, row: Mapping[str, Any], models: Sequence[str]) -> list[list[float]]:
    names = [[f"response_{n}_{model}" for model in models] for n in range(1, _ANSWERS + 1)]
    for name in chain(*names):
        if not _number(need(where, row, name, object)):
            raise InvalidFile(f"{where}: {name!r} must be a number; got {row[name]!r}")
    return [[float(row[name]) for name in answer] for answer in names]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _texts(prompts: _Prompts, place: int) -> tuple[str, list[str]]:
    at = prompts.places[place]
    where, row = prompts.rows.where(at), prompts.rows.at(at)
    answers = [need_text(where, row, f"response_{n}") for n in range(1, _ANSWERS + 1)]
    return need_text(where, row, "prompt"), answers
