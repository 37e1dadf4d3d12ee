"""Compare: what `ipse bench` found, as tables and plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui

from ipse.server.page.charts import frontier, gains, least
from ipse.server.page.desk import Desk
from ipse.server.page.results import Found, find, read
from ipse.server.page.shell import empty, telling

__all__ = ["compare"]

_CERTAIN = 0.05


async def compare(desk: Desk, places: Sequence[Path]) -> None:
    """Draw the view.

    Args:
        desk: Whose page it is.
        places: Where results are looked for.
    """
    files = await desk.call(find, places)
    with ui.element("div").classes("ip-page ip-compare"):
        with ui.element("div").classes("ip-title"):
            ui.label("Compare").classes("ip-h1")
            ui.label("Every method on real people, with standard errors over people")
        if not files:
            where = ", ".join(map(str, places))
            empty("bar_chart", "No results yet", f"Run ipse bench. Looked for in: {where}")
            return
        choices = ui.element("div").classes("ip-row")
        shown = ui.element("div").classes("ip-shown")

        found: list[Found] = []

        async def show_file(path: Path) -> None:
            with telling():
                found[:] = await desk.call(read, path)
                names = {number: one.name for number, one in enumerate(found)}
                if names:
                    same = table.value == 0
                    table.set_options(names, value=0)
                    if same:  # otherwise the change of the choice shows it
                        show_table(0)

        def show_table(number: int) -> None:
            if number in range(len(found)):
                with shown.clear():
                    _draw(found[number])

        with choices:
            if len(files) > 1:
                ui.select(
                    {path: path.name for path in files},
                    value=files[0],
                    on_change=lambda event: show_file(event.value),
                ).props('dense outlined options-dense aria-label="Results"')
            table = ui.select({}, on_change=lambda event: show_table(event.value)).props(
                'dense outlined options-dense aria-label="Table"'
            )
            table.classes("ip-gap")
        await show_file(files[0])


def _draw(found: Found) -> None:
    rows = [row for row in found.rows if row["gain"]]
    timed = [row for row in rows if row["cost"]["ms"] > 0]
    with ui.element("div").classes("ip-columns"):
        if rows:
            with ui.element("section").classes("ip-card").props('aria-label="Gain"'):
                ui.label("Gain over the generic model").classes("ip-h2")
                ui.label("With 95 % intervals; green is clearly better.").classes("ip-muted")
                chart = ui.echart(gains(rows, found.title), renderer="svg").classes("ip-chart")
                chart.style(f"height: {110 + 24 * len(rows)}px")
                _beyond(rows)
        if timed:
            with ui.element("section").classes("ip-card").props('aria-label="Cost"'):
                ui.label("Gain against time").classes("ip-h2")
                ui.label(
                    "Up is better, left is faster. A dot that is touched tells its name."
                ).classes("ip-muted")
                chart = ui.echart(frontier(timed, found.title), renderer="svg")
                chart.classes("ip-chart").style(f"height: {110 + 24 * len(rows)}px")
                _beyond(timed)
    with ui.element("section").classes("ip-card ip-scroll"):
        _table(found)
    ui.label(f"{found.people} people, {found.origin}").classes("ip-muted")


def _beyond(rows: Sequence[Mapping[str, Any]]) -> None:
    """Name what is so much worse that the plot does not show it."""
    beyond = [row["method"] for row in rows if row["gain"]["mean"] < least(rows)]
    if beyond:
        ui.label(f"Too far below to be shown: {', '.join(beyond)}").classes("ip-muted")


def _table(found: Found) -> None:
    """Draw the table; a plain one, which reads well aloud and copies well."""
    columns = ("method", f"{found.title} ± SE", "gain", "p", "ms", "tokens read", "bytes stored")
    with ui.element("table").classes("ip-table"):
        with ui.element("thead"), ui.element("tr"):
            for name in columns:
                with ui.element("th"):
                    ui.label(name)
        with ui.element("tbody"):
            for row in sorted(found.rows, key=_standing):
                gain = row["gain"]
                clear = gain and gain["adjusted"] < _CERTAIN and gain["mean"] > 0
                with ui.element("tr").classes("ip-clear" if clear else ""):
                    for cell in _cells(row, found.score):
                        with ui.element("td"):
                            ui.label(cell)


def _standing(row: Mapping[str, Any]) -> float:
    """The generic model first, then the best."""
    return -float(row["gain"]["mean"]) if row["gain"] else -math.inf


def _cells(row: Mapping[str, Any], score: str) -> tuple[str, ...]:
    value, gain, cost = row["scores"][score], row["gain"], row["cost"]
    return (
        row["method"],
        f"{value['mean']:.3f} ± {value['error']:.3f}",
        f"{gain['mean']:+.3f}" if gain else "",
        f"{gain['adjusted']:.3g}" if gain else "",
        f"{cost['ms']:,.0f}",
        f"{cost['prompt_tokens']:,.0f}",
        f"{cost['nbytes']:,.0f}",
    )
