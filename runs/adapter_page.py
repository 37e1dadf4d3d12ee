"""The page of the model level: what an adapter of one's own is worth, from how many records on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runs.results_pages import Found, drawn, estimated, interval
from runs.standard_grid import ADAPTERS, OWN, SHARED, UNGATED

from ipse.evaluation.curves import lines
from ipse.evaluation.metrics import METRICS

__all__ = ["adapter_page", "lengths_plot"]

_ONE = ("adapters", "together")
"""Runs of the same questions to the same people: one table."""

_RETRIEVED = f"recent+{SHARED}"


def adapter_page(found: Found) -> str:
    """Write the page."""
    runs = {name: found["runs"][name] for name in ADAPTERS if name in found["runs"]}
    head = [
        f"- {name}: `python runs/standard_grid.py --only {name}`, {one['minutes']:.0f} minutes, "
        f"run {one['header']['run']}, commit {one['header']['commit']}, "
        f"{one['header']['hardware']}, "
        f"{', '.join(one['header']['bases'])}"
        for name, one in runs.items()
    ]
    page = ["# Adapters", "", _LEAD, "", *head, "", _MEANING]
    for table in _joined([runs[name]["tables"] for name in _ONE if name in runs]):
        page += ["", *_section(table)]
    if "lengths" in runs:
        page += ["", *_lengths(runs["lengths"])]
    return "\n".join([*page, ""])


def lengths_plot(found: Found) -> str:
    """Draw what methods gain over everyone's adapter, by how many records are known."""
    drawn_lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for latest, table in _by_length(found["runs"]["lengths"]):
        for row in table["rows"]:
            over = row["versus"].get(SHARED)
            if over and row["method"] != "generic":
                point = (float(latest), over["mean"], over["low"], over["high"])
                name = re.sub(r":[^+]*", "", row["method"])
                drawn_lines.setdefault(name, []).append(point)
    return lines(
        drawn_lines,
        "the person's records that are known",
        "gain over everyone's adapter, nats a token",
    )


