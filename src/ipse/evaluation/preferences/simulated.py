"""People who are made up: what a wrong answer costs them, by how many questions they were asked.

NOBODY HERE IS A PERSON. As in PersonalLLM (2409.20296) each is a weighting of rewards, drawn from a
Dirichlet distribution; the rewards are attributes that are counted, more or less of each. Answers
are exact but for slips. Results say how well a weighting is found, not how well anyone is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ipse.evaluation.stats import Estimate, estimate
from ipse.rewards import Arrays, Asking, Belief, Compared, Learner, ask
from ipse.rewards.learning import Floats

__all__ = ["Contestant", "Regrets", "regrets"]


@dataclass(frozen=True)
class Contestant:
    """A learner, and how it chooses what to ask.

    Attributes:
        learner: What learns.
        by: How the next pair is chosen; what is not `random` needs a learner that says how unsure
            it is.
    """

    learner: Learner
    by: Asking = "random"


@dataclass(frozen=True)
class Regrets:
    """How much worse than the best in the pool the answer is that a learner would choose.

    Attributes:
        after: By how many questions were asked; in standard deviations of the person's own reward
            over the pool, means over people.
        settled: After how many questions, on average, no draw regrets more than `enough`; only
            where questions are chosen by elimination.
    """

    after: Mapping[int, Estimate]
    settled: Estimate | None = None


def regrets(
    values: Floats,
    contestants: Mapping[str, Contestant],
    *,
    questions: int = 20,
    people: int = 60,
    taught: int = 60,
    pool: int = 12,
    alpha: float = 0.1,
    slips: float = 0.0,
    enough: float = 0.5,
    seed: int = 0,
) -> dict[str, Regrets]:
    """Measure regret over a fixed pool of answers for each made-up person.

    Args:
        values: Attributes of real texts, standardized, (texts, attributes).
        contestants: By name.
        questions: How many each person is asked.
        people: How many people are measured.
        taught: How many others learners are fitted on, 40 answers each.
        pool: How many answers there are to choose among.
        alpha: Of the Dirichlet distribution over more and less of each attribute.
        slips: How often a person says the opposite.
        enough: The regret, in logits, below which elimination would stop.
        seed: Of everything.

    Returns:
        The regrets by name.
    """
    chance = np.random.default_rng(seed)
    others = [_taught(values, _taste(values, chance, alpha), chance, slips) for _ in range(taught)]
    fitted = {name: one.learner.fit(others) for name, one in contestants.items()}
    found: dict[str, list[list[float]]] = {name: [] for name in contestants}
    settled: dict[str, list[float]] = {name: [] for name in contestants}
    for person in range(people):
        drawn = np.random.default_rng([seed, person])
        taste = _taste(values, drawn, alpha)
        texts = values[drawn.choice(len(values), pool, replace=False)]
        for name, one in contestants.items():
            chances = np.random.default_rng([seed, person, 1]).random(questions)
            slip = [chance < slips for chance in chances.tolist()]
            lost, done = _asked(one, fitted[name], texts, texts @ taste, slip, enough, person)
            found[name].append(lost)
            settled[name].append(done)
    return {
        name: Regrets(
            {n: estimate([each[n] for each in lost]) for n in range(questions + 1)},
            estimate(settled[name]) if contestants[name].by == "elimination" else None,
        )
        for name, lost in found.items()
    }


def _taste(values: Floats, chance: np.random.Generator, alpha: float) -> Floats:
    """Draw what a person goes by: weights of more of each attribute less those of less of it."""
    count = values.shape[1]
    drawn = chance.dirichlet([alpha] * (2 * count))
    return np.asarray(drawn[:count] - drawn[count:])


def _taught(
    values: Floats, taste: Floats, chance: np.random.Generator, slips: float, count: int = 40
) -> Compared:
    both = values[chance.integers(0, len(values), (count, 2))]  # (count, 2, attributes)
    liked = both @ taste
    first = (liked[:, 0] > liked[:, 1]) ^ (chance.random(count) < slips)
    order = np.where(first, 0, 1)
    rows = np.arange(count)
    return Compared.of(both[rows, order], both[rows, 1 - order])


def _asked(
    one: Contestant,
    shared: Arrays,
    texts: Floats,
    liked: Floats,
    slips: Sequence[bool],
    enough: float,
    seed: int,
) -> tuple[list[float], float]:
    """Ask one person; give regrets after 0, 1, ... questions, and when there was little left."""
    wide = max(float(liked.std()), 1e-9)
    told: list[tuple[int, int]] = []
    lost, done = [], float(len(slips))
    for turn in range(len(slips) + 1):
        places = np.array(told, np.int64).reshape(-1, 2)
        own = one.learner.infer(shared, Compared.of(texts[places[:, 0]], texts[places[:, 1]]))
        rewards = one.learner.reward(shared, own, texts)
        lost.append(float(liked.max() - liked[int(rewards.argmax())]) / wide)
        question = ask(_belief(one, shared, own, texts), told, one.by, seed=1000 * seed + turn)
        done = min(done, turn) if question.regret < enough else done
        if turn < len(slips):
            pair = [question.first, question.second]
            better, worse = sorted(pair, key=lambda place: -liked[place])
            told.append((worse, better) if slips[turn] else (better, worse))
    return lost, done


def _belief(one: Contestant, shared: Arrays, own: Arrays, texts: Floats) -> Belief:
    """Give what is believed; of who cannot say, rewards and nothing unsure."""
    if "covariance" not in own:
        flat = one.learner.reward(shared, own, texts)
        return Belief(np.zeros((len(texts), 1)), flat, np.zeros(1), np.zeros((1, 1)))
    known = (np.asarray(own[name], np.float64) for name in ("own", "covariance"))
    return Belief(texts @ shared["bases"], texts @ shared["mean"], *known)
