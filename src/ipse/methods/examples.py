"""A person's records as examples to train on; for methods that train weights.

What is trained on reads as what will be served: the same question, and in front of it the same
search, through strictly earlier records only. This file knows no job's settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.errors import unknown
from ipse.job import MODULES, Example, Job, Module, Trained
from ipse.lm import Train
from ipse.methods.base import Steps
from ipse.methods.bm25 import Bm25
from ipse.methods.facets import Facets
from ipse.methods.pairs import Answer, answers
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State

__all__ = [
    "adapted",
    "before_last",
    "examples",
    "half",
    "learnable",
    "modules",
    "others",
    "pointing",
    "records_of",
    "retrieved",
    "taught",
    "with_earlier",
]


def learnable(user: User, count: int, given: int, retrieve: int = 0) -> list[Answer]:
    """Give a person's latest answers, each asked as it would be served.

    Args:
        user: The person.
        count: How many.
        given: The most words of what an answer is to; both its ends are kept.
        retrieve: How many strictly earlier records are shown before each.

    Returns:
        At most `count`, oldest of them first.
    """
    return [with_earlier(answer, user, retrieve) for answer in answers(user, count, given)]


def others(
    people: Iterable[User], most: int, count: int, given: int, retrieve: int = 0
) -> dict[str, list[Answer]]:
    """Give the answers of people who share them.

    Args:
        people: Views that hold only what their owners allow to be shared.
        most: How many people: the first who answered anything.
        count: How many answers of each: the latest.
        given: The most words of what an answer is to.
        retrieve: How many strictly earlier records are shown before each.

    Returns:
        The answers by person.
    """
    found: dict[str, list[Answer]] = {}
    for user in people:
        if len(found) == most:
            break
        if own := learnable(user, count, given, retrieve):
            found[user.id] = own
    return found


def with_earlier(answer: Answer, user: User, k: int, *, profile: bool = False) -> Answer:
    """Show the `k` best of the records that are strictly earlier than an answer.

    Args:
        answer: The answer.
        user: Whose.
        k: How many; 0 is none.
        profile: Whether to show also what `facets` says of those earlier records. They are not
            named as evidence: `before_last` gives them.

    Returns:
        The answer.
    """
    if not k and not profile:
        return answer
    view = user.before(user.record(answer.record).time)
    plan = retrieved(answer.plan, view, k)
    if profile:
        known = view.allowing("prompt")
        plan = Facets().apply(plan, known, Facets().enroll(known, None))
    return replace(answer, plan=plan)


def before_last(found: Sequence[Answer], user: User) -> tuple[str, ...]:
    """Give the ids of the records that may be read and are strictly earlier than some answer."""
    last = max(user.record(answer.record).time for answer in found)
    return tuple(record.id for record in user.before(last).allowing("prompt").records)


def retrieved(plan: Plan, user: User, k: int) -> Plan:
    """Show the `k` best records that the person allows to be read, as `bm25` does.

    The index is made on the spot, in about 8 ms for 300 records: so it never misses the latest.

    Args:
        plan: The plan so far.
        user: The person.
        k: How many.

    Returns:
        The plan; the very same where an earlier method shows records already.
    """
    view = user.allowing("prompt")
    if not k or not view.records or plan.evidence:
        return plan
    search = Bm25(k=k)
    return search.apply(plan, view, search.enroll(view, None))


def examples(
    found: Iterable[Answer], owner: str = "", adapters: Sequence[Adapter] = ()
) -> tuple[Example, ...]:
    """Give answers as examples.

    Args:
        found: The answers.
        owner: Whose they are.
        adapters: What is attached, and stays as it is, while they are learned.

    Returns:
        One each.
    """
    return tuple(Example(adapted(a.plan, *adapters).main, a.text, owner) for a in found)


def records_of(*found: Iterable[Answer]) -> tuple[str, ...]:
    """Give the ids of all records that answers are, or show: a state's lineage."""
    names = (name for each in found for a in each for name in (*a.plan.evidence, a.record))
    return tuple(dict.fromkeys(names))


def taught(job: Job, lineage: Iterable[str]) -> Steps[State]:
    """Let a job be carried out, and give what it taught as a state.

    Args:
        job: What to learn.
        lineage: The ids of the records behind its examples.

    Returns:
        Its facts are the same whenever the same is taught: how long it took is not among them.
    """
    trained: list[Trained] = yield Train((job,))
    facts = {name: value for name, value in trained[0].facts.items() if name != "seconds"}
    return State(facts, trained[0].arrays, tuple(lineage))


def pointing(shared: State | None) -> State | None:
    """Give a person's state that holds nothing but the name of everyone's weights.

    The store keeps those as long as a state made from them is there, and forgets them together.

    Args:
        shared: What `fit` learned.

    Returns:
        The state; None where nothing was learned.

    Raises:
        InvalidPlan: If it is not kept yet, and so has no name.
    """
    return None if shared is None else State(facts={"adapter": shared.kept_name})


def half(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Give weights in half the bytes."""
    return {
        name: array if name == "scale" else array.astype(np.float16)
        for name, array in arrays.items()
    }


def adapted(plan: Plan, *adapters: Adapter) -> Plan:
    """Give a plan whose main stream has more adapters; the very same with none."""
    if not adapters:
        return plan
    return replace(plan, main=replace(plan.main, adapters=(*plan.main.adapters, *adapters)))


def modules(text: str) -> tuple[Module, ...]:
    """Read which modules are changed.

    Args:
        text: Their first letters or names, parted by blanks, such as `q v` or `q_proj v_proj`.

    Returns:
        Their names.

    Raises:
        Unknown: If there is no such module.
    """
    known: dict[str, Module] = {module.removesuffix("_proj"): module for module in MODULES}
    known |= {name[0]: module for name, module in known.items()}
    found = [re.sub("_proj$", "", name) for name in text.split()]
    for name in found:
        if name not in known:
            raise unknown("module", name, known)
    return tuple(known[name] for name in found)
