"""From what was measured (`docs/results/*.json`) to the pages and tables that show it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runs.standard_grid import ADAPTERS, MORE

from ipse.evaluation.metrics import METRICS

__all__ = [
    "GRID", "LOCOMO", "Found", "drawn", "estimated", "grid_page", "interval", "locomo_page",
    "nats_rows", "own_rows", "read",
]  # fmt: skip

ROOT = Path(__file__).parents[1]
GRID = ROOT / "docs" / "results" / "grid.json"
LOCOMO = ROOT / "docs" / "results" / "locomo.json"

Found = Mapping[str, Any]
"""What `runs/standard_grid.py` kept."""


def read(path: Path) -> Found:
    """Read what a run kept."""
    found: Found = json.loads(path.read_text("utf-8"))
    return found


def tables(found: Found) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Give every table with its verdict."""
    for one in found["runs"].values():
        yield from zip(one["tables"], one["verdicts"], strict=True)


def shown(found: Found) -> dict[str, Any]:
    """Give the runs that the grid's page shows; adapters have a page of their own."""
    return {name: one for name, one in found["runs"].items() if name not in ADAPTERS}


def own_rows(found: Found, method: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Give a method's row in every table, with the table; other settings where there are none.

    What was measured twice is there once, and tables by history length, which have a page of their
    own, are left out.
    """
    first: dict[tuple[str, str, str], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for table, _ in tables(found):
        for row in table["rows"]:
            if "latest=" not in table["task"]:
                first.setdefault((table["task"], table["measure"], row["method"]), (table, row))
    exact = [both for key, both in first.items() if key[2] == method]
    return exact or [both for key, both in first.items() if key[2].startswith(f"{method}:")]


def nats_rows(found: Found) -> Mapping[str, Any]:
    """Give the table that the README shows: the likelihood of people's own reasons."""
    return next(iter(tables(found)))[0]


def estimated(value: Mapping[str, float]) -> str:
    """Write an estimate with its standard error."""
    return f"{value['mean']:.3f} ± {value['error']:.3f}"


def interval(value: Mapping[str, float] | None) -> str:
    """Write a difference with its interval; a star says that it is certain."""
    if not value:
        return ""
    star = "*" if value["adjusted"] < 0.05 else ""
    return f"{value['mean']:+.3f} [{value['low']:+.3f}, {value['high']:+.3f}]{star}"


def where(header: Mapping[str, Any], date: str) -> str:
    """Say when a run was made, and on what."""
    versions = ", ".join(f"{name} {there}" for name, there in header["versions"].items())
    return f"{date}, commit {header['commit']}, {header['hardware']}, {versions}"


def part_where(found: Mapping[str, Any], part: str) -> str:
    """Say how one part of a run was made, when, and on what."""
    one = found[part]
    date = one.get("date", found.get("date"))
    command = f"`{found['command']} --only {part}`"
    return f"{command}, {one['minutes']:.0f} minutes, {where(one, date)}."


def grid_page(found: Found) -> str:
    """Write the page of the standard grid."""
    lines = [
        "# The standard grid",
        "",
        f"- command: `{found['command']}` (`make bench`)",
        f"- date: {found['date']}; it took {found['minutes']:.0f} minutes; with `--all` also what "
        "is marked so",
        *[
            f"- {name}{' (`--all`)' if name in MORE else ''}: {one['minutes']:.0f} minutes, run "
            f"{one['header']['run']}, commit {one['header']['commit']}, "
            f"{one['header']['hardware']}, {', '.join(one['header']['bases'])}"
            for name, one in shown(found).items()
        ],
        f"- versions: {_versions(found)}",
        "",
        _MEANING,
    ]
    for one in shown(found).values():
        for table, verdict in zip(one["tables"], one["verdicts"], strict=True):
            lines += ["", *_grid_section(table, verdict)]
    return "\n".join([*lines, "", _DATA, ""])


def _versions(found: Found) -> str:
    header = next(iter(found["runs"].values()))["header"]
    return ", ".join(f"{name} {there}" for name, there in header["versions"].items())


def _grid_section(table: Mapping[str, Any], verdict: str) -> list[str]:
    first, *rest = table["metrics"]
    head = METRICS[first]
    titles = [
        "method",
        f"{head.title} ({'lower' if head.lower else 'higher'} is better)",
        "gain over generic",
        "gain over recent",
        "gain over another's",
        *(METRICS[name].title for name in rest),
    ]
    quality = [
        [
            _name(row),
            estimated(row["scores"][first]),
            interval(row["gain"]),
            interval(row["over_recent"]),
            interval(row["personal"]),
            *(estimated(row["scores"][name]) for name in rest),
        ]
        for row in table["rows"]
    ]
    people = table["rows"][0]["scores"][first]["people"]
    return [
        f"## {table['task']}: {head.title}",
        "",
        f"{people} people, {table['items']} questions.",
        "",
        *drawn(titles, quality),
        "",
        verdict,
        "",
        *_detectable(table),
        "",
        *drawn(_COSTS, [_cost(row) for row in table["rows"]]),
    ]


_COSTS = (
    "method", "ms a request", "tokens read", "records read", "ms to add a person",
    "bytes of a person", "peak MB", "personal bytes a request", "kinds", "left the machine",
)  # fmt: skip


def _cost(row: Mapping[str, Any]) -> list[str]:
    cost = row["cost"]
    return [
        row["method"],
        f"{cost['ms']:.0f}",
        f"{cost['prompt_tokens']:.0f}",
        f"{cost['read']:.1f}",
        f"{cost['enroll_ms']:.0f}",
        f"{cost['nbytes']:,.0f}",
        f"{cost['peak'] / 1e6:,.0f}",
        f"{cost['personal']:,.0f}",
        ", ".join(cost["kinds"]),
        f"{cost['left'][0]:,.0f} bytes" if any(cost["left"]) else "nothing",
    ]


def _name(row: Mapping[str, Any]) -> str:
    if not row["saw"]:
        return str(row["method"])
    people, records = row["saw"]
    return f"{row['method']} (saw {people} other people, {records:,} records)"


def _detectable(table: Mapping[str, Any]) -> list[str]:
    found = [
        row[column]["detectable"]
        for row in table["rows"]
        for column in ("gain", "over_recent", "personal")
        if row[column]
    ]
    if not found:
        return []
    return [
        f"True differences of {min(found):.3f} to {max(found):.3f}, by column and method, would be "
        "seen four times in five with so many people."
    ]


def locomo_page(found: Mapping[str, Any]) -> str:
    """Write the page of the search through LoCoMo's conversations."""
    variants = found["variants"]
    lines = [
        "# Searching months of conversation: LoCoMo",
        "",
        f"- command: `{found['command']}`",
        f"- date: {found['date']}, commit {found['commit']}",
        f"- hardware: {found['hardware']}, embedder {found['embedder']}",
        f"- {found['conversations']} conversations, {found['turns']:,} turns, "
        f"{found['questions']:,} questions whose evidence is known",
        "",
        _RECALL,
        "",
        "## All questions",
        "",
        *drawn(
            ("method", "what it is", *(f"recall at {k}" for k in _DEPTHS), "at 10, over hybrid"),
            [
                [
                    f"`{one['method']}`",
                    one["what"],
                    *(_recall(one["recall"][f"all recall_{k}"]) for k in _DEPTHS),
                    _difference(one["recall_10 over"].get("hybrid")),
                ]
                for one in variants
            ],
        ),
    ]
    groups = dict.fromkeys(name.rpartition(" ")[0] for name in variants[0]["recall"])
    for k in _DEPTHS:
        body = [
            [f"`{one['method']}`", *(_recall(one["recall"][f"{g} recall_{k}"]) for g in groups)]
            for one in variants
            if ":" not in one["method"]
        ]
        lines += [
            "",
            f"## Recall at {k}, by kind of question",
            "",
            *drawn(("method", *groups), body),
        ]
    return "\n".join([*lines, ""])


_DEPTHS = (1, 5, 10, 20)

_RECALL = """\
How much of the evidence is among the first so many turns: the share for each question, a mean over
the questions of a conversation, then over conversations, with its 95% interval over conversations
(Student's t). No language model is used. `memory:speaker=0` is `memory` without that part; rows add
its parts up, then leave one out at a time. Settings were chosen on nine conversations and checked
on the tenth, each in turn, and came out the same ten times; but which parts there are was decided
with all ten in view, so the last rows flatter a little. LoCoMo (Maharana and others, ACL 2024) is
CC BY-NC 4.0, and nothing of it is kept here but these numbers."""


def _recall(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def _difference(value: Mapping[str, float] | None) -> str:
    return f"{value['mean']:+.3f} [{value['low']:+.3f}, {value['high']:+.3f}]" if value else ""


def drawn(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Draw a table in Markdown; the first column stands to the left."""
    return [
        "| " + " | ".join(columns) + " |",
        "|---|" + "--:|" * (len(columns) - 1),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


_MEANING = """\
Every method answers for the same people, with their own records and with another person's. A person
counts once, however many questions they have.

- *± *: the standard error over people. In brackets: 95% bootstrap intervals of the difference,
  person by person.
- *gain over generic*: against the model that knows nobody. *gain over recent*: against the latest
  records in the prompt. *gain over another's*: against the same method given the records of another
  person. Above 0 is better. A star: p < 0.05 in a permutation test over people, corrected for the
  number of methods (Holm).
- *ms a request*: planning and running, batched and shared as the backend does; other work ran on
  the machine at times, so these are upper bounds. *peak*: the most
  memory the process held. *personal bytes*: what a request tells of a person, in text."""

_DATA = """\
`ukpconvarg` is made of UKPConvArg1 (Habernal and Gurevych, ACL 2016), CC BY 4.0, a subset of 60
people: [attribution](../../src/ipse/data/ukpconvarg/ATTRIBUTION.md). `authors` is in the public
domain: [attribution](../../src/ipse/data/authors/ATTRIBUTION.md). Nothing was fitted or tuned on
the people that results are of."""
