"""Which records states were made from; all inside the caller's transaction.

A list of records belongs to one state. A state that only grew from another takes its list over, and
adds what came since: so to learn of one more record costs the same however many are known.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    Column,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from ipse.state import SavedState
from ipse.store.schema import chunks, lineage, parents, states

__all__ = ["LISTED", "enter", "grows", "made_of", "of", "remove", "size_of"]

LISTED = lineage.c.list == states.c.lineage
"""Joins states with the records they were made from."""

_OF = (
    select(lineage.c.record)
    .join(states, LISTED)
    .where(states.c.id == bindparam("state"))
    .order_by(lineage.c.position)
)


def of(connection: Connection, state_id: str) -> tuple[str, ...]:
    """Give the records that a state was made from, in the method's order."""
    return tuple(connection.scalars(_OF, {"state": state_id}))


def size_of(listed: Column[str]) -> ScalarSelect[int]:
    """Give the query of how many records stand in the list that a column names."""
    return select(func.count()).where(lineage.c.list == listed).scalar_subquery()


def made_of(ids: Sequence[str] | Select[tuple[str]]) -> Select[tuple[str]]:
    """Give the query of the states that were made from some records themselves."""
    return select(states.c.id).join(lineage, LISTED).where(lineage.c.record.in_(ids))


def grows(connection: Connection, saved: SavedState, old: SavedState | None) -> bool:
    """Say whether a state only grew from the current one of its key, of which nothing is made."""
    if old is None or old.key != saved.key:
        return False
    if saved.state.lineage[: len(old.state.lineage)] != old.state.lineage:
        return False
    current = select(states.c.id).where(states.c.id == old.id, states.c.slot.is_not(None))
    child = select(parents.c.state).where(parents.c.parent == old.id).limit(1)
    return (
        connection.execute(current).first() is not None
        and connection.execute(child).first() is None
    )


def enter(connection: Connection, saved: SavedState, old: SavedState | None) -> None:
    """Enter what a new state was made from, whose row is there.

    Args:
        connection: A writer's.
        saved: The new state.
        old: The state that it only grew from, whose list it takes over; None where there is none.
    """
    name, known = saved.id, 0
    if old is not None:
        theirs = states.c.id == old.id
        name = connection.execute(select(states.c.lineage).where(theirs)).scalar_one()
        connection.execute(update(states).where(theirs).values(lineage=None))
        known = len(old.state.lineage)
    connection.execute(update(states).where(states.c.id == saved.id).values(lineage=name))
    new = enumerate(saved.state.lineage[known:], known)
    for chunk in chunks({"list": name, "position": n, "record": record} for n, record in new):
        connection.execute(insert(lineage), chunk)


def remove(connection: Connection, state_ids: Sequence[str]) -> None:
    """Remove what some states, at most a chunk, were made from; whose lists went on have none."""
    lists = select(states.c.lineage).where(states.c.id.in_(state_ids))
    connection.execute(delete(lineage).where(lineage.c.list.in_(lists)))
