"""A model for tests of the evaluation: no weights, and yet each text has a score of its own."""

from __future__ import annotations

import hashlib
import math

from ipse.lm import Reply, Score
from ipse.plan import NEEDS
from tests.people import echo


class HashModel:
    """Scores and writes by the hash of what it reads; its tokens are words."""

    name = "local"
    base = "hash@1"
    carries = frozenset(NEEDS)

    def __init__(self):
        self._echo = echo()
        self.embedder = self._echo.embedder
        self.embed, self.cut = self._echo.embed, self._echo.cut

    def generate(self, plans, on_progress=None):
        texts = [_prompt(plan) for plan in plans]
        return [
            Reply(f"{text.split()[-1]} {_number(text):.3f}", "stop", len(text.split()), 2)
            for text in texts
        ]

    def attach(self, loader):
        self.loader = loader

    def forget(self):
        """Nothing is kept."""

    def stream(self, plan):
        return iter([self.generate([plan])[0].text])

    def score(self, plans, targets, on_progress=None):
        return [
            Score(
                tuple(math.log(_number(f"{_prompt(plan)} {word}")) for word in target.split()),
                len(_prompt(plan).split()),
            )
            for plan, target in zip(plans, targets, strict=True)
        ]


def _prompt(plan):
    return "\n".join(message.content for message in plan.main.messages)


def _number(text):
    """Give a number between 0.05 and 0.95 that another text would not have."""
    digest = hashlib.sha256(text.encode()).digest()
    return 0.05 + 0.9 * int.from_bytes(digest[:4]) / 2**32
