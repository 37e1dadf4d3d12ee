"""What the server has counted since it began: throughput, and how long people wait."""

from __future__ import annotations

from ipse.server.context import Served

__all__ = ["figures"]


def figures(served: Served) -> list[tuple[str, str]]:
    """Read the numbers of `/metrics` that say most.

    Args:
        served: What counts them.

    Returns:
        Titles and numbers.
    """
    found = served.observed.registry.get_sample_value
    written = found("ipse_tokens_total", {"kind": "completion"}) or 0.0
    read = found("ipse_tokens_total", {"kind": "prompt"}) or 0.0
    count = found("ipse_first_token_seconds_count") or 0.0
    waited = (found("ipse_first_token_seconds_sum") or 0.0) / count if count else 0.0
    each, seconds = found("ipse_token_seconds_count"), found("ipse_token_seconds_sum")
    return [
        ("API answers under way", f"{found('ipse_answers_under_way') or 0:.0f}"),
        ("API tokens read", f"{read:,.0f}"),
        ("API tokens written", f"{written:,.0f}"),
        ("API first token", f"{1000 * waited:,.0f} ms"),
        ("API tokens a second", f"{each / seconds:,.1f}" if each and seconds else "0"),
    ]
