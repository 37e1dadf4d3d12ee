"""Composition: methods folded over a plan, and the one dial that every composition obeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ipse.errors import InvalidPlan
from ipse.lm import LM
from ipse.methods.base import LEVELS, Method
from ipse.methods.steps import finish
from ipse.plan import Fusion, Plan
from ipse.records import User
from ipse.state import SavedState, State

__all__ = ["Learned", "dial", "has_a_say", "in_order", "personalize"]


@dataclass(frozen=True)
class Learned:
    """A method, ready to be applied for one person.

    Attributes:
        method: The method.
        state: What it learned of the person.
        state_id: The id the store knows that state by.
    """

    method: Method
    state: State | None = None
    state_id: str = ""

    @classmethod
    def of(cls, method: Method, saved: SavedState | None) -> Learned:
        """Give a method with what a store kept of it, if anything."""
        return cls(method, saved.state, saved.id) if saved else cls(method)


def in_order(methods: Sequence[Method]) -> tuple[Method, ...]:
    """Put methods in the order they are applied: by level, and as given within a level."""
    return tuple(sorted(methods, key=lambda method: LEVELS.index(method.level)))


def personalize(generic: Plan, user: User, learned: Sequence[Learned], lm: LM) -> Plan:
    """Fold methods over a plan.

    Args:
        generic: The plan before; its strength is the dial.
        user: The person; a method is handed only what they allow it.
        learned: The methods, in order.
        lm: Answers what a method asks for on its way.

    Returns:
        The personal plan; at strength 0, or where no method has anything to say, the generic one.

    Raises:
        InvalidPlan: If two methods claim the same single slot.
    """
    if generic.strength == 0:
        return generic
    plan = start = replace(generic, generic=generic.main)
    for item in learned:
        before = plan
        plan = finish(item.method.apply(before, user.allowing(item.method.use), item.state), lm)
        _check_slots(before, plan, item.method)
        if item.state_id and plan != before:
            plan = replace(plan, states=(*plan.states, item.state_id))
    if plan.candidates > 1:  # an answer leans on what chooses it
        names = [item.state_id for item in learned if item.state_id and has_a_say(item.method)]
        plan = replace(plan, states=tuple(dict.fromkeys((*plan.states, *names))))
    return generic if plan == start else dial(generic, replace(plan, generic=None))


def has_a_say(method: Method) -> bool:
    """Say whether a method can say how much a person likes an answer."""
    return type(method).rewards is not Method.rewards


def dial(generic: Plan, personal: Plan) -> Plan:
    """Give a plan between the generic and the personal one, by the plan's strength.

    `log p = s log p_personal + (1 - s) log p_generic`, renormalized: at 0 the generic model's text
    token for token, at 1 the method as published. A plan with a fusion of its own already obeys it.
    Where nothing but hidden states are steered, the vectors are scaled, and nothing is read twice.
    How many candidates there are is the method's own dial: fewer are nearer to the generic model.

    Args:
        generic: The plan without methods.
        personal: The plan with them.

    Returns:
        The plan to run.
    """
    strength = personal.strength
    main = personal.main
    if strength == 1 or personal.fusion is not None or main == generic.main:
        return personal
    if replace(main, steering=()) == generic.main:
        steering = tuple(replace(each, scale=each.scale * strength) for each in main.steering)
        return replace(personal, main=replace(main, steering=steering))
    weights = (strength, 1 - strength)
    return replace(personal, others=(generic.main,), fusion=Fusion("linear", weights))


def _check_slots(before: Plan, after: Plan, method: Method) -> None:
    """Refuse a second claim on what there is only one of."""
    slots: dict[str, tuple[object, object]] = {
        "fusion": (before.fusion, after.fusion),
        "candidates": (_several(before), _several(after)),
        "prefix": (before.main.prefix, after.main.prefix),
        "model": (before.main.model, after.main.model),
    }
    for name, (old, new) in slots.items():
        if old is not None and new != old:
            raise InvalidPlan(
                f"{method.name!r} sets the {name} that an earlier method has set to {old!r}; "
                "a composition has room for one. Leave one of them out"
            )


def _several(plan: Plan) -> int | None:
    return plan.candidates if plan.candidates > 1 else None
