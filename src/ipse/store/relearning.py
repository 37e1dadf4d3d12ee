"""When what is known of a person is to be learned anew: after so many new records.

How many are new is counted with the records, so to know it costs a write nothing that grows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, bindparam, exists, or_, select, update

from ipse.store.schema import IDS, chunks, owned, states, users
from ipse.store.served import jobs, paused

__all__ = ["Relearn", "begun", "due"]


@dataclass(frozen=True)
class Relearn:
    """A rule: who is learned of anew, and by what.

    Attributes:
        every: After so many new records.
        methods: The composition that learns.
        trained: The names of those of its methods that train: others learn by themselves.
        fewest: How many records a person has, at least, whom none of those knows yet.
    """

    every: int
    methods: str
    trained: tuple[str, ...]
    fewest: int = 1


_TRAINED: BindParameter[str] = bindparam("trained", expanding=True)

# Made once, for every write runs it; each part of it looks at one person's rows, by an index.
_DUE = select(users.c.id).where(
    users.c.id.in_(IDS),
    users.c.unlearned >= bindparam("every"),
    or_(
        users.c.records >= bindparam("fewest"),
        exists().where(owned(states, users.c.id), states.c.method.in_(_TRAINED)),
    ),
    ~exists().where(owned(paused, users.c.id)),
    ~exists().where(
        owned(jobs, users.c.id),
        jobs.c.status == "queued",
        jobs.c.methods == bindparam("methods"),
        jobs.c.kind != "fit",
    ),
)


def due(connection: Connection, rule: Relearn, people: Iterable[str]) -> list[str]:
    """Say who of some people is to be learned of, and has no job that waits.

    Args:
        connection: A writer's.
        rule: The rule.
        people: Their ids.

    Returns:
        The ids of those, in order.
    """
    given = {name: getattr(rule, name) for name in ("every", "fewest", "methods", "trained")}
    found: list[str] = []
    for chunk in chunks(people):
        found += connection.scalars(_DUE, {**given, "ids": chunk})
    return sorted(found)


def begun(connection: Connection, user: str | None) -> None:
    """Count anew, for all that is there is being learned now.

    Args:
        connection: A writer's.
        user: Of whom; None is everybody.
    """
    whose = users.c.unlearned > 0 if user is None else owned(users, user)
    connection.execute(update(users).where(whose).values(unlearned=0))