def _joined(runs: Sequence[Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Join the tables of runs where they ask the same: a method is shown as it was first run."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for table in (table for tables in runs for table in tables):
        key = (table["task"], table["measure"])
        before = found.get(key, {**table, "rows": []})
        known = {row["method"] for row in before["rows"]}
        rows = [*before["rows"], *(row for row in table["rows"] if row["method"] not in known)]
        found[key] = {**before, "rows": rows}
    return [*found.values()]


def _section(table: Mapping[str, Any]) -> list[str]:
    first, *rest = table["metrics"]
    head = METRICS[first]
    people = table["rows"][0]["scores"][first]["people"]
    titles = (
        "method",
        f"{head.title} ({'lower' if head.lower else 'higher'} is better)",
        "gain over generic",
        "gain over shared-adapter",
        "gain over recent+shared-adapter",
        "gain over user-adapter",
        "gain over another's",
        *(METRICS[name].title for name in rest),
    )
    return [
        f"## {table['task']}: {head.title}",
        "",
        f"{people} people, {table['items']} questions.",
        "",
        *drawn(titles, [_quality(table, row) for row in table["rows"]]),
        "",
        *drawn(_COSTS, [_cost(table, row) for row in table["rows"]]),
    ]


def _quality(table: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    first, *rest = table["metrics"]
    return [
        _short(row["method"]),
        estimated(row["scores"][first]),
        interval(row["gain"]),
        *(_plain(row["versus"].get(rival)) for rival in (SHARED, _RETRIEVED, OWN)),
        interval(row["personal"]),
        *(estimated(row["scores"][name]) for name in rest),
    ]


_COSTS = (
    "method", "bytes of a person", "seconds to add a person", "ms a request", "tokens read",
    "tokens written", "ms a token more than generic",
)  # fmt: skip


def _cost(table: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    cost, writes = row["cost"], table["measure"] == "write"
    (generic,) = (each["cost"] for each in table["rows"] if each["method"] == "generic")
    more = cost["ms"] / cost["tokens"] - generic["ms"] / generic["tokens"] if writes else 0.0
    return [
        _short(row["method"]),
        f"{cost['nbytes']:,.0f}",
        f"{cost['enroll_ms'] / 1000:,.2f}",
        f"{cost['ms']:.0f}",
        f"{cost['prompt_tokens']:.0f}",
        f"{cost['tokens']:.0f}" if writes else "",
        f"{more:+.1f}" if writes and cost is not generic else "",
    ]


def _lengths(one: Mapping[str, Any]) -> list[str]:
    """Show everyone's scores by how many of their records are known."""
    by_length = list(_by_length(one))
    first = by_length[0][1]["metrics"][0]
    methods = [row["method"] for row in by_length[0][1]["rows"]]
    rows = {
        method: [
            next(row for row in table["rows"] if row["method"] == method) for _, table in by_length
        ]
        for method in methods
    }
    people = [table["rows"][0]["scores"][first]["people"] for _, table in by_length]
    titles = (
        "method",
        *(f"{n} records ({count} people)" for (n, _), count in zip(by_length, people, strict=True)),
    )
    return [
        "## By how many records are known",
        "",
        "Their latest records alone are known. Columns with as many people are of the same people "
        "and the same questions; few people wrote more. The adapter of one's own is served "
        f"untested ({_short(UNGATED)}).",
        "",
        "**Where does an adapter of one's own start to pay?** "
        + " ".join(_answer(method, by_length) for method in (UNGATED, f"recent+{UNGATED}")),
        "",
        "![What each method gains over everyone's adapter](adapters-by-length.svg)",
        "",
        "Nats a token:",
        "",
        *drawn(
            titles, [[_short(m), *(estimated(r["scores"][first]) for r in rows[m])] for m in rows]
        ),
        "",
        "Gain over `shared-adapter`:",
        "",
        *drawn(
            titles, [[_short(m), *(_plain(r["versus"].get(SHARED)) for r in rows[m])] for m in rows]
        ),
        "",
        "Gain over `recent+shared-adapter`:",
        "",
        *drawn(
            titles,
            [[_short(m), *(_plain(r["versus"].get(_RETRIEVED)) for r in rows[m])] for m in rows],
        ),
        "",
        "Gain over another person's records:",
        "",
        *drawn(titles, [[_short(m), *(interval(r["personal"]) for r in rows[m])] for m in rows]),
    ]


def _answer(method: str, by_length: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    """Say from how many records on a method clearly beats records shown to everyone's adapter."""
    clear = []
    for latest, table in by_length:
        over = next(r for r in table["rows"] if r["method"] == method)["versus"][_RETRIEVED]
        if over["low"] > 0:
            clear.append((latest, over))
    if not clear:
        return f"{_short(method)} never clearly beats {_short(_RETRIEVED)}."
    latest, over = clear[-1]
    return (
        f"{_short(method)} beats {_short(_RETRIEVED)} clearly from {clear[0][0]} records on; with "
        f"{latest} by {_plain(over)} nats a token."
    )


def _by_length(one: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for table in one["tables"]:
        found = re.search(r"latest=(\d+)", table["task"])
        if found:
            yield int(found[1]), table


def _plain(value: Mapping[str, float] | None) -> str:
    """Write a difference with its interval; what is compared here was chosen beforehand."""
    return f"{value['mean']:+.3f} [{value['low']:+.3f}, {value['high']:+.3f}]" if value else ""


def _named(method: str) -> str:
    return method.replace("%3D", "=")


def _short(method: str) -> str:
    return f"`{_named(method)}`"


_LEAD = """\
What is an adapter of one's own worth, beside one for everybody, records in the prompt, and both?
The same people are asked every time; nothing was fitted or tuned on them. Settings were chosen on
people set aside (`ukpconvarg-reason:part=tune`), and everyone's adapter learned from 20 others."""

_MEANING = """\
A person counts once. *± *: the standard error over people. In brackets: 95% bootstrap intervals of
the difference, person by person; above 0 is better. *Another's*: the same method given another
person's records, and so another person's adapter. A star: p < 0.05, corrected for the number of
methods (Holm). Times are of one core, with other work on the machine: upper bounds."""
