"""The life of a reward that is learned from pairs; what is learned, and how, is a learner's.

Everyone's part is learned of people who share. A person's state holds their own part, and names
everyone's, which is read when answers are rewarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from ipse.errors import InvalidPlan
from ipse.lm import Kept
from ipse.methods.base import Steps
from ipse.methods.features import described, scale, scaled
from ipse.preferences import Pair, pairs, rated
from ipse.records import Record, User
from ipse.rewards import Arrays, Compared, Learner
from ipse.state import State

__all__ = ["compared", "enrolled", "fitted", "judged", "rewarded", "shared_name"]


def fitted(
    learner: Learner, people: Iterable[User], most: int, count: int, features: str
) -> Steps[State | None]:
    """Learn everyone's part.

    Args:
        learner: What learns.
        people: Views that hold only what their owners allow to be shared.
        most: How many people: the first who told a preference.
        count: How many pairs of each: the latest.
        features: What texts are described by.

    Returns:
        The state; None where nobody told anything.
    """
    told: list[list[Pair]] = []
    lineage: list[str] = []
    for user in people:
        if len(told) == most:
            break
        if own := pairs(user, ties=True)[-count:]:
            told.append(own)
            lineage += [record.id for record in judged(user)]
    if not told:
        return None
    every = [pair for own in told for pair in own]
    found = yield from _measured(features, every)
    given = scale(features, np.concatenate([found.chosen, found.rejected]))
    ends = np.cumsum([0, *map(len, told)]).tolist()
    near = _scaled(given, found)
    each = [near.some(slice(*both)) for both in pairwise(ends)]
    facts = {"people": len(told), "pairs": len(every)}
    return State(facts, {**given, **learner.fit(each)}, tuple(lineage))


def enrolled(
    learner: Learner, user: User, shared: State | None, features: str
) -> Steps[State | None]:
    """Learn a person's part; who told nothing has the population's.

    Args:
        learner: What learns.
        user: The person.
        shared: What `fitted` gave; None where it was not run.
        features: What texts are described by.

    Returns:
        The state; None without everyone's part.
    """
    name = shared_name(shared)
    if shared is None or name is None:
        return None
    told = pairs(user, ties=True)
    own = yield from compared(features, told, shared.arrays)
    facts = {"shared": name, "pairs": len(told)}
    lineage = tuple(record.id for record in judged(user))
    return State(facts, learner.infer(shared.arrays, own), lineage)


def rewarded(
    learner: Learner, question: str, texts: Sequence[str], state: State | None, features: str
) -> Steps[Sequence[float] | None]:
    """Say how much a person likes answers.

    Args:
        learner: What learned.
        question: What they answer.
        texts: The answers.
        state: What `enrolled` gave.
        features: What texts are described by.

    Returns:
        A number each; None of whom nothing is known.
    """
    if state is None:
        return None
    arrays: Arrays = yield Kept(state.facts["shared"])
    found = yield from described(features, [question] * len(texts), texts)
    liked = learner.reward(arrays, state.arrays, scaled(arrays, found))
    return [float(value) for value in liked]


def shared_name(shared: State | None) -> str | None:
    """Give the name of everyone's arrays.

    Args:
        shared: What `fitted` gave; None where it was not run.

    Returns:
        The name; None where there are none.

    Raises:
        InvalidPlan: If they are not kept yet, and so have no name.
    """
    if shared is None:
        return None
    if shared.artifact is None:
        raise InvalidPlan("rewards are named by the store: keep the state before it is enrolled in")
    return shared.artifact


def judged(user: User) -> list[Record]:
    """Give the records that may say what a person prefers, oldest first."""
    return [r for r in user.records if r.kind == "preference" or rated(r) is not None]


def compared(features: str, told: Sequence[Pair], arrays: Arrays) -> Steps[Compared]:
    """Give pairs in numbers, made comparable; with none of them, of the width the arrays have."""
    if not told:
        nothing = np.zeros((0, len(arrays["centre"])))
        return Compared.of(nothing, nothing)
    found = yield from _measured(features, told)
    return _scaled(arrays, found)


def _measured(features: str, told: Sequence[Pair]) -> Steps[Compared]:
    prompts = [pair.prompt for pair in told]
    texts = [*(pair.chosen for pair in told), *(pair.rejected for pair in told)]
    found = yield from described(features, [*prompts, *prompts], texts)
    return Compared.of(found[: len(told)], found[len(told) :], [pair.tie for pair in told])


def _scaled(arrays: Arrays, found: Compared) -> Compared:
    return Compared(scaled(arrays, found.chosen), scaled(arrays, found.rejected), found.tie)
