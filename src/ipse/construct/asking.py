"""What constructors ask a model for, and how its answers are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ipse.lm import Reply, Write
from ipse.methods.base import Steps
from ipse.plan import Message, Plan, Sampling, Stream
from ipse.text import one_line

__all__ = ["asked", "conversed", "lines", "written"]

_MARK = re.compile(r"^\s*(?:[-*\u2022]|\d{1,2}[.):]|#+)\s*")


def asked(prompt: str, tokens: int, seed: int, *, system: str = "", heat: float = 0.8) -> Plan:
    """Give a plan that is answered otherwise for every seed."""
    sampling = Sampling(max_tokens=tokens, temperature=heat, top_p=0.95, seed=seed)
    return Plan.ask(prompt, system=system, sampling=sampling)


def conversed(turns: Sequence[tuple[str, str]], question: str, plan: Plan) -> Plan:
    """Give a plan's system message and sampling a conversation to go on with.

    Args:
        turns: What was asked and answered before.
        question: What is asked now.
        plan: Whose system message and sampling are kept.

    Returns:
        The plan.
    """
    head = [message for message in plan.main.messages if message.role == "system"]
    stream = Stream((*head, Message("user", question))).with_turns(turns)
    return replace(plan, main=stream)


def written(plans: Iterable[Plan]) -> Steps[list[str]]:
    """Ask for answers to several plans; what comes back is stripped, and may be empty."""
    every = tuple(plans)
    replies: list[Reply] = (yield Write(every)) if every else []
    return [reply.text.strip() for reply in replies]


def lines(text: str, count: int) -> list[str]:
    """Read a model's list: each line once, without marks, the first so many that say anything."""
    found = (one_line(_MARK.sub("", line)).strip("\"'*") for line in text.splitlines())
    return list(dict.fromkeys(filter(None, found)))[:count]
