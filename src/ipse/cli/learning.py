"""Commands about what is learned of people: enroll and profile."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer
from rich.progress import track

from ipse.cli.call import Call, Method, command
from ipse.cli.output import ERR, table
from ipse.engine import Ipse
from ipse.errors import UnknownUser
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
) -> None:
    """Learn of a person, or of everybody, before any question is asked."""
    with call.engine(user, method) as engine:
        fitted = [_state(saved) for saved in engine.fit(method)] if fit else []
        people = [user] if user else list(engine.store.everybody())
        bar = track(people, "Enrolling", console=ERR, transient=True, disable=not ERR.is_terminal)
        kept = [_state(saved) for person in bar for saved in _enrolled(engine, person, method)]
    counts = Counter(state["method"] for state in [*fitted, *kept])
    shown = [table(("method", "states"), sorted(counts.items()))] if counts else []
    data = {"people": len(people), "fitted": fitted, "states": kept}
    call.answer(data, f"Enrolled {len(people):,} people: {len(kept):,} states", *shown)


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


def _enrolled(engine: Ipse, user: str, method: str | None) -> list[SavedState]:
    try:
        return engine.enroll(user, method)
    except UnknownUser:  # forgotten since the list was made
        return []


def _state(saved: SavedState) -> dict[str, Any]:
    return {
        "id": saved.id,
        "user": saved.key.user,
        "method": saved.key.method,
        "records": len(saved.state.lineage),
    }
