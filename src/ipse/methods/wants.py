"""A person's state in methods that mix everyone's adapters: which, and how much of each."""

from __future__ import annotations

from dataclasses import replace

from ipse.methods.examples import pointing
from ipse.methods.objectives import Scale, nearest, wanted
from ipse.records import User
from ipse.state import State

__all__ = ["wants", "wants_nearest"]


def wants(user: User, shared: State | None, weights: str, given: int) -> State | None:
    """Give the name of everyone's adapters, their objectives, and a person's weights.

    Args:
        user: The person.
        shared: What `ipse.methods.ranking.learned` gave, as it is kept.
        weights: The weights, parted by blanks; "" measures them of the person.
        given: The most words of a prompt, where they are measured.

    Returns:
        The state; None where nothing was learned, or nothing can be measured.
    """
    state = pointing(shared)
    if shared is None or state is None:
        return None
    scale = Scale.of_facts(shared.facts)
    found = wanted(user, scale, weights, given)
    if found is None:
        return None
    shares, lineage = found
    facts = {**state.facts, "objectives": [*scale.objectives], "weights": shares}
    return State(facts=facts, lineage=lineage)


def wants_nearest(user: User, shared: State | None, weights: str, given: int) -> State | None:
    """Give what `wants` does, and `part`: the adapter whose weights are nearest to the person's.

    Args:
        user: The person.
        shared: What was learned, with the fact `vectors`, the weights of each adapter.
        weights: As for `wants`.
        given: As for `wants`.

    Returns:
        The state; None where `wants` gives none.
    """
    state = wants(user, shared, weights, given)
    if state is None or shared is None:
        return None
    part = nearest(state.facts["weights"], shared.facts["vectors"])
    return replace(state, facts={**state.facts, "part": part})
