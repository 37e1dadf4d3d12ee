"""Who asks, and for which person: the one place where that is decided.

A key is bound to a person, or to a service that may act for any. What a request says of the person
can only narrow what its key allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ipse.errors import Forbidden, UsageError
from ipse.records import check_user
from ipse.store import Key

__all__ = ["HEADER", "OPEN", "Caller", "named", "needed", "of_key", "person"]

HEADER = "x-ipse-user"
"""The header in which a service may name the person it asks for."""


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        key: The id of the key; "" in open mode.
        subject: The person the key is bound to.
        acting: Whether it may act for any person.
    """

    key: str
    subject: str | None
    acting: bool


OPEN = Caller("", None, acting=True)
"""Whoever asks a server that has no keys and listens to its own machine alone."""


def of_key(key: Key) -> Caller:
    """Give who asks with a key."""
    return Caller(key.id, key.subject, key.acting)


def named(*names: str | None) -> str | None:
    """Give the person that a request names, in whichever of the places it does.

    Args:
        *names: What stands in each of the places; None or "" is nobody.

    Returns:
        The person's id, which can be one; None where nobody is named.

    Raises:
        UsageError: If two places name two, or the id can be none.
    """
    given = _different(names)
    if len(given) > 1:
        raise UsageError(
            f"the request names {len(given)} people: {', '.join(map(repr, given))}. Name one"
        )
    return given[0] if given else None


def person(caller: Caller, name: str | None) -> str | None:
    """Give the person a request is answered for; there is no other way to one.

    Args:
        caller: Who asks.
        name: Whom the request names, if anybody.

    Returns:
        The person; None is nobody, who gets the generic model.

    Raises:
        Forbidden: If the key is not good for the person that is named.
    """
    if name is not None:
        _check(name)
    if caller.acting:
        return name
    if name is not None and name != caller.subject:
        raise Forbidden(
            f"this key is not good for {name!r}. Leave the name out, or use that person's key"
        )
    return caller.subject


def needed(caller: Caller, name: str | None) -> str:
    """Give the person a request is about, where it must be about one.

    Args:
        caller: Who asks.
        name: Whom the request names, if anybody.

    Returns:
        The person.

    Raises:
        Forbidden: If the key is not good for the person that is named.
        UsageError: If nobody is named, and the key is bound to nobody.
    """
    found = person(caller, name or None)
    if found is None:
        raise UsageError(
            "this is about one person: name them in the address, as user_id, or in the header "
            "X-Ipse-User"
        )
    return found


def _different(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(filter(None, names)))


def _check(name: str) -> None:
    """Refuse what can be nobody's id."""
    if name in (".", ".."):
        raise UsageError(f"a person's id cannot be {name!r}")
    check_user(name)
