"""People for tests: small histories with known words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from ipse.backends.echo import EchoBackend
from ipse.job import Gates, Hypernetwork, SoftPrefix, Trained
from ipse.lm import Score
from ipse.records import Record, User
from ipse.tensors import content_hash
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
               time=START, uses=frozenset({"prompt", "train", "share"})),
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
        self._held = {}

    def score(self, plans, targets, on_progress=None):
        del on_progress
        return [
            Score((-float(len(p.main.messages) % 5), -float(len(t) * _read(p) % 11)))
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
        whole = sum(told.values())
        if isinstance(job.learn, Hypernetwork):
            return _network(job.learn, whole)
        if isinstance(job.learn, SoftPrefix):
            return _soft(job.learn, whole)
        if isinstance(job.learn, Gates):
            return {"m.gate": whole}
        width = getattr(job.learn, "width", 0)
        vectors = {f"owners/{o}": np.resize(v, width) for o, v in told.items() if o and width}
        if getattr(job.learn, "only_owners", False):
            return vectors
        moved = {"m.lora_P": np.eye(3, width, dtype=np.float32)} if width else {}
        return {"m.lora_A": whole, **moved, **vectors}

    def inputs(self, ask):
        return {"m": self.embed(ask.targets).mean(0)}

    def attach(self, loader):
        self._loader = loader

    def arrays(self, name):
        return self._held[name] if name in self._held else self._loader(name)

    def forget(self):
        """Nothing is kept."""

    def under_way(self):
        """Nobody asks."""

    def hold(self, arrays):
        name = f"held-{content_hash(arrays)}"
        self._held[name] = dict(arrays)
        return name


def _read(plan):
    return len(plan.main.messages[0].content)


class Both:
    """A model that runs, and an embedder that needs no download."""

    def __init__(self, writes, embeds):
        self.name, self.carries = writes.name, writes.carries
        self.base, self.embedder = writes.base, embeds.embedder
        self.generate, self.stream = writes.generate, writes.stream
        self.embed, self.cut = embeds.embed, writes.cut
        self.score, self.hold, self.attach = writes.score, writes.hold, writes.attach
        self.hidden, self.fit_steering = writes.hidden, writes.fit_steering
        self.train, self.inputs, self.arrays = writes.train, writes.inputs, writes.arrays
        self.forget, self.under_way = writes.forget, writes.under_way


def _network(learn, told):
    """A hypernetwork whose bias tells what it was learned from."""
    heads = {
        f"m.*.q.{part}.weight": np.ones((2 * learn.rank, learn.hidden), np.float32) for part in "AB"
    }
    biases = {f"m.*.q.{part}.bias": np.resize(told, 2 * learn.rank) for part in "AB"}
    wide = len(told) + 2 * learn.code
    return {
        "codes.module": np.ones((1, learn.code), np.float32),
        "codes.layer": np.ones((1, learn.code), np.float32),
        "first.weight": np.eye(learn.hidden, wide, dtype=np.float32),
        "first.bias": np.zeros(learn.hidden, np.float32),
        "second.weight": np.eye(learn.hidden, dtype=np.float32),
        "second.bias": np.zeros(learn.hidden, np.float32),
        "scale": np.float32(1),
        **heads,
        **biases,
    }


def _soft(learn, told):
    """A maker of soft prompts whose instruction tells what it was learned from."""
    wide = len(told)
    return {
        "query": np.eye(wide, dtype=np.float32),
        "mlp.first.weight": np.eye(learn.hidden, wide, dtype=np.float32),
        "mlp.first.bias": np.zeros(learn.hidden, np.float32),
        "mlp.second.weight": np.eye(wide, learn.hidden, dtype=np.float32),
        "mlp.second.bias": np.zeros(wide, np.float32),
        "instruction": np.resize(told, (learn.instruction, wide)),
        "empty": told,
        "norm": np.float32(1),
    }
