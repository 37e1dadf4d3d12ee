"""Pages of long lists, and the cursors that say where the next one begins."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ipse.errors import UsageError
from ipse.store.schema import is_text

__all__ = ["counted", "decode", "encode"]

_MOST = 2**31 - 1  # items of a list
_NUMBERS = range(-(2**63), 2**63)  # what a column of whole numbers holds


def counted(name: str, value: int, least: int = 1) -> int:
    """Give how many items are asked for, or raise `UsageError`."""
    if not least <= value <= _MOST:
        raise UsageError(f"{name} must be between {least} and {_MOST}; got {value}")
    return value


def encode(*parts: object) -> str:
    """Give a cursor that stands for some texts and whole numbers."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def decode(cursor: str, types: tuple[type, ...]) -> list[Any]:
    """Give what a cursor stands for, or raise `UsageError` where it is of another list."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    known = isinstance(parts, list) and tuple(type(part) for part in parts) == types
    if not known or not all(map(_fits, parts)):
        raise UsageError(f"{cursor!r} is no cursor of this list. Leave it out to begin again")
    return list(parts)


def _fits(part: str | int) -> bool:
    return is_text(part) if isinstance(part, str) else part in _NUMBERS
