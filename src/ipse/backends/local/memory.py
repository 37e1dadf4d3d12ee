"""Keep freed memory in the process, so that the next step need not ask the system for it again.

A step makes and frees tensors of megabytes. The C library of Linux gives each of them back at once,
and the system hands out zeroed pages anew at the first touch, one fault every 4 kB, which can cost
more than the arithmetic. What is kept is at most what was in use at the busiest moment.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

# The numbers of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4

_KEPT = 2**31 - 1
_AHEAD = 64 << 20
"""Bytes that are taken at once when more is needed."""


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; elsewhere, or if `IPSE_KEEP_MEMORY` is 0, do nothing.

    Returns:
        Whether it was told.
    """
    if not sys.platform.startswith("linux") or os.environ.get("IPSE_KEEP_MEMORY") == "0":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEPT), (_TOP_PAD, _AHEAD))
    return all(mallopt(name, value) == 1 for name, value in settings)
