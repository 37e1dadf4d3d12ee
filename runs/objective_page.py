"""The page of the objective level: whose words are whose, and what competing rewards cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runs.results_pages import Found, drawn, estimated, interval, part_where

from ipse.evaluation.curves import curves
from ipse.evaluation.metrics import METRICS

__all__ = ["card", "objective_page", "tradeoff_plot"]


def objective_page(found: Found) -> str:
    """Write the page; parts that were not measured yet are left out."""
    page = ["# Objectives", "", _LEAD]
    if "pairs" in found:
        page += ["", "## Own words or another's", "", part_where(found, "pairs"), "", _PAIRS]
        for table in found["pairs"]["tables"]:
            page += ["", *_pairs(table)]
    if "people" in found:
        page += ["", "## What people prefer, in what is written for them", ""]
        page += [part_where(found, "people"), "", *_people(found["people"])]
    if "rewards" in found:
        page += ["", *_rewards(found)]
    return "\n".join([*page, ""])


def tradeoff_plot(found: Found) -> str:
    """Draw one reward against the other, a curve a method."""
    one = found["rewards"]
    first, second = one["objectives"]
    points = {
        name: [tuple(point["rewards"]) for point in curve["points"]]
        for name, curve in one["curves"].items()
    }
    said = "standard deviations over the model"
    return curves(points, f"{first}, {said}", f"{second}, {said}")


def card(found: Found, name: str) -> str:
    """Write what the card of a method says, in one paragraph; "" where it was not measured here."""
    told = [
        f"{table['task']}, {METRICS[table['metrics'][0]].title}, `{row['method']}`: "
        f"{estimated(row['scores'][table['metrics'][0]])}, {_gains(row)}."
        for table in found.get("pairs", {}).get("tables", ())
        for row in table["rows"]
        if _is(row["method"], name)
    ]
    rows = found.get("people", {}).get("rows", {})
    told += [
        f"What people prefer, in what is written for them, `{method}`: {_gains(row)}; perplexity "
        f"{row['perplexity']:.1f}, generic {rows['generic']['perplexity']:.1f}."
        for method, row in rows.items()
        if _is(method, name)
    ]
    where = f"`{found.get('command')}`: [all of it](../results/objectives.md)."
    return " ".join([*told, where]) if told else ""


def _gains(row: Mapping[str, Any]) -> str:
    return f"over generic {interval(row['gain'])}, over another's {interval(row['personal'])}"


def _is(composition: str, name: str) -> bool:
    return any(part.partition(":")[0] == name for part in composition.split("+"))


def _people(one: Mapping[str, Any]) -> list[str]:
    told = (
        f"{one['people']} people, {one['prompts']} questions each, answers of at most "
        f"{one['tokens']} tokens at temperature 0.8, the same draw for all. Methods learned from "
        f"{one['pairs']['mean']:.0f} pairs a person, the earlier ones; what these tell is right "
        f"about {100 * one['held']['mean']:.0f}% ± {100 * one['held']['error']:.0f} of the later."
    )
    return [told, "", _PEOPLE, "", *_steered(one)]


def _steered(one: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            f"`{name}`",
            estimated(row["likes"]),
            interval(row.get("gain")),
            interval(row.get("personal")),
            f"{row['perplexity']:.1f}",
            f"{row['words']:.0f}",
        ]
        for name, row in one["rows"].items()
    ]
    titles = (
        "method", "liked", "gain over generic", "gain over another's preferences", "perplexity",
        "words an answer",
    )  # fmt: skip
    return drawn(titles, rows)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    first, *rest = table["metrics"]
    head = METRICS[first]
    titles = (
        "method",
        f"{head.title} ({'lower' if head.lower else 'higher'} is better)",
        "gain over generic",
        "gain over another's",
        *(METRICS[name].title for name in rest),
        "seconds to add a person",
        "bytes a person",
    )
    rows = [
        [
            f"`{row['method']}`",
            estimated(row["scores"][first]),
            interval(row["gain"]),
            interval(row["personal"]),
            *(estimated(row["scores"][name]) for name in rest),
            f"{row['cost']['enroll_ms'] / 1000:.1f}",
            f"{row['cost']['nbytes']:,.0f}",
        ]
        for row in table["rows"]
    ]
    people = table["rows"][0]["scores"][first]["people"]
    return [f"{people} people, {table['items']} questions.", "", *drawn(titles, rows)]


def _rewards(found: Found) -> list[str]:
    one = found["rewards"]
    first, second = one["objectives"]
    rows = [
        [f"`{name}`", *_point(point), f"{curve['hypervolume']:.2f}" if at == 0 else ""]
        for name, curve in one["curves"].items()
        for at, point in enumerate(curve["points"])
    ]
    titles = (
        "method", f"weight of `{first}`", f"`{first}`", f"`{second}`", "perplexity", "tokens read",
        "tokens written", "ms an answer", "hypervolume",
    )  # fmt: skip
    costs = [
        [f"`{name}`", f"{curve['fit_seconds']:.0f}"]
        for name, curve in one["curves"].items()
        if curve["fit_seconds"]
    ]
    return [
        f"## Two objectives that compete: `{first}` and `{second}`",
        "",
        part_where(found, "rewards"),
        "",
        f"{one['prompts']} held-out prompts, {one['answers']} answers each; recipe "
        f"`{one['recipe']}`. {_REWARDS}",
        "",
        "![What one reward costs the other](objectives.svg)",
        "",
        *drawn(titles, rows),
        "",
        *drawn(("method", "seconds to learn, once"), costs),
    ]


def _point(point: Mapping[str, Any]) -> Sequence[str]:
    values = zip(point["rewards"], point["error"], strict=True)
    return (
        f"{point['weight']:g}",
        *(f"{value:+.2f} ± {error:.2f}" for value, error in values),
        f"{point['perplexity']:.1f}",
        f"{point['read']:.0f}",
        f"{point['written']:.0f}",
        f"{point['ms']:.0f}",
    )


_LEAD = """\
What the methods of the objective level do, on the embedded model: `python -m runs.objectives`
measures it, in some three hours of one core."""

_PAIRS = """\
For each held-out reason, the model is asked which of two is likelier, by nats a token: the person's
own, or another person's for the very same verdict on the same pair. All adapters are served
untested (`gate=false`), so that what is compared is what was learned. Above one half under the
person's own records, and below that under another's, is what is personal."""

_PEOPLE = """\
A person's pairs are their own reasons beside another person's for the same verdict. What they tell
is a direction among the attributes that are counted (length, formality, hedging, ...): those there
is more of in what was chosen. *Liked* is how far answers lie in the direction of the person's later
pairs, which no method saw, in spreads of those pairs. Gains are person by person, on the same
questions, with 95% bootstrap intervals and a star for p < 0.05 (Holm). *Another's preferences*: the
next person's earlier pairs in place of one's own. Perplexity is that of the answers under the
generic model; what rose above the generic answers' own was paid for with odd text."""

_REWARDS = """\
Rewards are attributes, counted and not judged, in standard deviations over what the model writes to
the prompts that adapters learned from; with the standard error over prompts. Perplexity is that of
the answers under the model itself: what is far above the model's own was bought with odd text.
Hypervolume: the area that a method's points reach above the corner one standard deviation below the
model in both."""
