"""Answers that a model writes, ranked by objectives, and adapters that learn from the ranking.

From prompts that people share the model writes several answers; rewards rank them, and one adapter
an objective learns to prefer the best to the worst. This file knows no method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Job, Lora, Loss, Schedule, Trained
from ipse.lm import Reply, Train, Write
from ipse.methods.base import Steps
from ipse.methods.examples import modules, others, records_of
from ipse.methods.objectives import Scale
from ipse.methods.pairs import Answer
from ipse.plan import Plan, Sampling
from ipse.records import User
from ipse.spec import read_settings
from ipse.state import State

__all__ = ["Drawn", "Recipe", "draw", "kept", "learned", "ranked", "taught_each", "written_to"]


@dataclass(frozen=True)
class Recipe:
    """How answers are drawn and ranked, and how an adapter learns from them.

    Attributes:
        people: From how many people prompts are taken: the first who share what they wrote.
        prompts: How many prompts of each: the latest.
        answers: How many answers the model writes to each.
        tokens: The longest, in tokens.
        temperature: How freely they are drawn.
        given: The most words of a prompt; both its ends are kept.
        pairs: How many pairs of each prompt: the best and the worst answer, then the next.
        rank: The adapters' rank.
        alpha: Their scale, before it is divided by the rank.
        modules: What they change in every layer: some of q, k, v, o, gate, up and down.
        rate: The highest learning rate.
        epochs: How often each pair is learned from.
        batch: Pairs an update.
        clip: The longest gradient; 0 is any.
        beta: How dear it is to leave the model, as in DPO.
        seed: Of what is drawn, of the order and of what training begins with.
    """

    people: int = 12
    prompts: int = 4
    answers: int = 6
    tokens: int = 40
    temperature: float = 1.0
    given: int = 60
    pairs: int = 2
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q k v o"
    rate: float = 5e-4
    epochs: int = 2
    batch: int = 8
    clip: float = 1.0
    beta: float = 0.1
    seed: int = 0

    @classmethod
    def read(cls, text: str) -> Recipe:
        """Read a setting such as `people=50;rate=0.0001`: what differs, parted by semicolons."""
        return cls(**read_settings(cls, "recipe", text.replace(";", ",")))

    def job(self, examples: Sequence[Example], loss: Loss, start: str = "") -> Job:
        """Give the job that learns one adapter."""
        return Job(
            Lora(self.rank, self.alpha, modules(self.modules)),
            tuple(examples),
            start=start,
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
            loss=loss,
        )


@dataclass(frozen=True, eq=False)
class Drawn:
    """A prompt, and answers to it.

    Attributes:
        answer: The prompt as a plan, and what the person wrote.
        texts: Different answers: what the model wrote, then what the person did.
        rewards: Of each, (texts, objectives).
    """

    answer: Answer
    texts: tuple[str, ...]
    rewards: NDArray[np.float64]


def draw(
    people: Iterable[User], objectives: Sequence[str], recipe: Recipe
) -> Steps[tuple[list[Drawn], Scale] | None]:
    """Let the model answer prompts that people share, each several times, and reward the answers.

    Args:
        people: Views that hold only what their owners allow to be shared.
        objectives: As `names` gives them.
        recipe: How.

    Returns:
        The answers, and the scale of their rewards; None where nobody shares any.
    """
    found = others(people, recipe.people, recipe.prompts, recipe.given)
    asked = [answer for own in found.values() for answer in own]
    if not asked:
        return None
    written = yield from written_to([answer.plan for answer in asked], recipe)
    questions = [answer.plan.main.question for answer in asked]
    told = [(q, text) for q, texts in zip(questions, written, strict=True) for text in texts]
    own = [answer.text for answer in asked]
    scale = Scale.of(objectives, [q for q, _ in told], [t for _, t in told], questions, own)
    drawn = []
    for answer, question, texts in zip(asked, questions, written, strict=True):
        every = tuple(dict.fromkeys((*texts, answer.text)))
        drawn.append(Drawn(answer, every, scale.rewards([question] * len(every), every)))
    return drawn, scale


def written_to(
    plans: Sequence[Plan], recipe: Recipe, round_number: int = 0
) -> Steps[list[tuple[str, ...]]]:
    """Let the model write several answers to each plan; a round's are unlike another's."""
    seed = recipe.seed + round_number * recipe.answers
    sampling = Sampling(max(1, recipe.tokens), recipe.temperature, seed=seed)
    asked = [replace(p, sampling=sampling, candidates=max(1, recipe.answers)) for p in plans]
    replies: list[Reply] = yield Write(tuple(asked))
    drawn = [reply.candidates or (reply.text,) for reply in replies]
    return [tuple(text.strip() for text in texts if text.strip()) for texts in drawn]


def ranked(drawn: Drawn, rewards: NDArray[np.float64], count: int) -> list[tuple[int, int]]:
    """Give pairs of places in `texts`: the best and the worst, the next best and worst, ...

    Args:
        drawn: The answers.
        rewards: What they are ranked by, (texts,).
        count: How many pairs at most.

    Returns:
        The pairs, of unlike rewards.
    """
    order = [int(i) for i in np.argsort(-rewards, kind="stable")]
    both = zip(order, reversed(order), strict=True)
    within = islice(both, min(count, len(drawn.texts) // 2))
    return [(best, worst) for best, worst in within if rewards[best] > rewards[worst]]


def learned(
    people: Iterable[User], objectives: Sequence[str], recipe: Recipe
) -> Steps[State | None]:
    """Let one adapter an objective learn to prefer the best answers to the worst, by DPO.

    Args:
        people: Views that hold only what their owners allow to be shared.
        objectives: As `names` gives them.
        recipe: How.

    Returns:
        A state whose arrays are `<objective>/<array>`, so that a plan names an adapter
        `<content hash>/<objective>`, and whose facts `Scale.of_facts` reads; None where nobody
        shares anything, or no answer is better than another.
    """
    found = yield from draw(people, objectives, recipe)
    if found is None:
        return None
    drawn, scale = found
    jobs = []
    for column in range(len(objectives)):
        examples = [
            Example(each.answer.plan.main, each.texts[best], rejected=each.texts[worst])
            for each in drawn
            for best, worst in ranked(each, each.rewards[:, column], recipe.pairs)
        ]
        if not examples:
            return None
        jobs.append(recipe.job(examples, Loss("dpo", beta=recipe.beta)))
    return (yield from taught_each(dict(zip(objectives, jobs, strict=True)), drawn, scale))


def taught_each(
    jobs: Mapping[str, Job], drawn: Sequence[Drawn], scale: Scale, **facts: Any
) -> Steps[State]:
    """Let jobs be carried out side by side, and keep what they taught, part by part.

    Args:
        jobs: The jobs, by the name of what each is of.
        drawn: What they learn from: its records are the lineage.
        scale: Of the rewards.
        **facts: What else is to be known.

    Returns:
        A state whose arrays are `<name>/<array>`.
    """
    trained: list[Trained] = yield Train(tuple(jobs.values()))
    return kept(dict(zip(jobs, trained, strict=True)), drawn, scale, **facts)


def kept(
    trained: Mapping[str, Trained], drawn: Sequence[Drawn], scale: Scale, **facts: Any
) -> State:
    """Give what was learned as a state, part by part, as `taught_each` does."""
    arrays: dict[str, NDArray[np.generic]] = {}
    went = {}
    for part, each in trained.items():
        arrays |= {f"{part}/{name}": array for name, array in each.arrays.items()}
        went[part] = {name: value for name, value in each.facts.items() if name != "seconds"}
    told = {**scale.to_facts(), **facts, "training": went}
    return State(told, arrays, records_of(each.answer for each in drawn))
