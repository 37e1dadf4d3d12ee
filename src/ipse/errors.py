"""Every error Ipse raises on purpose, in one tree.

    IpseError
    ├── UsageError              the caller can mend it: exit status 2
    │   ├── InvalidRecord       a record that breaks a rule of records.py (HTTP 422)
    │   ├── InvalidFeedback     what was said of a reply says nothing (422)
    │   ├── InvalidPlan         a plan or composition that contradicts itself (422)
    │   ├── InvalidJob          a job that contradicts itself, or has nothing to learn from (422)
    │   ├── InvalidFile         an import, export or settings file that cannot be read (422)
    │   ├── Unknown             a name nobody has: method, backend, task, setting (404)
    │   │   ├── UnknownUser
    │   │   ├── UnknownRecord
    │   │   └── UnknownReply
    │   ├── Conflict            what is there already says otherwise (409)
    │   ├── Unauthorized        no key, or one that is good for nothing (401)
    │   ├── Forbidden           a key that is not good for this (403)
    │   ├── TooMany             more requests than a key may send (429)
    │   ├── NotCarried          the backend does not carry what the plan needs (422)
    │   └── MissingExtra        an optional dependency is not installed (501)
    └── Failure                 the caller did nothing wrong: exit status 1
        ├── BackendFailure      a model or server did not answer (502)
        ├── TooSlow             a request that took longer than it may (504)
        └── StoreFailure        a database or artefact that is damaged or out of reach (503)

A message gives the value at fault, the known choices and the next command.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "BackendFailure",
    "Conflict",
    "Failure",
    "Forbidden",
    "InvalidFeedback",
    "InvalidFile",
    "InvalidJob",
    "InvalidPlan",
    "InvalidRecord",
    "IpseError",
    "MissingExtra",
    "NotCarried",
    "StoreFailure",
    "TooMany",
    "TooSlow",
    "Unauthorized",
    "Unknown",
    "UnknownRecord",
    "UnknownReply",
    "UnknownUser",
    "UsageError",
    "missing_extra",
    "unknown",
]


class IpseError(Exception):
    """The root of the tree; catch this to catch everything Ipse raises on purpose."""

    status = 500


class UsageError(IpseError):
    """The caller can mend it."""

    status = 422


class InvalidRecord(UsageError):
    """A record breaks a rule of `ipse.records`."""


class InvalidFeedback(UsageError):
    """What was said of a reply says nothing of what the person prefers."""


class InvalidPlan(UsageError):
    """A plan contradicts itself, or two methods claim the same single slot."""


class InvalidJob(UsageError):
    """A job contradicts itself, or has nothing to learn from."""


class InvalidFile(UsageError):
    """A file that was to be read is not what it should be."""


class Unknown(UsageError):
    """A name nobody has."""

    status = 404


class UnknownUser(Unknown):
    """No such person in this store."""


class UnknownRecord(Unknown):
    """No such record in this store."""


class UnknownReply(Unknown):
    """No such reply to this person is kept."""


class Conflict(UsageError):
    """What is there already says otherwise."""

    status = 409


class Unauthorized(UsageError):
    """There is no key, or it is good for nothing."""

    status = 401


class Forbidden(UsageError):
    """The key is not good for this."""

    status = 403


class TooMany(UsageError):
    """More requests than a key may send.

    Attributes:
        wait: Seconds until the next is taken.
    """

    status = 429

    def __init__(self, message: str, wait: float = 1.0) -> None:
        """Say what is too many.

        Args:
            message: What to say.
            wait: Seconds until the next is taken.
        """
        Exception.__init__(self, message)
        self.wait = wait


class NotCarried(UsageError):
    """The backend does not carry what the plan needs."""


class MissingExtra(UsageError):
    """An optional dependency is not installed."""

    status = 501


class Failure(IpseError):
    """The caller did nothing wrong."""


class BackendFailure(Failure):
    """A model or a server did not answer."""

    status = 502


class TooSlow(Failure):
    """A request took longer than it may."""

    status = 504


class StoreFailure(Failure):
    """A database or an artefact is damaged or out of reach."""

    status = 503


def unknown(what: str, name: str, known: Iterable[str], error: type[Unknown] = Unknown) -> Unknown:
    """Say that a name is not known, which names are, and which was probably meant.

    Args:
        what: The sort of thing that was looked up, such as `method`.
        name: The name that was given.
        known: The names there are.
        error: The error to build.

    Returns:
        The error, ready to be raised.
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    choices = ", ".join(names) or "none"
    return error(f"unknown {what} {name!r}.{hint} Known: {choices}")


def missing_extra(package: str, extra: str, command: str = "") -> MissingExtra:
    """Say that an optional dependency is not installed, and how to get it.

    Args:
        package: What is missing.
        extra: The extra of ours that brings it.
        command: What installs it, where the extra does not.

    Returns:
        The error, ready to be raised.
    """
    command = command or f"pip install 'ipse[{extra}]'"
    return MissingExtra(f"{package!r} is not installed. Run: {command}")
