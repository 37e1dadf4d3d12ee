"""Commands about what is learned of people: enroll and profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, Method, command
from ipse.cli.output import table
from ipse.cli.waiting import waiting
from ipse.state import SavedState

__all__ = ["enroll", "profile"]


@command
def enroll(
    call: Call,
    user: Annotated[str | None, typer.Argument(help="Who; everybody if not given.")] = None,
    method: Method = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="First learn from everybody who shares.")
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Also of everybody who is up to date.")
    ] = False,
) -> None:
    """Learn of a person anew; of everybody, what is missing or out of date.

    Whoever is stopped runs it again: it goes on where it stood.
    """
    parts = 2 if fit else 1
    with call.engine(user, method) as engine, waiting() as told:
        fitted = engine.fit(method, lambda what, share: told(what, share / parts)) if fit else []
        kept = engine.refresh(
            user,
            method,
            lambda what, share: told(what, (parts - 1 + share) / parts),
            anew=anew or user is not None,
        )
        people = 1 if user else sum(1 for _ in engine.store.everybody())
    counts = Counter(saved.key.method for saved in [*fitted, *kept])
    shown = [table(("method", "states"), sorted(counts.items()))] if counts else []
    data = {"people": people, "fitted": _states(fitted), "states": _states(kept)}
    call.answer(data, f"Enrolled {people:,} people: {len(kept):,} states", *shown)


@command
def profile(
    call: Call,
    user: Annotated[str, typer.Argument(help="Who.")],
    method: Method = "facets+profile",
) -> None:
    """Say in words what is known of a person."""
    with call.engine(user, method) as engine:
        text = engine.profile(user, method or "facets+profile")
    call.answer({"user": user, "profile": text}, text or f"Nothing can be said of {user} yet.")


def _states(kept: Iterable[SavedState]) -> list[dict[str, Any]]:
    return [
        {
            "id": saved.id,
            "user": saved.key.user,
            "method": saved.key.method,
            "records": len(saved.state.lineage),
        }
        for saved in kept
    ]
