"""`fermi`: a prompt of one's own, improved on what it still gets wrong of the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from ipse.lm import Embed, Reply, Write
from ipse.methods.base import Base, Level, Method, Steps, due
from ipse.methods.prompts import (
    INSTRUCTIONS,
    By,
    Item,
    Scores,
    best_first,
    items_of,
    listed,
    scored,
    under,
)
from ipse.plan import Plan, Sampling
from ipse.records import Use, User
from ipse.retrieval import top
from ipse.state import State
from ipse.text import cut, ends, one_line

__all__ = ["Fermi"]

_START = "Answer as this person would."


@dataclass(frozen=True)
class Fermi(Method):
    """Improve a person's prompt by what its answers get wrong of theirs (FERMI, 2406.18678).

    Attributes:
        by: What scores a prompt: how likely it makes the person's own answers, or the share of
            their choices it makes likelier than what they did not choose.
        proposals: Who thinks of better prompts: the model, or a list that is tried out.
        rounds: How often prompts are improved.
        tries: How many new prompts a round.
        pool: How many of the best prompts the model is shown, and are kept.
        items: How many of the latest answers or choices prompts are scored on.
        cases: How many of those that go most wrong the model is shown.
        near: By how many items nearest to a question its prompt is chosen; 0 is all.
        given: The most words of a question; both its ends are kept.
        limit: The most words of a prompt, and of an answer that is shown.
        gate: Whether prompts are used only if they score better than none.
        refresh: Prompts are improved anew after so many records came or went.
        seed: Of the model's proposals, which are drawn at temperature 1.
    """

    name: ClassVar[str] = "fermi"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "both"
    paper: ClassVar[str] = "2406.18678"
    stores: ClassVar[str] = "a few prompts, a vector an answer"
    trains: ClassVar[bool] = True

    by: By = "own"
    proposals: Literal["model", "list"] = "model"
    rounds: int = 4
    tries: int = 4
    pool: int = 5
    items: int = 16
    cases: int = 3
    near: int = 5
    given: int = 60
    limit: int = 60
    gate: bool = True
    refresh: int = 20
    seed: int = 0

    @property
    def use(self) -> Use:
        """Answers are read and scored; no weights are trained."""
        return "prompt"

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Score, propose, score again, and keep the best."""
        del shared
        items = items_of(user, self.by, self.items, self.given)
        if not items:
            return None
        (generic,) = yield from scored([""], items, self.by)
        kept: dict[str, Scores] = {}
        for number in range(self.rounds + 1):
            new = yield from self._propose(items, kept, number)
            fresh = [prompt for prompt in dict.fromkeys(new) if prompt and prompt not in kept]
            scores = yield from scored(fresh, items, self.by)
            kept |= dict(zip(fresh, scores, strict=True))
        least = generic.mean() if self.gate else -np.inf
        best = [text for text in best_first(kept)[: self.pool] if kept[text].mean() > least]
        vectors = yield Embed(tuple(item.question for item in items))
        told = [{"prompt": text, "score": round(float(kept[text].mean()), 4)} for text in best]
        return State(
            {"prompts": told, "without": round(float(generic.mean()), 4), "records": len(user)},
            {
                "vectors": np.asarray(vectors),
                "scores": np.array([kept[text] for text in best]).reshape(-1, len(items)),
            },
            tuple(dict.fromkeys(name for item in items for name in item.records)),
        )

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the prompts until enough has changed."""
        return self.enroll(user, shared) if due(user, state, self.refresh) else state

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Put the prompt that does best on what is most like the question in front of it."""
        del user
        return plan if state is None or not state.facts["prompts"] else self._choose(plan, state)

    def _choose(self, plan: Plan, state: State) -> Steps[Plan]:
        scores = state.arrays["scores"]  # (prompts, items)
        question = ends(plan.main.question, self.given)
        if self.near and question.strip():
            (vector,) = yield Embed((question,))
            scores = scores[:, top(state.arrays["vectors"] @ vector, self.near)]
        best = int(np.argmax(scores.mean(axis=1)))  # of equals the one that is best overall
        return plan.with_context(state.facts["prompts"][best]["prompt"])

    def _propose(
        self, items: Sequence[Item], kept: dict[str, Scores], number: int
    ) -> Steps[list[str]]:
        """Give the prompts of a round; the first round's need no model."""
        best = best_first(kept)
        if self.proposals == "list":
            if best:
                more = [one for one in best if one in INSTRUCTIONS and one not in best[0]]
                return [f"{best[0]} {one}" for one in more[: self.tries]]
            return listed(items, _START)
        if not best:
            return [_START]
        order = sorted(range(len(items)), key=lambda n: (kept[best[0]][n], -n))
        worst = [items[n] for n in order[: self.cases]]  # of equals the later ones
        said = [item.other for item in worst]
        if self.by == "own":
            asked = (_short(under(best[0], item.question), self.limit, 0.0) for item in worst)
            replies: list[Reply] = yield Write(tuple(asked))
            said = [reply.text for reply in replies]
        text = self._told(best, kept, worst, said)
        plan = _short(Plan.ask(text), self.limit, 1.0)
        seeds = range(self.seed + number * self.tries, self.seed + (number + 1) * self.tries)
        drawn = (replace(plan, sampling=replace(plan.sampling, seed=seed)) for seed in seeds)
        replies = yield Write(tuple(drawn))
        return [cut(one_line(reply.text).strip("\"' "), self.limit) for reply in replies]

    def _told(
        self, best: Sequence[str], kept: dict[str, Scores], worst: Sequence[Item],
        said: Sequence[str],
    ) -> str:  # fmt: skip
        """Write what the model is asked for a better prompt with."""
        cases = [
            f"One person answers: {one_line(cut(item.told, self.limit))}\n"
            f"But the model answered: {one_line(cut(other, self.limit))}\n"
            f"The question was: {one_line(item.question)}"
            for item, other in zip(worst, said, strict=True)
        ]
        shown = [f"{kept[text].mean():.2f}: {text}" for text in best[: self.pool][::-1]]
        return "\n\n".join(
            [
                *cases,
                "These instructions were tried, the best one last:\n" + "\n".join(shown),
                "Write one better instruction, so that the model answers like this person.",
            ]
        )


def _short(plan: Plan, limit: int, temperature: float) -> Plan:
    return replace(plan, sampling=Sampling(max_tokens=2 * limit + 8, temperature=temperature))
