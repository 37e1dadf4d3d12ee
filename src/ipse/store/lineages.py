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
from ipse.store.schema import chunks, lineage, lineages, parents, states

__all__ = ["enter", "grows", "made_of", "of", "remove", "size_of"]

_LISTED = lineage.c.list == lineages.c.list
_OF = (
    select(lineage.c.record)
    .join(lineages, _LISTED)
    .where(lineages.c.state == bindparam("state"))
    .order_by(lineage.c.position)
)


def of(connection: Connection, state_id: str) -> tuple[str, ...]:
    """Give the records that a state was made from, in the method's order."""
    return tuple(connection.scalars(_OF, {"state": state_id}))


def size_of(state: Column[str]) -> ScalarSelect[int]:
    """Give the query of how many records the state in a column was made from."""
    count = select(func.count()).select_from(lineage.join(lineages, _LISTED))
    return count.where(lineages.c.state == state).scalar_subquery()


def made_of(ids: Sequence[str] | Select[tuple[str]]) -> Select[tuple[str]]:
    """Give the query of the states that were made from some records themselves."""
    query = select(lineages.c.state).join(lineage, _LISTED)
    return query.where(lineage.c.record.in_(ids))


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
    if old is None:
        connection.execute(insert(lineages), {"state": saved.id, "list": name})
    else:
        mine = lineages.c.state == old.id
        name = connection.execute(select(lineages.c.list).where(mine)).scalar_one()
        connection.execute(update(lineages).where(mine).values(state=saved.id))
        known = len(old.state.lineage)
    new = enumerate(saved.state.lineage[known:], known)
    for chunk in chunks({"list": name, "position": n, "record": record} for n, record in new):
        connection.execute(insert(lineage), chunk)


def remove(connection: Connection, state_ids: Sequence[str]) -> None:
    """Remove what some states, at most a chunk, were made from; whose lists went on have none."""
    lists = select(lineages.c.list).where(lineages.c.state.in_(state_ids))
    connection.execute(delete(lineage).where(lineage.c.list.in_(lists)))
    connection.execute(delete(lineages).where(lineages.c.state.in_(state_ids)))
