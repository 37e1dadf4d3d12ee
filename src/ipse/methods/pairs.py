"""What a person answered and to what; and a plan with a vector added. For methods that steer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from ipse.errors import UsageError
from ipse.plan import Plan, Sampling, Steering
from ipse.records import User
from ipse.text import ends

__all__ = ["Answer", "answers", "numbers", "steered"]

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Answer:
    """What a person wrote in answer to something.

    Attributes:
        plan: The generic plan for what it answers.
        text: What the person wrote.
        record: The record's id.
    """

    plan: Plan
    text: str
    record: str

    def plan_of(self, tokens: int) -> Plan:
        """Give the plan with answers of at most so many tokens."""
        return replace(self.plan, sampling=Sampling(max_tokens=max(1, tokens)))


def answers(user: User, count: int, given: int) -> list[Answer]:
    """Give a person's latest answers, oldest of them first.

    Args:
        user: The person.
        count: How many.
        given: The most words of what an answer is to; both its ends are kept.

    Returns:
        At most `count`.
    """
    kinds = ("content", "dialogue")
    own = [r for r in user.records if r.kind in kinds and r.input.strip() and r.output.strip()]
    latest = own[max(0, len(own) - count) :]
    return [Answer(Plan.ask(ends(r.input, given)), r.output, r.id) for r in latest]


def steered(plan: Plan, vector: str, layer: int, scale: float, start: int) -> Plan:
    """Give a plan with one more vector added to its main stream."""
    added = Steering(vector, layer, scale, start)
    return replace(plan, main=replace(plan.main, steering=(*plan.main.steering, added)))


def numbers(text: str, kind: Callable[[str], Number]) -> list[Number]:
    """Read numbers that are parted by blanks.

    Args:
        text: The numbers.
        kind: `int` or `float`.

    Returns:
        At least one.

    Raises:
        UsageError: If there are none, or something that is none.
    """
    try:
        found = [kind(word) for word in text.split()]
    except ValueError as error:
        raise UsageError(f"numbers are written apart, such as '8 14 20'; got {text!r}") from error
    if not found:
        raise UsageError("at least one number is needed, such as '8 14 20'; got none")
    return found
