"""The demo: real people's records, every input-level method, their own held-out words."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ipse.evaluation.report import Example, write_report
from ipse.evaluation.run import Progress, Result, run
from ipse.evaluation.summary import Row, best, rows
from ipse.evaluation.task import Person
from ipse.evaluation.tasks import UkpconvargReason
from ipse.importers import read, sample_path, ukpconvarg
from ipse.lifecycle import Lifecycle
from ipse.lm import LM
from ipse.methods import Learned, Method, parse, personalize, spec
from ipse.plan import Plan, Sampling
from ipse.records import Record
from ipse.store import Store
from ipse.text import ends, one_line

__all__ = ["DEMO_METHODS", "Demo", "run_demo"]

DEMO_METHODS = ("recent", "bm25", "dense", "hybrid", "profile", "facets")

_ANSWER = Sampling(max_tokens=40)


@dataclass(frozen=True)
class Demo:
    """What the demo found.

    Attributes:
        result: Everything that was measured.
        table: Its rows.
        example: One question answered before and after.
        report: Where the report is.
        shared_topics: The share of held-out answers on whose topic the other person wrote too.
    """

    result: Result
    table: list[Row]
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
    """Import the sample into a fresh store, enroll people, and score what they wrote next.

    Args:
        folder: Where the store and the report go.
        lm: The model.
        progress: Told how far it is.
        people: How many people results are reported on.
        items: How many held-out answers of each.
        methods: The compositions to compare.

    Returns:
        What was found.
    """
    compositions = [parse(text) for text in methods]
    with _fresh_store(folder / "ipse-demo.db", progress) as store:
        task = UkpconvargReason(store, ukpconvarg.arguments(sample_path()), items=items)
        asked = task.people(people)
        lm.attach(store.arrays)
        lifecycle = Lifecycle(store, lm)
        result = run(asked, task.population(), compositions, lifecycle, progress)
        table = rows(result)
        shown = best(table) or min(table[1:], key=lambda row: row.nats.mean)
        progress("one person's question", 0, 1)
        example = _example(asked[0], parse(shown.method), lifecycle)
        progress("one person's question", 1, 1)
    report = folder / "report.html"
    write_report(
        report,
        result,
        example,
        title="Does it help to know the person?",
        lead=_lead(asked),
        footer=_footer(lm, people, items, methods),
        shared_topics=_shared_topics(asked),
        records={person.history.id: len(person.history) for person in asked},
    )
    return Demo(result, table, example, report, _shared_topics(asked))


def _fresh_store(path: Path, progress: Progress) -> Store:
    """Make a store that holds the sample and nothing else, in the place of an earlier demo's."""
    progress("importing the sample", 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    shutil.rmtree(path.with_name(f"{path.name}.artifacts"), ignore_errors=True)
    store = Store.open(path)
    found = read("ukpconvarg", sample_path())
    store.add(item for item in found if isinstance(item, Record))
    progress("importing the sample", 1, 1)
    return store


def _example(person: Person, methods: Sequence[Method], lifecycle: Lifecycle) -> Example:
    """Answer one person's question with the generic model and with theirs."""
    item = person.items[-1]
    generic = Plan.ask(item.question, sampling=_ANSWER)
    learned = [Learned.of(m, lifecycle.current(m, person.history)) for m in methods]
    personal = personalize(generic, person.history, learned, lifecycle.lm)
    before, after = lifecycle.lm.generate([generic, personal])
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
        written = {record.meta["topic"] for record in person.other.records}
        topics = [item.question.partition(" (")[0].removeprefix("Topic: ") for item in person.items]
        covered += sum(topic in written for topic in topics)
        total += len(topics)
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
