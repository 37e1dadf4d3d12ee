"""What to ask a person next: two answers of which they say which they like better.

What they say comes back as any choice does: a preference, of the one over the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipse.errors import UsageError
from ipse.lm import LM
from ipse.methods import Method, finish
from ipse.methods.base import Steps
from ipse.methods.low_rank_reward import LowRankReward
from ipse.preferences import pairs
from ipse.records import User
from ipse.rewards import Asking, Belief, ask
from ipse.state import SavedState, State

__all__ = ["NextQuestion", "asker", "next_question"]


@dataclass(frozen=True)
class NextQuestion:
    """Two answers to ask a person about, and what is left to gain by asking.

    Attributes:
        question: What they answer.
        first: The one that the person is thought to like better.
        second: The other.
        unsure: The standard deviation of how much better it is liked, in logits.
        best: The answer of all that is thought to be liked best.
        regret: By how much another could turn out to be liked better than that, in logits.
        settled: Whether that is so little that nothing more need be asked.
    """

    question: str
    first: str
    second: str
    unsure: float
    best: str
    regret: float
    settled: bool


def asker(methods: Sequence[Method]) -> LowRankReward:
    """Give the method of a composition that says how unsure it is; as it comes, if it has none."""
    found = (method for method in methods if isinstance(method, LowRankReward))
    return next(found, LowRankReward())


def next_question(
    method: LowRankReward,
    everyones: SavedState | None,
    state: State | None,
    user: User,
    question: str,
    texts: Sequence[str],
    lm: LM,
    *,
    by: Asking = "uncertainty",
    enough: float = 0.5,
    seed: int = 0,
) -> NextQuestion:
    """Choose what to ask.

    Args:
        method: Whose reward it is.
        everyones: What it learned of everyone; None where it did not yet.
        state: What it learned of the person; None where there is nothing yet.
        user: The person.
        question: What the answers are to.
        texts: The answers; the same one twice counts once.
        lm: Answers what the method asks for.
        by: How the pair is chosen.
        enough: The regret, in logits, below which it is settled.
        seed: Of what is drawn.

    Returns:
        The pair.

    Raises:
        UsageError: If there are fewer than two different answers, or nothing was learned of
            everyone.
    """
    shared = everyones.state.artifact if everyones else None
    if shared is None:
        raise UsageError(
            "nothing was learned of everyone, so nothing says how people differ. "
            f"Run: ipse enroll --fit --method {method.name}"
        )
    different = list(dict.fromkeys(text for text in texts if text.strip()))
    if len(different) < 2:
        raise UsageError(f"a question is about two different answers; got {len(different)}")
    steps: Belief | Steps[Belief] = method.belief(question, different, state, shared)
    belief = finish(steps, lm)
    places = {text: place for place, text in enumerate(different)}
    told = [
        (places[pair.chosen], places[pair.rejected])
        for pair in pairs(user)
        if pair.prompt == question and {pair.chosen, pair.rejected} <= places.keys()
    ]
    found = ask(belief, told, by, seed)
    first, second, best = (different[n] for n in (found.first, found.second, found.best))
    settled = found.regret < enough
    return NextQuestion(question, first, second, found.unsure, best, found.regret, settled)
