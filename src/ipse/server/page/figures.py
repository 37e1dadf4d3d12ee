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
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in served.observed.registry.collect()
        for sample in family.samples
    }
    written = found.get(("ipse_tokens_total", "completion"), 0)
    read = found.get(("ipse_tokens_total", "prompt"), 0)
    count, waited = found["ipse_first_token_seconds_count",], found["ipse_first_token_seconds_sum",]
    each, seconds = found["ipse_token_seconds_count",], found["ipse_token_seconds_sum",]
    shown = [
        ("Answers under way", f"{found['ipse_answers_under_way',]:.0f}"),
        ("Tokens read", f"{read:,.0f}"),
        ("Tokens written", f"{written:,.0f}"),
        ("First token", f"{1000 * waited / count:,.0f} ms" if count else "none yet"),
        ("Tokens a second, each", f"{each / seconds:,.1f}" if seconds else "none yet"),
    ]
    if ("ipse_queue",) not in found:
        return shown  # the backend does not know
    hit, miss = found["ipse_cache_tokens_total", "hit"], found["ipse_cache_tokens_total", "miss"]
    return [
        *shown,
        ("Answers waiting", f"{found['ipse_queue',]:.0f}"),
        ("Streams in the batch", f"{found['ipse_batch_rows',]:.0f}"),
        ("Read from cache", f"{hit / (hit + miss):.0%}" if hit + miss else "none yet"),
    ]
