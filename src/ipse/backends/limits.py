"""How much the local backend may have under way at once; importing this imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ipse.errors import UsageError

__all__ = ["Limits"]

_MAY_BE_NOTHING = frozenset({"attached", "kept"})


@dataclass(frozen=True)
class Limits:
    """How much may be under way at once; each is a setting of the same name.

    Attributes:
        rows: Streams that are read or written in one step.
        memory: Bytes of keys and values.
        attached: Bytes of adapters, prefixes and steering vectors, of one model.
        kept: Bytes of beginnings that were read before, of one model.
        reading: Prompt tokens read in a step in which others write.
        alone: Prompt tokens read in a step in which nobody writes, so nobody waits.
    """

    rows: int = 64
    memory: int = 2 << 30
    attached: int = 1 << 30
    kept: int = 256 << 20
    reading: int = 128
    alone: int = 512

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            least, value = int(name not in _MAY_BE_NOTHING), getattr(self, name)
            if value < least:
                raise UsageError(f"the limit {name} must be at least {least}; got {value}")
