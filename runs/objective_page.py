"""The page of the objective level: whose words are whose, and what competing rewards cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runs.results_pages import Found, drawn, estimated, interval, part_where

from ipse.evaluation.curves import curves
from ipse.evaluation.metrics import METRICS

__all__ = ["objective_page", "tradeoff_plot"]


def objective_page(found: Found) -> str:
    """Write the page; parts that were not measured yet are left out."""
    page = ["# Objectives", "", _LEAD]
    if "pairs" in found:
        page += ["", "## Own words or another's", "", part_where(found, "pairs"), "", _PAIRS]
        for table in found["pairs"]["tables"]:
            page += ["", *_pairs(table)]
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
measures it, in about half an hour on two quiet cores."""

_PAIRS = """\
For each held-out reason, the model is asked which of two is likelier, by nats a token: the person's
own, or another person's for the very same verdict on the same pair. All adapters are served
untested (`gate=false`), so that what is compared is what was learned. Above one half under the
person's own records, and below that under another's, is what is personal."""

_REWARDS = """\
Rewards are attributes, counted and not judged, in standard deviations over what the model writes to
the prompts that adapters learned from; with the standard error over prompts. Perplexity is that of
the answers under the model itself: what is far above the model's own was bought with odd text.
Hypervolume: the area that a method's points reach above the corner one standard deviation below the
model in both."""
