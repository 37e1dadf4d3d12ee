"""The demo: real people's records, methods of the input and the model level, their own words."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ipse.evaluation.grid import Grid
from ipse.evaluation.ledger import read_run
from ipse.evaluation.report import Example, write_report
from ipse.evaluation.run import STORE, Progress, remove, run
from ipse.evaluation.summary import Table
from ipse.evaluation.tabulate import tables
from ipse.evaluation.task import Person
from ipse.evaluation.tasks import open_task
from ipse.lifecycle import Lifecycle
from ipse.lm import LM
from ipse.methods import Chooser, Learned, Method, parse, personalize, spec, write
from ipse.plan import Plan, Sampling
from ipse.store import Store
from ipse.text import ends, one_line

__all__ = ["DEMO_METHODS", "Demo", "run_demo"]

_SHARED = "shared-adapter:records=3,epochs=1"

DEMO_METHODS = (
    "recent", "bm25", "dense", "hybrid", "profile", "facets", _SHARED, f"recent+{_SHARED}",
)  # fmt: skip
"""Every method that needs no training, and one that does: half a minute, on other people."""

_ANSWER = Sampling(max_tokens=40)


@dataclass(frozen=True)
class Demo:
    """What the demo found.

    Attributes:
        table: Everything that was measured.
        example: One question answered before and after.
        report: Where the report is.
        shared_topics: The share of held-out answers on whose topic the other person wrote too.
    """

    table: Table
    example: Example
    report: Path
    shared_topics: float


def run_demo(
    folder: Path,
    lm: LM,
    progress: Progress,
    *,
    people: int = 12,
    items: int = 3,
    methods: Sequence[str] = DEMO_METHODS,
) -> Demo:
    """Enroll people of the sample anew, and score what they wrote next.

    Args:
        folder: Where results and the report go.
        lm: The model.
        progress: Told how far it is.
        people: How many people results are reported on.
        items: How many held-out answers of each.
        methods: The compositions to compare.

    Returns:
        What was found.
    """
    grid = Grid((f"ukpconvarg-reason:items={items}",), tuple(methods), people=people)
    remove(folder)
    run(grid, folder, [lm], progress=progress)
    (table,) = tables(read_run(folder))
    asked = list(open_task(grid.tasks[0]).people(people))
    progress("one person's question", 1.0)
    shown = table.best or min(table.rows[1:], key=lambda row: row.scores[table.metrics[0]].mean)
    with Store.open(folder / STORE) as store:
        lm.attach(store.arrays)
        example = _example(asked[0], parse(shown.method), Lifecycle(store, lm))
    report = folder / "report.html"
    shared = _shared_topics(asked)
    write_report(
        report,
        [table],
        title="Does it help to know the person?",
        lead=_lead(asked),
        footer=_footer(lm, people, items, methods),
        note=f"The other person wrote on {100 * shared:.0f}% of the topics asked about.",
        example=example,
    )
    return Demo(table, example, report, shared)


def _example(person: Person, methods: Sequence[Method], lifecycle: Lifecycle) -> Example:
    """Answer one person's question with the generic model and with theirs."""
    item = person.items[-1]
    generic = Plan.ask(item.question, sampling=_ANSWER)
    learned = [Learned.of(m, lifecycle.current(m, person.history)) for m in methods]
    personal = personalize(generic, person.history, learned, lifecycle.lm)
    choosers = [Chooser(person.history, learned)] * 2
    before, after = write([generic, personal], choosers, lifecycle.lm)
    records = [person.history.record(name) for name in personal.evidence]
    return Example(
        method=spec(methods),
        user=person.history.id,
        question=item.question,
        before=before.text.strip(),
        after=after.text.strip(),
        written=item.target,
        evidence=tuple(f"{ends(one_line(r.input), 16)} → {r.output}" for r in records),
    )


def _shared_topics(people: Sequence[Person]) -> float:
    covered = total = 0
    for person in people:
        other = person.other.records if person.other else ()
        written = {record.meta["topic"] for record in other}
        covered += sum(item.group in written for item in person.items)
        total += len(person.items)
    return covered / max(1, total)


def _lead(people: Sequence[Person]) -> str:
    answers = sum(len(person.items) for person in people)
    return (
        f"{len(people)} people judged pairs of arguments and wrote why, in their own words. Ipse "
        "read the first four fifths of what each of them wrote, and was then asked how likely it "
        f"finds {answers} of the reasons they wrote next: those very words, given the two "
        "arguments and the verdict."
    )


def _footer(lm: LM, people: int, items: int, methods: Sequence[str]) -> str:
    chosen = "" if tuple(methods) == DEMO_METHODS else f" --methods {','.join(methods)}"
    return (
        f"ipse demo --people {people} --items {items}{chosen} · model {lm.base} · embedder "
        f"{lm.embedder} · Python {platform.python_version()} on {platform.machine()} · Data: "
        "UKPConvArg1 (Habernal and Gurevych, ACL 2016), CC BY 4.0, a subset of 60 people; results "
        "are on people that nothing was fitted or tuned on."
    )
