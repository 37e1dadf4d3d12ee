"""How a thing with settings is written in one word: `name:key=value,key=value`.

Methods and tasks are frozen dataclasses; this file reads and writes their fields. It knows neither.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import Field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from ipse.errors import UsageError, unknown

__all__ = ["read_settings", "write_settings"]


def read_settings(cls: type, name: str, text: str, but: Collection[str] = ()) -> dict[str, Any]:
    """Read settings as the types their fields have.

    Args:
        cls: A frozen dataclass; every field that its constructor takes is a setting.
        name: What it is called, for messages.
        text: The settings, `key=value` joined by commas; "" is none.
        but: Fields that are no settings.

    Returns:
        The values by field.

    Raises:
        UsageError: If a setting or its value is not known; the message names what is.
    """
    kinds = get_type_hints(cls)
    known = {field.name for field in fields(cls)} - set(but)
    values: dict[str, Any] = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if key not in known:
            raise unknown(f"setting of {name!r}", key, known)
        if not equals:
            raise UsageError(f"a setting is written {key}=VALUE; got {pair!r}")
        values[key] = _value(name, key, unquote(value), kinds[key])
    return values


def write_settings(name: str, thing: Any, but: Collection[str] = ()) -> str:
    """Write a thing so that `read_settings` reads it back: only what is not the default.

    Args:
        name: What it is called.
        thing: An instance of a frozen dataclass.
        but: Fields that are no settings.

    Returns:
        Such as `bm25:k=4,diversity=0.3`.
    """
    changed = [
        f"{field.name}={_quoted(getattr(thing, field.name))}"
        for field in _settings(thing)
        if field.name not in but and getattr(thing, field.name) != field.default
    ]
    return f"{name}:{','.join(changed)}" if changed else name


def _settings(thing: Any) -> tuple[Field[Any], ...]:
    return fields(thing)


def _quoted(value: object) -> str:
    """Write a value so that the signs that part settings stand for nothing in it."""
    return "".join(f"%{ord(c):02X}" if c in "%,+:=" else c for c in str(value))


def _value(name: str, key: str, text: str, kind: Any) -> Any:
    """Read one setting as the type its field has."""
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise unknown(f"{key} of {name!r}", text, get_args(kind))
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{key} of {name!r} must be true or false; got {text!r}")
        return text.lower() == "true"
    try:
        return kind(text)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{key} of {name!r} must be of type {getattr(kind, '__name__', kind)}; got {text!r}"
        ) from error
