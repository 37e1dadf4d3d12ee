"""The report's plots, each as one SVG that needs nothing else."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ipse.errors import missing_extra
from ipse.evaluation.grid import GENERIC
from ipse.evaluation.summary import Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["frontier", "gain_by_history", "gains", "lines", "rankings"]

_OWN = "#0f766e"
_OTHER = "#c2700c"
_INK = "#475569"
_COLORS = ("#0f766e", "#c2700c", "#4f46e5", "#be185d", "#0369a1", "#65a30d", "#7c3aed", "#b45309")

_HALO: Any = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}

_STYLE: Any = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "svg.fonttype": "path",
    "svg.hashsalt": "ipse",
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def gains(table: Table) -> str:
    """Draw every person's gain over the generic model under every method.

    Args:
        table: The table; its headline score must be of people.

    Returns:
        The plot as SVG; "" where no person has a score of their own.
    """
    methods = [row for row in table.rows if row.gain and row.people]
    if not methods:
        return ""
    with _figure(7.2, 0.9 + 0.62 * len(methods)) as figure:
        axes = figure.add_subplot()
        own = [_gain(table, row.people) for row in reversed(methods)]
        other = [_gain(table, row.control) for row in reversed(methods)]
        # One method that fails badly must not press all others together.
        least = -1.2 * max(1e-9, *(max(values, default=0) for values in (*own, *other)))
        for line, (ours, theirs) in enumerate(zip(own, other, strict=True)):
            _dots(axes, ours, line + 0.16, _OWN, least)
            _dots(axes, theirs, line - 0.16, _OTHER, least)
        axes.axvline(0, color=_INK, linewidth=1)
        axes.set_yticks(range(len(methods)), [row.method for row in reversed(methods)])
        axes.set_xlabel(f"gain over the generic model, {table.headline.title} (right is better)")
        axes.tick_params(axis="y", length=0)
        _legend(axes)
        return _svg(figure)


def gain_by_history(table: Table, method: str) -> str:
    """Draw every person's gain under one method against how many records they have.

    Args:
        table: The table.
        method: The method.

    Returns:
        The plot as SVG.
    """
    row = next(row for row in table.rows if row.method == method)
    users = [user for user in row.people if user in row.control]
    with _figure(7.2, 3.8) as figure:
        axes = figure.add_subplot()
        across = [max(1, table.records[user]) for user in users]
        own, other = _by_user(table, row.people, users), _by_user(table, row.control, users)
        axes.vlines(across, own, other, color=_INK, alpha=0.4)
        for values, color in ((own, _OWN), (other, _OTHER)):
            axes.scatter(across, values, s=40, color=color, linewidth=0, zorder=3)
        axes.axhline(0, color=_INK, linewidth=1)
        axes.set_xscale("log")
        ticks = _ticks(min(across, default=1), max(across, default=1))
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("records in the person's history")
        axes.set_ylabel(f"gain, {table.headline.title}")
        _legend(axes)
        return _svg(figure)


def frontier(table: Table) -> str:
    """Draw quality against cost, and which methods nothing beats at their cost.

    Args:
        table: The table.

    Returns:
        The plot as SVG.
    """
    name, lower = table.metrics[0], table.headline.lower
    rows = sorted(table.rows, key=lambda row: (row.cost.ms, row.method))
    rows, beyond = _on_the_page(rows, name, lower=lower)
    with _figure(7.2, 4.4) as figure:
        axes = figure.add_subplot()
        best: list[Row] = []
        for row in rows:
            score = row.scores[name]
            kept = not best or _better(score.mean, best[-1].scores[name].mean, lower=lower)
            if kept:
                best.append(row)
            color = _OWN if kept else _INK
            error = 0 if math.isinf(score.error) else score.error
            axes.errorbar(row.cost.ms, score.mean, error, fmt="o", color=color, capsize=0)
        _named(axes, rows, name)
        line = [(row.cost.ms, row.scores[name].mean) for row in best]
        axes.plot(*zip(*line, strict=True), color=_OWN, linewidth=1.4, zorder=1)
        axes.set_xscale("log")
        if lower:
            axes.invert_yaxis()
        axes.set_xlabel("milliseconds a request (left is cheaper)")
        axes.set_ylabel(f"{table.headline.title} (up is better)")
        if beyond:
            told = ", ".join(f"{row.method} {row.scores[name].mean:.2f}" for row in beyond)
            axes.set_title(f"far below: {told}", fontsize=9.5, loc="right")
        return _svg(figure)


def rankings(table: Table) -> str:
    """Draw how much of the evidence is found within the first records, by method.

    Args:
        table: A table of searches.

    Returns:
        The plot as SVG.
    """
    cutoffs = [k for k in (1, 5, 10, 20) if f"recall_{k}" in table.metrics]
    with _figure(7.2, 4.2) as figure:
        axes = figure.add_subplot()
        for row, color in zip(table.rows, _COLORS * len(table.rows), strict=False):
            found = [row.scores[f"recall_{k}"] for k in cutoffs]
            axes.plot(cutoffs, [e.mean for e in found], "o-", color=color, label=row.method)
            lows, highs = [e.low for e in found], [e.high for e in found]
            if all(map(math.isfinite, lows)):
                axes.fill_between(cutoffs, lows, highs, color=color, alpha=0.12, linewidth=0)
        axes.set_xticks(cutoffs)
        axes.set_xlabel("records read")
        axes.set_ylabel("share of the evidence among them")
        axes.set_ylim(0, 1)
        axes.legend(frameon=False, loc="lower right")
        return _svg(figure)


def lines(found: Mapping[str, Sequence[tuple[float, float, float, float]]], x: str, y: str) -> str:
    """Draw how something grows, a line each with its intervals.

    Args:
        found: By name, where it was measured, what was found there, and the ends of its interval.
        x: What is across, drawn on a logarithmic scale.
        y: What is up.

    Returns:
        The plot as SVG.
    """
    places = sorted({place for points in found.values() for place, *_ in points})
    with _figure(7.2, 4.2) as figure:
        axes = figure.add_subplot()
        axes.axhline(0, color=_INK, linewidth=1)
        for number, (name, points) in enumerate(found.items()):
            color = _COLORS[number % len(_COLORS)]
            aside = 1.05 ** (number - (len(found) - 1) / 2)  # so that no interval hides another
            across, means, low, high = zip(*points, strict=True)
            shown = [place * aside for place in across]
            axes.vlines(shown, low, high, color=color, alpha=0.5, linewidth=1.6)
            axes.plot(shown, means, "o-", color=color, label=name, linewidth=1.8, markersize=5)
        axes.set_xscale("log")
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend(frameon=False, fontsize=9.5)
        return _svg(figure)


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, in inches, to be drawn in our style."""
    try:
        import matplotlib as mpl  # takes 0.5 s, which every command would pay
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "eval") from error
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height))


