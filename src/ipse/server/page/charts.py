"""Charts as the options of ECharts: inert data, made of what the page shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from ipse.records import KINDS, Record

__all__ = ["COLORS", "frontier", "gains", "least", "timeline"]

COLORS = {
    "profile": "#a06cd5",
    "dialogue": "#2f80c9",
    "content": "#1f9d78",
    "interaction": "#d99000",
    "preference": "#d1583f",
}
"""A colour for each kind of record; the style sheet names the same."""

_INK = "#808894"
_OWN, _LOSS, _PLAIN = "#139a90", "#cf6148", "#8b93a1"
_MOST = 40  # bars that can be told apart on a phone

Options = dict[str, Any]


def timeline(records: Sequence[Record]) -> Options:
    """Count a person's records over time, by kind.

    Args:
        records: The records, oldest first; at least one.

    Returns:
        Stacked bars: by day, month or year, whichever fits.
    """
    across, places = _calendar([record.time for record in records])
    counts = Counter(zip((record.kind for record in records), places, strict=True))
    kinds = [kind for kind in KINDS if any(record.kind == kind for record in records)]
    return {
        **_frame(left=20, bottom=56),
        "legend": {
            "bottom": 0,
            "icon": "circle",
            "itemWidth": 8,
            "itemGap": 14,
            "textStyle": {"color": _INK},
        },
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": across, **_axis()},
        "yAxis": {"type": "value", "minInterval": 1, **_axis()},
        "series": [
            {
                "name": kind,
                "type": "bar",
                "stack": "all",
                "barMaxWidth": 28,
                "color": COLORS[kind],
                "data": [counts[kind, bar] for bar in across],
            }
            for kind in kinds
        ],
    }


def gains(rows: Sequence[Mapping[str, Any]], title: str) -> Options:
    """Show how much better each method is than the generic model, with its 95 % interval.

    Args:
        rows: Rows of a table of `ipse bench`, those with a gain.
        title: What the score is called.

    Returns:
        A dot a method with its interval, the best on top; above 0 is better.
    """
    ordered = sorted(rows, key=lambda row: float(row["gain"]["mean"]))
    names = [row["method"] for row in ordered]
    spans = [[i, r["gain"]["low"], r["gain"]["high"]] for i, r in enumerate(ordered)]
    marks = [
        {"value": [row["gain"]["mean"], i], "itemStyle": {"color": _color(row["gain"])}}
        for i, row in enumerate(ordered)
    ]
    lines = [
        {
            "type": "line",
            "data": [[low, i], [high, i]],
            "symbol": "none",
            "lineStyle": {"width": 2, "color": _color(ordered[i]["gain"])},
            "silent": True,
            "tooltip": {"show": False},
        }
        for i, low, high in spans
    ]
    return {
        **_frame(left=12, bottom=40),
        "tooltip": {},
        "xAxis": {
            "type": "value",
            "name": f"gain, {title} (right is better)",
            "nameLocation": "middle",
            "nameGap": 28,
            "min": least(ordered),
            **_axis(),
        },
        "yAxis": {"type": "category", "data": names, **_axis()},
        "series": [
            *lines,
            {
                "type": "scatter",
                "symbolSize": 10,
                "data": marks,
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "label": {"show": False},
                    "lineStyle": {"color": _INK, "type": "solid"},
                    "data": [{"xAxis": 0}],
                },
            },
        ],
    }


def frontier(rows: Sequence[Mapping[str, Any]], title: str) -> Options:
    """Show every method's gain over the generic model against the time a request takes.

    Args:
        rows: Rows of a table of `ipse bench`, those with a gain and a cost; at least one.
        title: What the score is called.

    Returns:
        A dot a method, with its name; up is better, left is faster.
    """
    costs = [float(row["cost"]["ms"]) for row in rows]
    means = [float(row["gain"]["mean"]) for row in rows]
    low, high = least(rows), _rounded(1.1 * max(0.0, *means))
    first = math.floor(math.log2(min(costs) * 0.8))
    last = math.ceil(math.log2(max(costs) * 1.6))
    places = [
        ((math.log2(cost) - first) / (last - first), (mean - low) / ((high - low) or 1))
        for cost, mean in zip(costs, means, strict=True)
    ]
    names = [str(row["method"]) for row in rows]
    points = [
        {"name": name, "value": [cost, mean], "label": {"show": bool(side), "position": side}}
        for name, cost, mean, side in zip(names, costs, means, _sides(names, places), strict=True)
    ]
    label = {"color": _INK, "formatter": "{b}", "fontSize": 11}
    return {
        **_frame(left=24, bottom=40),
        "tooltip": {},
        "xAxis": {
            "type": "log",
            "logBase": 2,
            "name": "milliseconds a request",
            "nameLocation": "middle",
            "nameGap": 28,
            "min": 2.0**first,
            "max": 2.0**last,
            **_axis(),
        },
        "yAxis": {
            "type": "value",
            "name": f"gain, {title}",
            "nameLocation": "middle",
            "nameGap": 36,
            "min": low,
            "max": high,
            **_axis(axisLabel={"color": _INK, "showMaxLabel": False}),
        },
        "series": [
            {
                "type": "scatter",
                "symbolSize": 9,
                "color": _OWN,
                "clip": True,
                "data": points,
                "label": label,
                "labelLayout": {"hideOverlap": True},
            }
        ],
    }


def least(rows: Sequence[Mapping[str, Any]]) -> float:
    """Give where plots of gains begin: one method that fails badly must not press all together.

    Args:
        rows: Rows of a table, those with a gain.

    Returns:
        The lowest end of an interval below 0, of those methods that lose no more than the best
        gains.
    """
    highs = [float(row["gain"]["high"]) for row in rows if row["gain"]["high"] > 0]
    reach = max(highs, default=math.inf)
    near = [float(row["gain"]["low"]) for row in rows if row["gain"]["mean"] >= -reach]
    return _rounded(min(0.0, max(min(near, default=0.0), -reach)))


def _sides(names: Sequence[str], places: Sequence[tuple[float, float]]) -> list[str]:
    """Say on which side of its dot each name is written, so that it hides no other if it can.

    Args:
        names: The names.
        places: Where the dots are, each from 0 to 1 across and up.

    Returns:
        A side each; "" where all are taken, and the name is left out.
    """
    taken = [(x - 0.012, y - 0.018, x + 0.012, y + 0.018) for x, y in places]
    sides = []
    for name, (x, y) in zip(names, places, strict=True):
        wide, high = 0.02 + 0.016 * len(name), 0.022
        boxes = {
            "right": (x + 0.013, y - high, x + wide, y + high),
            "left": (x - wide, y - high, x - 0.013, y + high),
            "top": (x - wide / 2, y + 0.019, x + wide / 2, y + 0.019 + 2 * high),
            "bottom": (x - wide / 2, y - 0.019 - 2 * high, x + wide / 2, y - 0.019),
        }
        free = [side for side, box in boxes.items() if not any(_meet(box, one) for one in taken)]
        sides.append(free[0] if free else "")
        taken += [boxes[side] for side in free[:1]]
    return sides


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes, each left, bottom, right and top, have something in common."""
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def _rounded(number: float) -> float:
    """Give a number with two digits, further from 0: an end of an axis."""
    if not number:
        return 0.0
    step = 10 ** (math.floor(math.log10(abs(number))) - 1)
    ends = math.ceil(abs(number) / step) * step
    return round(math.copysign(ends, number), 6)


