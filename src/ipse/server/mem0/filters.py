"""mem0's filters: which memories are meant, and whose.

{"user_id": "ada", "topic": "food"}
{"AND": [{"user_id": "ada"}, {"OR": [{"topic": "food"}, {"created_at": {"gte": "2026-01-01"}}]}]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ipse.errors import UsageError
from ipse.records import Record

__all__ = ["matches", "people"]

_TIMES = ("created_at", "updated_at")
_DEEPEST = 16


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def either(found: Any, wanted: Any) -> bool:
        try:
            return compare(found, wanted)
        except TypeError:  # a number and a text, or nothing at all
            return False

    return either


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, wanted: found == wanted,
    "ne": lambda found, wanted: found != wanted,
    "in": _ordered(lambda found, wanted: found in wanted),
    "nin": _ordered(lambda found, wanted: found not in wanted),
    "gt": _ordered(lambda found, wanted: found > wanted),
    "gte": _ordered(lambda found, wanted: found >= wanted),
    "lt": _ordered(lambda found, wanted: found < wanted),
    "lte": _ordered(lambda found, wanted: found <= wanted),
    "contains": lambda found, wanted: str(wanted) in str(found),
    "icontains": lambda found, wanted: str(wanted).lower() in str(found).lower(),
}


def people(filters: Mapping[str, Any]) -> Iterator[str]:
    """Give whom filters name: where all must hold, for a request is of one person.

    Args:
        filters: The filters.

    Yields:
        The people's ids.

    Raises:
        UsageError: If a person is named by anything but their id.
    """
    for key, value in filters.items():
        if key == "user_id":
            if not isinstance(value, str):
                raise UsageError(f"user_id must be one person's id; got {value!r}")
            yield value
        elif key == "AND":
            for each in _list(key, value):
                yield from people(each)


def matches(record: Record, filters: Mapping[str, Any], depth: int = 0) -> bool:
    """Say whether a record is meant.

    Args:
        record: The record.
        filters: The filters; whom they name is looked at elsewhere.
        depth: How many others these stand in.

    Returns:
        Whether all of them hold.

    Raises:
        UsageError: If a filter is none, or they stand too deep in each other.
    """
    if depth > _DEEPEST:
        raise UsageError(f"filters may stand {_DEEPEST} deep in each other, and no deeper")
    return all(_holds(record, key, value, depth) for key, value in filters.items())


def _holds(record: Record, key: str, value: Any, depth: int) -> bool:
    if key in ("AND", "OR", "NOT"):
        each = [matches(record, inner, depth + 1) for inner in _list(key, value)]
        return all(each) if key == "AND" else any(each) if key == "OR" else not any(each)
    if key == "user_id":
        return bool(value == record.user)
    found = record.time if key in _TIMES else record.meta.get(key)
    if value == "*":
        return found is not None
    wanted = value if isinstance(value, dict) else {"eq": value}
    return all(_compares(found, key, name, than) for name, than in wanted.items())


def _compares(found: Any, key: str, operator: str, wanted: Any) -> bool:
    if operator not in _OPERATORS:
        known = ", ".join(_OPERATORS)
        raise UsageError(f"unknown operator {operator!r} in the filter of {key!r}. Known: {known}")
    if operator in ("in", "nin") and not isinstance(wanted, list):
        raise UsageError(f"{operator!r} in the filter of {key!r} needs a list; got {wanted!r}")
    if key in _TIMES:
        wanted = (
            [_time(key, one) for one in wanted] if isinstance(wanted, list) else _time(key, wanted)
        )
    return _OPERATORS[operator](found, wanted)


def _time(key: str, text: Any) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key} is compared with an ISO 8601 time; got {text!r}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _list(key: str, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise UsageError(f"{key} needs a list of filters; got {value!r}")
    return value