def _gain(table: Table, people: Mapping[str, float]) -> list[float]:
    return _by_user(table, people, list(people))


def _by_user(table: Table, people: Mapping[str, float], users: Sequence[str]) -> list[float]:
    base = next(row for row in table.rows if row.method == GENERIC).people
    sign = -1 if table.headline.lower else 1
    return [sign * (people[user] - base[user]) for user in users if user in base]


def _better(one: float, other: float, *, lower: bool) -> bool:
    return one < other if lower else one > other


def _on_the_page(rows: Sequence[Row], name: str, *, lower: bool) -> tuple[list[Row], list[Row]]:
    """Part rows into those worth a place and those so bad that nothing else could be told apart."""
    scores = {row.method: row.scores[name].mean for row in rows}
    best = (min if lower else max)(scores.values())
    reach = 2 * abs(scores.get(GENERIC, best) - best) or math.inf
    kept = [row for row in rows if abs(scores[row.method] - best) <= reach]
    return kept, [row for row in rows if row not in kept]


def _ticks(least: int, most: int) -> list[int]:
    steps = [base * 10**power for power in range(6) for base in (1, 2, 5)]
    inside = [step for step in steps if least / 1.5 <= step <= most * 1.5]
    return inside or [least]


def _named(axes: Axes, rows: Sequence[Row], name: str) -> None:
    """Write names beside points, each moved up or down to the nearest place that is free."""
    heights = [row.scores[name].mean for row in rows]
    line = 0.05 * max(1e-9, max(heights) - min(heights))
    taken: list[tuple[float, float]] = []
    for row in rows:
        across, at = math.log10(max(1e-3, row.cost.ms)), row.scores[name].mean
        shifts = sorted(range(-12, 13), key=abs)
        free = (
            at + shift * line
            for shift in shifts
            if all(abs(across - x) > 0.3 or abs(at + shift * line - y) >= line for x, y in taken)
        )
        up = next(free, at)
        taken.append((across, up))
        axes.annotate(
            row.method, (row.cost.ms, at), xytext=(row.cost.ms * 1.05, up), va="center",
            fontsize=9.5, bbox=_HALO, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": _INK, "linewidth": 0.5},
        )  # fmt: skip


def _dots(axes: Axes, values: Sequence[float], height: float, color: str, least: float) -> None:
    """Draw people as dots and their mean as a bar; what lies beyond `least` is told in words."""
    if not values:
        return
    seen = [value for value in values if value >= least]
    axes.scatter(seen, [height] * len(seen), s=22, color=color, alpha=0.45, linewidth=0)
    mean = sum(values) / len(values)
    if mean < least:
        where: Any = ("axes fraction", "data")
        told = f"\u25c2 {mean:.1f}"
        axes.annotate(told, (0.01, height), xycoords=where, va="center", fontsize=9, color=color)
        return
    axes.plot([mean, mean], [height - 0.15, height + 0.15], color=color, linewidth=2.6)


def _legend(axes: Axes) -> None:
    for label, color in (("own records", _OWN), ("another person's records", _OTHER)):
        axes.scatter([], [], s=34, color=color, label=label)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