def _calendar(times: Sequence[datetime]) -> tuple[list[str], list[str]]:
    """Divide a time into days, months or years, whichever gives few enough bars, none left out.

    Args:
        times: The moments, oldest first.

    Returns:
        The names of all bars, and the name of each moment's.
    """
    first, last = times[0], times[-1]
    days = (last.date() - first.date()).days
    if days < _MOST:
        every = [first.date() + timedelta(days=n) for n in range(days + 1)]
        return [f"{day:%-d %b %Y}" for day in every], [f"{time:%-d %b %Y}" for time in times]
    months = 12 * (last.year - first.year) + last.month - first.month
    if months < _MOST:
        numbers = [first.month - 1 + n for n in range(months + 1)]
        every = [date(first.year + n // 12, n % 12 + 1, 1) for n in numbers]
        return [f"{day:%b %Y}" for day in every], [f"{time:%b %Y}" for time in times]
    years = range(first.year, last.year + 1)
    return [str(year) for year in years], [str(time.year) for time in times]


def _color(gain: Mapping[str, Any]) -> str:
    """Green where it is clearly better, red where clearly worse, grey where nobody can tell."""
    if gain["low"] > 0:
        return _OWN
    return _LOSS if gain["high"] < 0 else _PLAIN


def _frame(left: int, bottom: int) -> Options:
    grid = {"left": left, "right": 24, "top": 24, "bottom": bottom, "containLabel": True}
    return {"grid": grid, "animation": False, "textStyle": {"fontFamily": "sans-serif"}}


def _axis(**other: Options) -> Options:
    return {
        "axisLabel": {"color": _INK},
        "nameTextStyle": {"color": _INK},
        "axisLine": {"lineStyle": {"color": _INK}},
        "splitLine": {"lineStyle": {"color": _INK, "opacity": 0.18}},
        **other,
    }
