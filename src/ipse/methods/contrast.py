"""Two readings of one request, with what is known of the person and without, for who fuses them.

The reading without is the plan as it was before any method. The reading with is what methods before
made of it; where there were none, the person's latest records are shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from ipse.methods.passage import with_records
from ipse.plan import Fusion, Plan, Stream
from ipse.records import User
from ipse.text import Form

__all__ = ["Reading", "against_generic", "with_context"]


class Reading(Protocol):
    """The settings of what is shown where no method before has shown anything."""

    @property
    def k(self) -> int:
        """How many of the latest records."""

    @property
    def form(self) -> Form:
        """Whether answers are shown as turns of a conversation, or all records as a list."""

    @property
    def given(self) -> int:
        """The most words of what a record answers to."""

    @property
    def limit(self) -> int:
        """The most words of what the person wrote."""


def with_context(plan: Plan, user: User, how: Reading) -> tuple[Plan, Stream] | None:
    """Give the plan whose main stream knows the person, and the generic stream beside it.

    Args:
        plan: The plan so far.
        user: The person.
        how: What is shown where nothing is yet.

    Returns:
        The plan and the stream; None where there is nothing to show.
    """
    generic = plan.generic or plan.main
    if plan.main == generic:
        records = user.latest(how.k)
        plan = with_records(plan, records, form=how.form, given=how.given, limit=how.limit)
    return None if plan.main == generic else (plan, generic)


def against_generic(
    plan: Plan,
    user: User,
    how: Reading,
    weight: float,
    kind: str = "contrast",
    settings: tuple[tuple[str, float], ...] = (),
) -> Plan:
    """Fuse the reading with what is known of the person and the one without, the fusion's anchor.

    Args:
        plan: The plan so far.
        user: The person.
        how: What is shown where nothing is yet.
        weight: How much the reading with it counts at strength 1; 0 is the generic model.
        kind: An anchored fusion.
        settings: Its settings.

    Returns:
        The plan; the very same where there is nothing to show.
    """
    found = with_context(plan, user, how)
    if found is None:
        return plan
    personal, generic = found
    fusion = Fusion(kind, (plan.strength * weight, 1.0), settings)
    return replace(personal, others=(generic,), fusion=fusion)
