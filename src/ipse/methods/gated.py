"""An adapter of one's own on top of everyone's, behind the gate: what methods that train one share.

A person's state has the facts `adapter`, everyone's by name or "", and `gate`, the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from ipse.methods.examples import adapted, retrieved
from ipse.methods.gate import untested
from ipse.methods.shared_adapter import SharedAdapter
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.spec import read_settings
from ipse.state import State

__all__ = ["everyones", "parted", "served", "unlearned"]

_HELD_LEAST = 8
"""The fewest an adapter is tested on: eight wins of eight have p = 1/256."""

T = TypeVar("T")


def everyones(task: str) -> SharedAdapter:
    """Give the method that trains everyone's adapter.

    Args:
        task: Its settings, parted by semicolons, such as `rank=16;people=50`.

    Returns:
        The method.
    """
    return SharedAdapter(**read_settings(SharedAdapter, SharedAdapter.name, task.replace(";", ",")))


def parted(found: Sequence[T], share: float | None, most: int) -> tuple[list[T], list[T]]:
    """Part what there is into what is trained on and the latest, which is tested on.

    Args:
        found: What there is, oldest first.
        share: The share that is tested on, and at least 8; None is nothing.
        most: The most that are.

    Returns:
        The two parts.
    """
    wanted = max(_HELD_LEAST, math.ceil(share * len(found))) if share is not None else 0
    cut = len(found) - min(wanted, most)
    return [*found[:cut]], [*found[cut:]]


def unlearned(adapter: str) -> State:
    """Give the state of someone of whom nothing was learned yet: everyone's adapter serves them."""
    verdict = untested("shared", "nothing was learned of this person yet")
    return State({"adapter": adapter, "records": 0, "gate": verdict})


def served(plan: Plan, user: User, state: State, retrieve: int, rival: int) -> Plan:
    """Attach what serves a person: everyone's adapter and their own, or retrieval.

    Args:
        plan: The plan so far.
        user: The person.
        state: What was learned of them.
        retrieve: How many earlier records are shown where their own adapter serves.
        rival: How many where retrieval does.

    Returns:
        The plan; the very same where nothing serves.

    Raises:
        InvalidPlan: If the person's adapter is not kept yet, and so has no name.
    """
    serves = state.facts["gate"]["serves"]
    below = [Adapter(name) for name in filter(None, [state.facts["adapter"]])]
    if serves != "adapter":
        plan = retrieved(plan, user, rival if serves == "retrieval" else 0)
        return adapted(plan, *below)
    return adapted(retrieved(plan, user, retrieve), *below, Adapter(state.kept_name))
