"""What the process and the store take, in numbers; read from where they are, and nobody's name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measures", "measure"]

_STATM = Path("/proc/self/statm")  # pages: all, resident, shared and more


@dataclass(frozen=True)
class Measures:
    """How much there is just now.

    Attributes:
        resident: Bytes of memory the process holds; 0 where the system does not say.
        database: Bytes of the store's file, with its log.
        artifacts: Bytes of what was learned.
        threads: How many threads there are.
    """

    resident: int
    database: int
    artifacts: int
    threads: int


def measure(store: str | Path) -> Measures:
    """Look once.

    Args:
        store: The store's file.

    Returns:
        The numbers.
    """
    path = Path(store)
    beside = [path, path.with_name(f"{path.name}-wal")]
    folder = path.with_name(f"{path.name}.artifacts")
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return Measures(
        resident=_resident(),
        database=sum(file.stat().st_size for file in beside if file.is_file()),
        artifacts=sum(sizes),
        threads=len(os.listdir("/proc/self/task")) if _STATM.is_file() else 0,
    )


def _resident() -> int:
    if not _STATM.is_file():
        return 0
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
