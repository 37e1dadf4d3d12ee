"""What learned rewards share: compared texts as numbers, and how everyone's reward is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Adam",
    "Arrays",
    "Compared",
    "Floats",
    "Learner",
    "Task",
    "compressed",
    "everyones",
    "laplace",
    "leading",
    "sigmoid",
    "tasks",
    "untied",
]

Floats: TypeAlias = NDArray[np.float64]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

_NEWTON = 25
"""Newton's steps at most; few are needed, for the loss is convex."""

_CHEAP = 8
"""Of them, those with a curve that is known only nearly."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Pairs of texts that one person compared, each text as numbers.

    Attributes:
        chosen: What was preferred, (pairs, width).
        rejected: What it was preferred to, (pairs, width).
        tie: Whether neither was preferred, (pairs,).
    """

    chosen: Floats
    rejected: Floats
    tie: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def apart(self) -> Floats:
        """What was preferred less what it was preferred to, (pairs, width)."""
        return self.chosen - self.rejected

    def some(self, places: NDArray[Any] | slice) -> Compared:
        """Give some of the pairs."""
        return Compared(self.chosen[places], self.rejected[places], self.tie[places])

    def projected(self, onto: Floats) -> Compared:
        """Give the pairs as other numbers: what describes a text, times `onto` (width, other)."""
        return Compared(self.chosen @ onto, self.rejected @ onto, self.tie)

    @classmethod
    def of(cls, chosen: Floats, rejected: Floats, tie: Sequence[bool] | None = None) -> Compared:
        """Give pairs; without ties where none are named."""
        ties = np.zeros(len(chosen), bool) if tie is None else np.array(tie, bool)
        return cls(np.asarray(chosen, np.float64), np.asarray(rejected, np.float64), ties)


class Learner(Protocol):
    """Learns what people like. Its fields are settings; what it learned is given back as arrays."""

    def fit(self, people: Sequence[Compared]) -> Arrays:
        """Learn from several people; the arrays hold what is everyone's."""
        ...

    def infer(self, shared: Arrays, own: Compared) -> Arrays:
        """Learn of one person; no pairs at all give the population's reward."""
        ...

    def reward(self, shared: Arrays, own: Arrays, texts: Floats) -> Floats:
        """Say how much a person likes texts: (texts, width) to (texts,), higher is better."""
        ...


