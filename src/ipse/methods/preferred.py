"""What a person prefers to what, also where they never said it outright."""

from __future__ import annotations

from ipse.lm import Reply, Write
from ipse.methods.base import Steps
from ipse.methods.pairs import answers
from ipse.preferences import Pair, pairs
from ipse.records import User
from ipse.text import ends

__all__ = ["preferred"]


def preferred(user: User, count: int, given: int, tokens: int) -> Steps[list[Pair]]:
    """Give a person's latest pairs; what is missing, their own answers over the model's.

    Args:
        user: The person.
        count: How many pairs at most.
        given: The most words of a prompt; both its ends are kept.
        tokens: The longest answer of the model's own, in tokens; 0 asks for none.

    Returns:
        The pairs, none of them a tie: those they told first, each sort oldest first.
    """
    told = pairs(user)
    found = [_short(pair, given) for pair in told[max(0, len(told) - count) :]]
    own = answers(user, count - len(found), given) if tokens else []
    if own:
        replies: list[Reply] = yield Write(tuple(each.plan_of(tokens) for each in own))
        found += [
            Pair(a.plan.main.question, a.text, r.text, (a.record,), user.record(a.record).time)
            for a, r in zip(own, replies, strict=True)
            if r.text.strip() and r.text != a.text
        ]
    return found


def _short(pair: Pair, given: int) -> Pair:
    prompt = ends(pair.prompt, given)
    return Pair(prompt, pair.chosen, pair.rejected, pair.records, pair.time, pair.how)
