"""Previous states of a key, kept to go back to; all inside the caller's transaction.

Whatever takes minutes to learn may turn out worse than what it replaced. So the latest few that
were replaced stay, whole, until newer ones push them out or a record they were made from goes.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, insert, select, update

from ipse.errors import Conflict, Unknown
from ipse.store.schema import parents, states, versions
from ipse.store.states import current

__all__ = ["is_previous", "keep_previous", "restore", "supersede"]


def keep_previous(connection: Connection, state_id: str, slot: str) -> None:
    """Keep a state that is not current to go back to."""
    connection.execute(insert(versions).values(state=state_id, slot=slot))


def is_previous(connection: Connection, state_id: str) -> bool:
    """Say whether a state is kept to go back to."""
    query = select(versions.c.state).where(versions.c.state == state_id)
    return connection.execute(query).first() is not None


def supersede(connection: Connection, slot: str, most: int, artifact: str | None) -> list[str]:
    """Make the current state of a key current no longer.

    Args:
        connection: A writer's.
        slot: The key's.
        most: How many previous states to keep, the latest.
        artifact: What comes next; nobody goes back to the same arrays.

    Returns:
        The states that nobody can go back to any more.
    """
    row = current(connection, slot)
    given_up: list[str] = []
    if row is not None:
        connection.execute(update(states).where(states.c.id == row.id).values(slot=None))
        if row.artifact is not None and row.artifact == artifact:
            given_up.append(row.id)
        else:
            keep_previous(connection, row.id, slot)
    mine = select(versions.c.state).join(states, states.c.id == versions.c.state)
    mine = mine.where(versions.c.slot == slot)
    latest = connection.scalars(mine.order_by(states.c.made.desc(), states.c.id.desc()))
    over = list(latest)[most:]
    connection.execute(delete(versions).where(versions.c.state.in_(over)))
    return [*given_up, *over]


def restore(connection: Connection, state_id: str) -> None:
    """Make a previous state current again; the current one becomes a previous one.

    Args:
        connection: A writer's.
        state_id: The previous state.

    Raises:
        Unknown: If it is no previous state.
        Conflict: If it was made from a state that is not current, so it would not be used.
    """
    mine = versions.c.state == state_id
    slot = connection.execute(select(versions.c.slot).where(mine)).scalar()
    if slot is None:
        raise Unknown(f"there is no previous state {state_id!r}. Run: ipse adapters list")
    replaced = exists().where(states.c.id == parents.c.parent, states.c.slot.is_(None))
    stale = select(parents.c.parent).where(parents.c.state == state_id, replaced)
    if (parent := connection.execute(stale.limit(1)).scalar()) is not None:
        raise Conflict(
            f"{state_id!r} was made from the state {parent!r}, which has been replaced since; "
            "it would not be used. Roll that one back first, or run: ipse enroll"
        )
    row = current(connection, slot)
    if row is not None:
        connection.execute(update(states).where(states.c.id == row.id).values(slot=None))
        keep_previous(connection, row.id, slot)
    connection.execute(delete(versions).where(mine))
    connection.execute(update(states).where(states.c.id == state_id).values(slot=slot))
