"""Numbers that are read when somebody asks for them: what waits, runs and was read before."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ipse.engine import Ipse

__all__ = ["Gauges"]


class Gauges(Collector):
    """What the model and the jobs are about.

    Args:
        engine: Knows both.
    """

    def __init__(self, engine: Ipse) -> None:
        self._engine = engine

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing ahead: whoever registers this must not wait for the store."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Read the numbers; those of a backend that does not know them are left out."""
        jobs = GaugeMetricFamily("ipse_jobs", "Jobs that wait or run.", labels=["status"])
        for status, count in self._engine.store.jobs.counts().items():
            jobs.add_metric([status], count)
        yield jobs
        now = self._engine.lm.under_way()
        if now is None:
            return
        yield GaugeMetricFamily("ipse_queue", "Answers that wait for room.", now.waiting)
        yield GaugeMetricFamily("ipse_batch_rows", "Streams in the batch.", now.rows)
        yield GaugeMetricFamily("ipse_cache_bytes", "Of beginnings read before.", now.kept)
        tokens = CounterMetricFamily(
            "ipse_cache_tokens",
            "Tokens of prompts: a hit was read before, a miss is read now.",
            labels=["kind"],
        )
        tokens.add_metric(["hit"], now.found)
        tokens.add_metric(["miss"], now.looked_up - now.found)
        yield tokens
