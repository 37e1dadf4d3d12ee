"""How fast one more answer of a person is learned from, and what another question costs.

    python benchmarks/feedback.py [--quick] [--json]

A reward is learned from people who like some attributes more than others; then one person's answers
are kept, and one more comes. Vectors are made by hashing: what a real embedder takes for the two
texts that are new comes on top, and is the same however much is known.

    update_ms_N            learning of one more answer beside N that are known, median
    refit_over_update_N    learning of all N anew, its vectors at hand, over that
    question_ms_12         choosing the next pair among 12 answers, median
    feedback_ms_N          `Ipse.feedback` with N known: kept durably, and learned from, median
    feedback_people_ratio  the same with 100 known in a store of many people, over one of 10
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np
from _bench import arguments, report, seconds

from ipse import Ipse
from ipse.backends.echo import EchoBackend
from ipse.methods import finish
from ipse.methods.low_rank_reward import LowRankReward
from ipse.records import Record, User
from ipse.rewards import ask
from ipse.state import State

KNOWN = (100, 1_000, 10_000)
PEOPLE, QUICK_PEOPLE = 100, 20
STORED, QUICK_STORED = (100, 1_000, 10_000), (100, 1_000)
FEW, MANY, QUICK_MANY = 10, 2_000, 300
ROUNDS, WIDTH = 9, 384
START = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = ("tea", "milk", "perhaps", "rain", "really", "house", "you", "consideration", "and", "it")
EVERYONE = frozenset({"prompt", "train", "share"})


class Vectors:
    """Gives each text a vector of its own, and arrays of what was learned by name."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Give unit vectors, (texts, width)."""
        seeds = [crc32(text.encode()) for text in texts]
        found = np.stack([_vector(seed) for seed in seeds])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def arrays(self, name: str) -> Any:
        """Give the arrays of a name."""
        return self.kept[name]


def _vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(WIDTH).astype(np.float32)


def person(name: str, count: int) -> User:
    """Give one who likes it short or long, by their name, and says so of many pairs."""
    chance = np.random.default_rng([*name.encode()])
    records = []
    for n in range(count):
        sizes = sorted(chance.integers(2, 40, 2))
        one, other = (" ".join(chance.choice(WORDS, size)) + f" {n}" for size in sizes)
        chosen, rejected = (one, other) if len(name) % 2 else (other, one)
        records.append(
            Record(
                user=name, kind="preference", input=f"Question {n}", output=chosen,
                rejected=rejected, time=START + timedelta(seconds=n), uses=EVERYONE,
            )
        )  # fmt: skip
    return User(name, tuple(records))


def fitted(method: LowRankReward, people: int, lm: Any) -> State:
    """Learn everyone's part."""
    state = finish(method.fit([person(f"p{n}", 20) for n in range(people)]), lm)
    assert state is not None
    lm.kept[f"everyone {people}"] = state.arrays
    return State(state.facts, state.arrays, state.lineage, artifact=f"everyone {people}")


def updates(method: LowRankReward, user: User, count: int, shared: State, lm: Any) -> list[float]:
    """Give how long one more answer takes, in seconds, each time after as many."""
    state = finish(method.enroll(User(user.id, user.records[:count]), shared), lm)
    grown = User(user.id, user.records[: count + 1])
    return [seconds(lambda: finish(method.update(grown, state, shared), lm)) for _ in range(ROUNDS)]


def main() -> None:
    options = arguments(__doc__)
    method, lm = LowRankReward(), Vectors()
    people = QUICK_PEOPLE if options.quick else PEOPLE
    shared = fitted(method, people, lm)
    figures: dict[str, float] = {}
    whole = person("ada", max(KNOWN) + 1)
    for count in KNOWN:
        took = median(updates(method, whole, count, shared, lm))
        figures[f"update_ms_{count}"] = 1000 * took
        figures[f"refit_over_update_{count}"] = refit(method, whole, count, shared, lm) / took
    state = finish(method.enroll(User("ada", whole.records[:100]), shared), lm)
    texts = [record.output for record in whole.records[:12]]
    belief = finish(method.belief("Question", texts, state, shared.artifact or ""), lm)
    figures["question_ms_12"] = 1000 * median([seconds(lambda: ask(belief)) for _ in range(ROUNDS)])
    for count in QUICK_STORED if options.quick else STORED:
        figures[f"feedback_ms_{count}"] = 1000 * kept(whole.records[:count], FEW, lm)
    many = QUICK_MANY if options.quick else MANY
    took = [1000 * kept(whole.records[: KNOWN[0]], count, lm) for count in (FEW, many)]
    figures["feedback_people_ratio"] = took[1] / took[0]
    report(f"Feedback, {people} people", figures, options, ("ipse", "numpy"))


def refit(method: LowRankReward, user: User, count: int, shared: State, lm: Any) -> float:
    """Give how long learning everything anew takes, in seconds, once."""
    grown = User(user.id, user.records[: count + 1])
    return seconds(lambda: finish(method.enroll(grown, shared), lm))


def kept(records: Sequence[Record], people: int, lm: Vectors) -> float:
    """Give how long `Ipse.feedback` takes where so many people are stored, in seconds, median."""
    with TemporaryDirectory() as folder:
        backend = EchoBackend(lm.embed, "hashed")
        with Ipse(Path(folder) / "ipse.db", backend, methods="low-rank-reward") as engine:
            engine.add(record for n in range(people) for record in person(f"p{n}", 5).records)
            engine.add(records)
            engine.fit()
            engine.enroll("ada")
            took = []
            for n in range(ROUNDS):
                reply = engine.ask("ada", f"Another question, {n}").id
                edited = f"tea and milk {n}"
                took.append(seconds(partial(engine.feedback, "ada", reply, edit=edited)))
    return median(took)


if __name__ == "__main__":
    main()
