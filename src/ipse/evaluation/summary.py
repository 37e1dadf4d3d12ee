"""From what was measured to what a table says."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean

from ipse.evaluation.run import GENERIC, Result
from ipse.evaluation.stats import Estimate, estimate, paired

__all__ = ["Row", "best", "rows", "verdict"]


@dataclass(frozen=True)
class Row:
    """One method's line in the table.

    Attributes:
        method: The composition.
        nats: Nats per token of the held-out answers; lower is better.
        gain: Generic minus method, over the same people; above 0 the method helps.
        personal: The same method with another person's records, minus with the person's own; above
            0 it is the person who helps, and not just any person's records.
        ms: Milliseconds a request takes to be planned and read.
        prompt_tokens: Tokens read a request.
        nbytes: Bytes stored a person, records apart.
        enroll_ms: Milliseconds to enroll a person.
    """

    method: str
    nats: Estimate
    gain: Estimate | None
    personal: Estimate | None
    ms: float
    prompt_tokens: float
    nbytes: float
    enroll_ms: float

    @property
    def helps(self) -> bool:
        """Whether it clearly beats both the generic model and another person's records."""
        return all(e is not None and e.clear and e.mean > 0 for e in (self.gain, self.personal))


def rows(result: Result) -> list[Row]:
    """Give the table: the generic model first, then the methods as they ran.

    Args:
        result: What was measured.

    Returns:
        One row a method.
    """
    generic = result.cell(GENERIC)
    base = generic.per_person
    people = list(base)
    first = Row(
        method=GENERIC,
        nats=estimate([base[user] for user in people]),
        gain=None,
        personal=None,
        ms=generic.plan_ms + generic.read_ms,
        prompt_tokens=generic.prompt_tokens,
        nbytes=0.0,
        enroll_ms=0.0,
    )
    return [first, *(_row(result, method, people) for method in result.methods)]


def best(table: list[Row]) -> Row | None:
    """Give the method with the lowest nats among those that clearly help; None where none does."""
    return min((row for row in table if row.helps), key=lambda row: row.nats.mean, default=None)


def verdict(table: list[Row]) -> str:
    """Say in one sentence what the table shows."""
    helping = [row.method for row in table if row.helps]
    failing = [row.method for row in table if row.method != GENERIC and not row.helps]
    if not helping:
        return "No method clearly beats both the generic model and another person's records."
    said = "Clearly better than the generic model and than another person's records, with both "
    said += f"95% intervals above zero: {', '.join(helping)}."
    return said + (f" Not clearly better than both: {', '.join(failing)}." if failing else "")


def _row(result: Result, method: str, people: list[str]) -> Row:
    cell = result.cell(method)
    own, other = cell.per_person, result.cell(method, "other").per_person
    base = result.cell(GENERIC).per_person
    mine = [own[user] for user in people]
    enrolled = [line for line in result.enrolled if line.method == method]
    return Row(
        method=method,
        nats=estimate(mine),
        gain=paired([base[user] for user in people], mine),
        personal=paired([other[user] for user in people], mine),
        ms=cell.plan_ms + cell.read_ms,
        prompt_tokens=cell.prompt_tokens,
        nbytes=mean(line.nbytes for line in enrolled),
        enroll_ms=1000 * mean(line.seconds for line in enrolled),
    )
