"""What a run's tables say: one table for each task, model and measure, one row for each method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ipse.evaluation.grid import GENERIC
from ipse.evaluation.metrics import METRICS, Metric
from ipse.evaluation.stats import Comparison, Estimate

__all__ = ["Cost", "Row", "Table"]


@dataclass(frozen=True)
class Cost:
    """What a method costs.

    Attributes:
        ms: Milliseconds a request takes to be planned and run, batched as the backend batches.
        prompt_tokens: Tokens read a request.
        tokens: Tokens written or scored a request.
        enroll_ms: Milliseconds to add a person.
        nbytes: Bytes stored of a person, records apart.
        peak: The most memory the process held meanwhile, in bytes.
        personal: Bytes of a person's data in a request.
        kinds: Of which kinds of records they are.
        left: Bytes of a person's data sent to a server: a request, and to enroll them.
        read: Records read a request.
    """

    ms: float = 0.0
    prompt_tokens: float = 0.0
    tokens: float = 0.0
    enroll_ms: float = 0.0
    nbytes: float = 0.0
    peak: float = 0.0
    personal: float = 0.0
    kinds: tuple[str, ...] = ()
    left: tuple[float, float] = (0.0, 0.0)
    read: float = 0.0


@dataclass(frozen=True)
class Row:
    """One method's line in a table.

    Attributes:
        method: The composition.
        scores: Every score of the table, by metric.
        gain: How much better than the generic model, by the headline score.
        over_recent: How much better than the latest records in the prompt.
        personal: How much better than the same method with another person's records.
        cost: What it costs.
        saw: What it learned from everyone was learned from: people and records.
        people: Each person's headline score, where a person has one.
        control: The same with another person's records.
    """

    method: str
    scores: Mapping[str, Estimate]
    gain: Comparison | None = None
    over_recent: Comparison | None = None
    personal: Comparison | None = None
    cost: Cost = field(default_factory=Cost)
    saw: tuple[int, int] | None = None
    people: Mapping[str, float] = field(default_factory=dict)
    control: Mapping[str, float] = field(default_factory=dict)

    @property
    def helps(self) -> bool:
        """Whether it clearly beats both the generic model and another person's records."""
        return all(c is not None and c.better for c in (self.gain, self.personal))


@dataclass(frozen=True)
class Table:
    """What was found of one task with one model by one measure.

    Attributes:
        task: The task with its settings.
        model: The model's name in the grid.
        base: What identifies its weights.
        measure: What was done with items.
        metrics: The scores, the headline first.
        rows: The generic model first, then the methods as they ran.
        items: How many items.
        records: Each person's number of records.
        groups: The headline score by group of items and method, where items have groups.
    """

    task: str
    model: str
    base: str
    measure: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    items: int
    records: Mapping[str, int]
    groups: Mapping[str, Mapping[str, Estimate]]

    @property
    def headline(self) -> Metric:
        """The score that methods are compared by."""
        return METRICS[self.metrics[0]]

    @property
    def people(self) -> int:
        """How many people."""
        return max(row.scores[self.metrics[0]].people for row in self.rows)

    @property
    def best(self) -> Row | None:
        """The best of the methods that clearly help; None where none does."""
        sign = -1 if self.headline.lower else 1
        helping = [row for row in self.rows if row.helps]
        return max(helping, key=lambda r: sign * r.scores[self.metrics[0]].mean, default=None)

    @property
    def verdict(self) -> str:
        """What it shows, in a sentence or two."""
        if not any(row.gain for row in self.rows):  # nothing is read, so nobody is generic
            return self._ranking
        helping = [row.method for row in self.rows if row.helps]
        failing = [r.method for r in self.rows if r.method != GENERIC and not r.helps]
        if not helping:
            return "No method clearly beats both the generic model and another person's records."
        said = (
            "Clearly better than the generic model and than another person's records "
            f"(permutation tests, Holm-corrected, p < 0.05): {', '.join(helping)}."
        )
        return said + (f" Not clearly better than both: {', '.join(failing)}." if failing else "")

    @property
    def _ranking(self) -> str:
        """Say which search finds most."""
        name = self.metrics[0]
        best = max(self.rows, key=lambda row: row.scores[name].mean)
        beaten = [r.method for r in self.rows if r.over_recent and r.over_recent.better]
        said = f"{best.method} finds most: {self.headline.title} {best.scores[name].mean:.3f}."
        return said + (f" Clearly better than recent: {', '.join(beaten)}." if beaten else "")
