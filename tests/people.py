"""People for tests: small histories with known words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from ipse.backends.echo import EchoBackend
from ipse.job import Trained
from ipse.lm import Score
from ipse.records import Record, User
from tests.pico import HashEmbedder

START = datetime(2024, 1, 1, tzinfo=UTC)

SUBJECTS = ("school uniforms", "plastic bottles", "spanking children", "tv and books", "browsers")


def echo() -> EchoBackend:
    """The echo backend with embeddings."""
    return EchoBackend(embedder=HashEmbedder())


def reason(user: str, n: int, **fields) -> Record:
    """The n-th thing a person wrote: an answer to a question."""
    subject = SUBJECTS[n % len(SUBJECTS)]
    defaults = {
        "kind": "content",
        "input": f"Which argument about {subject} is better? Say why.",
        "output": f"{user} finds point {n} on {subject} convincing!",
        "time": START + timedelta(hours=n),
        "uses": frozenset({"prompt", "train", "share"}),
    }
    return Record(user=user, **(defaults | fields))


def person(user: str = "ada", count: int = 12) -> User:
    """A person of every kind of record: mostly reasons, and one each of the others."""
    others = (
        Record(user=user, kind="profile", input="home", output="Paris", time=START),
        Record(user=user, kind="dialogue", input="Hi", output="I like tea", time=START),
        Record(user=user, kind="interaction", input="A film on tea", output="4", time=START),
        Record(user=user, kind="preference", input="Tea?", output="green", rejected="black",
               time=START),
    )  # fmt: skip
    records = [*others, *(reason(user, n + 1) for n in range(count))]
    return User(user, tuple(sorted(records, key=lambda r: (r.time, r.id))))


class StandIn:
    """An echo that also answers what an echo cannot: scores and vectors, by hashing texts."""

    def __init__(self, lm: EchoBackend) -> None:
        self.name, self.base, self.embedder, self.carries = (
            lm.name,
            lm.base,
            lm.embedder,
            lm.carries,
        )
        self.generate, self.stream, self.embed, self.cut = lm.generate, lm.stream, lm.embed, lm.cut

    def score(self, plans, targets, on_progress=None):
        del on_progress
        return [
            Score((-float(len(p.main.messages) % 5), -float(len(t) % 7)))
            for p, t in zip(plans, targets, strict=True)
        ]

    def hidden(self, ask):
        each = [self.embed([f"{layer} {text}" for text in ask.targets]) for layer in ask.layers]
        return np.stack(each, axis=1)

    def fit_steering(self, ask):
        return self.embed(ask.chosen).sum(0) - self.embed(ask.rejected).sum(0)

    def train(self, jobs, on_progress=None, scratch=None):
        del on_progress, scratch
        return [Trained(self._learned(job), {"updates": 1, "seconds": 0.1}) for job in jobs]

    def _learned(self, job):
        """Give arrays that tell what was learned from, under the names that are asked for."""
        told = {}
        for example in job.examples:
            sums = told.setdefault(example.owner, np.zeros(1, np.float32))
            told[example.owner] = sums + self.embed([example.target])[0]
        width = getattr(job.learn, "width", 0)
        vectors = {f"owners/{o}": np.resize(v, width) for o, v in told.items() if o and width}
        if getattr(job.learn, "only_owners", False):
            return vectors
        moved = {"m.lora_P": np.eye(3, width, dtype=np.float32)} if width else {}
        return {"m.lora_A": sum(told.values()), **moved, **vectors}

    def attach(self, loader):
        del loader

    def forget(self):
        """Nothing is kept."""

    def hold(self, arrays):
        self.held = dict(arrays)
        return "held"
