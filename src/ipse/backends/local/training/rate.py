"""The learning rate of an update."""

from __future__ import annotations

import math

from ipse.job import Schedule

__all__ = ["rate", "updates"]


def updates(schedule: Schedule, examples: int) -> int:
    """Give how many updates a job makes at most."""
    return schedule.epochs * math.ceil(examples / schedule.batch)


def rate(schedule: Schedule, at: int, total: int) -> float:
    """Give the learning rate of an update: up at first, then down towards 0, or level.

    Args:
        schedule: How fast, and how it rises and falls.
        at: Which update, counted from 0.
        total: How many there are.

    Returns:
        The rate.
    """
    warm = round(schedule.warm * total)
    if at < warm:
        return schedule.rate * (at + 1) / warm
    passed = (at - warm) / max(1, total - warm)
    falls = {"linear": 1 - passed, "cosine": 0.5 * (1 + math.cos(math.pi * passed)), "constant": 1}
    return schedule.rate * falls[schedule.decay]
