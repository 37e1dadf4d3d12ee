"""Operate: who there is, what is under way, and what it takes; for whoever may act for anyone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from nicegui import ui

from ipse.server.acting import check_not_paused
from ipse.server.page.desk import Desk
from ipse.server.page.learned import size
from ipse.server.page.measures import measure
from ipse.server.page.records import when
from ipse.server.page.shell import empty, say, telling
from ipse.store import StoredJob

__all__ = ["Figures", "operate"]

Figures = Callable[[], Sequence[tuple[str, str]]]
"""Gives what the server has counted since it began: a title and a number each."""

_WIDE = {"first": "ip-wide"}
"""Columns that a phone has no room for."""

_PAGE = 50
_LATEST = 5  # jobs
_EVERY = 5.0  # seconds
_SOON = 1.0  # of jobs, which cost little to look at


async def operate(desk: Desk, store: str, figures: Figures) -> None:
    """Draw the view.

    Args:
        desk: Whose page it is.
        store: The store's file.
        figures: What was counted.
    """
    if desk.bound is not None:
        empty("lock", "This key is one person's", "Sign in with a service's key to see the server.")
        return
    with ui.element("div").classes("ip-page ip-operate"):
        with ui.element("div").classes("ip-title"):
            ui.label("Operate").classes("ip-h1")
            lm = desk.engine.lm
            ui.label(f"{lm.base or lm.name} · methods {desk.engine.written}")
        tiles = ui.element("div").classes("ip-tiles")
        jobs = _Jobs(desk)

        async def look() -> None:
            now = await desk.call(measure, store)
            records = await desk.call(desk.engine.store.count)
            shown = [
                ("Records", f"{records:,}"),
                ("Memory", size(now.resident)),
                ("Database", size(now.database)),
                ("Learned", size(now.artifacts)),
                ("Threads", f"{now.threads:,}"),
                *await desk.call(figures),
            ]
            with tiles.clear():
                for title, number in shown:
                    with ui.element("div").classes("ip-card ip-tile"):
                        ui.label(number).classes("ip-tile-number")
                        ui.label(title).classes("ip-muted")

        await look()
        await jobs.look()
        ui.timer(_EVERY, look)
        ui.timer(_SOON, jobs.look)
        await _people(desk, jobs)


class _Jobs:
    """What is under way, and what became of the last: of everybody, and of whoever is shown."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown: object = None
        with ui.element("section").classes("ip-card").props('aria-label="Jobs"'):
            ui.label("Jobs").classes("ip-h2")
            self._list = ui.element("div").classes("ip-jobs")
            ui.button(
                "Learn of everybody", icon="model_training", on_click=partial(self.learn, None)
            ).props("flat no-caps")

    async def look(self) -> None:
        """Draw them, if they are others or further than when it was looked last."""
        desk = self._desk
        store = desk.engine.store.jobs
        counts = await desk.call(store.counts)
        whose = desk.asked | ({desk.chosen} if desk.chosen else set())
        found = [job for one in whose for job in await desk.call(store.latest, one, _LATEST)]
        latest = sorted(found, key=lambda job: job.made, reverse=True)[:_LATEST]
        if (counts, latest) == self._shown:
            return
        self._shown = counts, latest
        with self._list.clear():
            going = f"{counts['running']} under way, {counts['queued']} waiting"
            ui.label(going).classes("ip-muted")
            for job in latest:
                self._draw(job)

    async def learn(self, person: str | None) -> None:
        """Ask for what is missing to be learned, in the background."""
        desk = self._desk
        with telling():
            desk.may(person)
            if person is not None:
                check_not_paused(desk.engine.store, person)
            await desk.call(desk.engine.store.jobs.add, person, "enroll", desk.engine.written)
            desk.asked.add(person)
            desk.wake()
            say("It will be learned in the background", "positive")
            await self.look()

    def _draw(self, job: StoredJob) -> None:
        what = f"{job.kind} {job.methods}" + (f" of {job.user}" if job.user else "")
        with ui.element("div").classes("ip-row ip-job"):
            ui.label(what).classes("ip-state-name")
            ui.label(job.error or job.doing or job.status).classes("ip-muted ip-gap")
            ui.label(when(job.made)).classes("ip-muted")
            if job.status == "running":
                ui.linear_progress(job.share, show_value=False).classes("ip-share").props(
                    f'aria-label="How far: {what}"'
                )


async def _people(desk: Desk, jobs: _Jobs) -> None:
    """The people, a page at a time, with what can be done for each."""
    with ui.element("section").classes("ip-card ip-scroll").props('aria-label="People"'):
        ui.label("People").classes("ip-h2")
        with ui.element("table").classes("ip-table"):
            with ui.element("thead"), ui.element("tr"):
                for name in ("person", "records", "first", "last", ""):
                    with ui.element("th").classes(_WIDE.get(name, "")):
                        ui.label(name)
            body = ui.element("tbody")
        more = ui.button("More").props("flat no-caps")
        cursor: str | None = None

        async def fetch() -> None:
            nonlocal cursor
            page = await desk.call(desk.engine.store.users, _PAGE, cursor)
            cursor = page.cursor
            more.set_visibility(cursor is not None)
            with body:
                for one in page.items:
                    with ui.element("tr"):
                        for name, cell in (
                            ("person", one.id),
                            ("records", f"{one.records:,}"),
                            ("first", when(one.first)),
                            ("last", when(one.last)),
                        ):
                            with ui.element("td").classes(_WIDE.get(name, "")):
                                ui.label(cell)
                        with ui.element("td"):
                            ui.button("Learn", on_click=partial(jobs.learn, one.id)).props(
                                "flat dense no-caps"
                            )

        more.on_click(fetch)
        await fetch()
