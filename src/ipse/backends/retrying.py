"""How long to wait before a request is sent again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["backoff", "retry_after"]


def backoff(attempt: int) -> float:
    """Give the seconds to wait after so many tries, counted from 0: longer each time, at random."""
    return float(min(8.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0))


def retry_after(value: str) -> float | None:
    """Read a Retry-After header, which gives seconds or a date; None if it gives neither."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
