"""A person's state in methods that mix everyone's adapters: which, and how much of each."""

from __future__ import annotations

from ipse.methods.examples import pointing
from ipse.methods.objectives import Scale, wanted
from ipse.records import User
from ipse.state import State

__all__ = ["wants"]


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
