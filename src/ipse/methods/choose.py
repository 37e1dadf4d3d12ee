"""Several answers to one plan become one: the answer that a person's rewards like best.

A plan says how many answers are drawn; methods say how much the person likes each of them. Whoever
runs a plan for a person runs it through `write`, or chooses among what came of it with `choose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ipse.errors import InvalidPlan
from ipse.lm import LM, Progress, Reply
from ipse.methods.compose import Learned, has_a_say
from ipse.methods.steps import finish_all
from ipse.plan import Plan
from ipse.records import User

__all__ = ["Chooser", "choose", "write"]


@dataclass(frozen=True)
class Chooser:
    """Whose rewards choose.

    Attributes:
        user: The person; a method is handed only what they allow it.
        learned: The composition, with what it learned of them.
    """

    user: User
    learned: Sequence[Learned] = ()


def write(
    plans: Sequence[Plan], choosers: Sequence[Chooser], lm: LM, progress: Progress | None = None
) -> list[Reply]:
    """Answer plans, each with the one of its candidates that its person likes best.

    Args:
        plans: The plans.
        choosers: One a plan.
        lm: The model.
        progress: Told how many answers are written, and of how many.

    Returns:
        One reply a plan.
    """
    return choose(plans, lm.generate(plans, progress), choosers, lm)


def choose(
    plans: Sequence[Plan], replies: Sequence[Reply], choosers: Sequence[Chooser], lm: LM
) -> list[Reply]:
    """Choose among the candidates of replies.

    Where several methods have a say, each one's rewards are standardized over the candidates, and
    they are added up. An answer without a word is chosen only where there is no other; of equals,
    the first.

    Args:
        plans: The plans.
        replies: What came of each.
        choosers: Whose rewards choose, one a plan.
        lm: Answers what rewards ask for; of all plans in shared batches.

    Returns:
        The replies, each with the chosen text and with the rewards of its candidates; the very same
        where there is nothing to choose, or nobody to say.

    Raises:
        InvalidPlan: If a method gives another number of rewards than there are candidates.
    """
    asked = [
        (place, item.method.rewards(plan, reply.candidates, user, item.state))
        for place, (plan, reply, chooser) in enumerate(zip(plans, replies, choosers, strict=True))
        if len(reply.candidates) > 1
        for item in chooser.learned
        if has_a_say(item.method)
        for user in [chooser.user.allowing(item.method.use)]
    ]
    said: dict[int, list[NDArray[np.float64]]] = {}
    answers = finish_all([task for _, task in asked], lm)
    for (place, _), rewards in zip(asked, answers, strict=True):
        if rewards is not None:
            said.setdefault(place, []).append(np.asarray(rewards, np.float64))
    return [
        _best(reply, said[place]) if place in said else reply for place, reply in enumerate(replies)
    ]


def _best(reply: Reply, said: Sequence[NDArray[np.float64]]) -> Reply:
    count = len(reply.candidates)
    if strange := [each for each in said if each.shape != (count,) or not np.isfinite(each).all()]:
        raise InvalidPlan(f"{count} candidates need a finite reward each; got {strange[0]}")
    rewards = said[0] if len(said) == 1 else np.sum([_standard(each) for each in said], axis=0)
    empty = np.array([not text.strip() for text in reply.candidates])
    best = int(np.where(empty & ~empty.all(), -np.inf, rewards).argmax())
    return replace(
        reply,
        text=reply.candidates[best],
        finish=reply.finishes[best] if reply.finishes else reply.finish,
        rewards=tuple(rewards.tolist()),
    )


def _standard(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(rewards.std())
    return (rewards - rewards.mean()) / spread if spread > 1e-12 else np.zeros_like(rewards)