def sigmoid(x: Floats) -> Floats:
    """Give `1 / (1 + exp(-x))`."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def laplace(
    apart: Floats,
    target: Floats,
    offset: Floats,
    precision: Floats,
    start: Floats | None = None,
    near: Floats | None = None,
    steps: int = _NEWTON,
) -> tuple[Floats, Floats]:
    """Find the most probable weights of a logistic model, and how sure they are.

    Maximizes `sum_i t_i log s(m_i) + (1 - t_i) log s(-m_i) - w' P w / 2` with `m = offset + apart
    w`, by Newton's method; the answer does not depend on where it begins.

    Args:
        apart: Differences, (pairs, width).
        target: How probably the first was preferred, (pairs,), in [0, 1].
        offset: What is known of each margin before, (pairs,).
        precision: Of the Gaussian prior with mean 0, (width, width).
        start: Where to begin, (width,).
        near: A precision that is nearly that of the answer, (width, width): steps with it cost
            little, as long as they lead there.
        steps: How many steps at most.

    Returns:
        The weights (width,), and the precision of the Gaussian that fits there (width, width).
    """
    weights = np.zeros(apart.shape[1]) if start is None else start.astype(np.float64)
    for turn in range(steps):
        likely = sigmoid(offset + apart @ weights)
        slope = apart.T @ (target - likely) - precision @ weights
        if near is None or turn >= _CHEAP:
            curve = (apart * (likely * (1 - likely))[:, None]).T @ apart + precision
        else:
            curve = near
        step = np.linalg.solve(curve, slope)
        # Where margins are large the curve is flat, and a whole step would go too far.
        weights = weights + step / max(1.0, float(np.abs(apart @ step).max(initial=0.0)) / 4)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    likely = sigmoid(offset + apart @ weights)
    return weights, (apart * (likely * (1 - likely))[:, None]).T @ apart + precision


def everyones(people: Sequence[Compared], ridge: float) -> Floats:
    """Find the one linear reward that fits all pairs of all people best, (width,)."""
    apart = np.concatenate([one.apart for one in people])
    target = np.concatenate([np.where(one.tie, 0.5, 1.0) for one in people])
    width = apart.shape[1]
    return laplace(apart, target, np.zeros(len(apart)), ridge * np.eye(width))[0]


def leading(people: Sequence[Compared], width: int) -> Floats:
    """Give the directions in which compared texts differ most, (all, width), orthonormal."""
    total = sum(
        (one.apart.T @ one.apart for one in people[1:]), people[0].apart.T @ people[0].apart
    )
    _, vectors = np.linalg.eigh(total)
    best = vectors[:, ::-1][:, :width]
    # Of a direction and its opposite, the one whose largest entry is positive.
    signs = np.sign(best[np.abs(best).argmax(0), np.arange(best.shape[1])])
    return np.asarray(best * signs)


def compressed(
    people: Sequence[Compared], width: int, ridge: float
) -> tuple[Floats, list[Compared], Floats]:
    """Look at people's pairs in the directions in which they differ most, and at all of them.

    Args:
        people: With at least a pair each.
        width: How many directions.
        ridge: How hard everyone's reward is held to none.

    Returns:
        The directions (all, width), each person's pairs in them, and everyone's reward (width,).
    """
    onto = leading(people, width)
    near = [one.projected(onto) for one in people]
    return onto, near, everyones(near, ridge)


def untied(people: Sequence[Compared]) -> list[Compared]:
    """Give the pairs that are no ties, of those who have some; all where nobody has."""
    clear = [one.some(~one.tie) for one in people]
    return [one for one in clear if len(one)] or list(people)


@dataclass(frozen=True, eq=False)
class Task:
    """Some people's pairs, parted into what is known and what is to be told from it.

    Attributes:
        known: Chosen and rejected of what is known, (2, people, known, width).
        here: 1 where there is a known pair, 0 where a row is filled up, (people, known).
        asked: Chosen and rejected of what is asked, (2, people, asked, width).
    """

    known: Floats
    here: Floats
    asked: Floats


def tasks(
    people: Sequence[Compared], steps: int, batch: int, known: int, asked: int, seed: int
) -> Iterator[Task]:
    """Draw tasks to learn from: as many known pairs as chance will have, and others to tell.

    Args:
        people: Each with at least two pairs; of nobody there are no tasks.
        steps: How many tasks.
        batch: How many people in each.
        known: The most known pairs.
        asked: How many are asked.
        seed: Of the draws.

    Yields:
        The tasks.
    """
    if not people:
        return
    chance = np.random.default_rng(seed)
    width = people[0].chosen.shape[1]
    both = [np.stack([one.chosen, one.rejected]) for one in people]  # (2, pairs, width)
    for _ in range(steps):
        task = Task(
            np.zeros((2, batch, known, width)),
            np.zeros((batch, known)),
            np.zeros((2, batch, asked, width)),
        )
        for row, place in enumerate(chance.integers(0, len(people), batch)):
            order = chance.permutation(both[place].shape[1])
            most = min(known, len(order) - 1)
            count = int(np.exp(chance.uniform(0, np.log(most + 1))))  # few as often as many
            task.known[:, row, :count] = both[place][:, order[:count]]
            task.here[row, :count] = 1
            task.asked[:, row] = both[place][:, chance.choice(order[count:], asked)]
        yield task


class Adam:
    """Adam (1412.6980) over named arrays, with weight decay and a rate that falls to 0."""

    def __init__(self, arrays: dict[str, Floats], rate: float, steps: int, decay: float) -> None:
        """Begin.

        Args:
            arrays: What is learned; changed in place.
            rate: The first rate.
            steps: How many steps there will be.
            decay: How much each array shrinks in a step, times the rate.
        """
        self._arrays, self._rate, self._steps, self._decay = arrays, rate, steps, decay
        self._first = {name: np.zeros_like(array) for name, array in arrays.items()}
        self._second = {name: np.zeros_like(array) for name, array in arrays.items()}
        self._step = 0

    def step(self, slopes: Mapping[str, Floats]) -> None:
        """Take one step against the slopes of a loss."""
        self._step += 1
        rate = self._rate * 0.5 * (1 + np.cos(np.pi * (self._step - 1) / self._steps))
        for name, slope in slopes.items():
            one, two = self._first[name], self._second[name]
            one += 0.1 * (slope - one)
            two += 0.001 * (slope**2 - two)
            mean, square = one / (1 - 0.9**self._step), two / (1 - 0.999**self._step)
            array = self._arrays[name]
            array -= rate * (mean / (np.sqrt(square) + 1e-8) + self._decay * array)
