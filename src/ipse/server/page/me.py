"""Me: what is known of a person, what was learned of them, and how it leaves or goes."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from functools import partial

from nicegui import events, ui

from ipse.records import KINDS, Record, User
from ipse.server.page.charts import timeline
from ipse.server.page.desk import Desk
from ipse.server.page.files import export
from ipse.server.page.learned import learned
from ipse.server.page.records import counted, line, open_record, receipt_text
from ipse.server.page.shell import memorize, say, telling
from ipse.server.page.welcome import remember, upload, welcome
from ipse.store import Receipt

__all__ = ["me"]

_SHOWN = 30
_PROFILE = "facets+profile"
_EVERY = ""  # of every kind, of every source


async def me(desk: Desk) -> None:
    """Draw the view."""
    if not await desk.known():
        await welcome(desk)
        return
    person = desk.who
    view = await desk.call(desk.engine.store.user, person)
    paused = await desk.call(desk.engine.store.pauses.since, person)
    with ui.element("div").classes("ip-page ip-me"):
        _head(view)
        with ui.element("div").classes("ip-columns"):
            with ui.element("div").classes("ip-column"):
                _Known(desk, view).draw()
            with ui.element("div").classes("ip-column"):
                _timeline(view)
                _words(desk)
                await learned(desk)
                _leave(desk, paused is not None)


def _head(view: User) -> None:
    first, last = view.records[0].time, view.records[-1].time
    with ui.element("div").classes("ip-title"):
        ui.label(view.id).classes("ip-h1")
        ui.label(f"{counted(len(view), 'record')} from {first:%-d %b %Y} to {last:%-d %b %Y}")


class _Known:
    """The records, by kind and source."""

    def __init__(self, desk: Desk, view: User) -> None:
        self._desk = desk
        self._records = tuple(reversed(view.records))
        self._kind = self._source = _EVERY
        self._words = ""
        self._most = _SHOWN

    def draw(self) -> None:
        """Draw what may be chosen, and the records that are."""
        kinds = Counter(record.kind for record in self._records)
        sources = Counter(record.source or "nowhere" for record in self._records)
        with ui.element("section").classes("ip-card").props('aria-label="What is known"'):
            ui.label("What is known").classes("ip-h2")
            remember(self._desk)
            names = {_EVERY: "Every kind"}
            names |= {kind: f"{kind} {kinds[kind]:,}" for kind in KINDS if kinds[kind]}
            with ui.element("div").classes("ip-row"):
                ui.select(names, value=_EVERY, on_change=self._choose_kind).props(
                    'dense outlined options-dense aria-label="Kind"'
                )
                if len(sources) > 1:
                    names = {_EVERY: "Every source"}
                    names |= {name: f"{name} {n:,}" for name, n in sorted(sources.items())}
                    ui.select(names, value=_EVERY, on_change=self._choose_source).props(
                        'dense outlined options-dense aria-label="Source"'
                    )
                ui.input(placeholder="Find", on_change=self._find).props(
                    'dense outlined clearable debounce=200 aria-label="Find"'
                ).classes("ip-find")
            self._list = ui.element("div").classes("ip-records")
            self._show()

    def _show(self) -> None:
        chosen = [record for record in self._records if self._fits(record)]
        self._list.clear()
        with self._list:
            for record in chosen[: self._most]:
                line(record, partial(open_record, self._desk, record, _gone))
            if not chosen:
                ui.label("Nothing of this sort").classes("ip-muted")
            if len(chosen) > self._most:
                more = ui.button(f"{len(chosen) - self._most:,} more", on_click=self._longer)
                more.props("flat no-caps")

    def _fits(self, record: Record) -> bool:
        text = f"{record.input}\n{record.output}\n{record.rejected or ''}".lower()
        return (
            self._kind in (_EVERY, record.kind)
            and self._source in (_EVERY, record.source or "nowhere")
            and self._words.lower() in text
        )

    def _longer(self) -> None:
        self._most *= 4
        self._show()

    def _choose_kind(self, event: object) -> None:
        self._kind = str(getattr(event, "value", None) or _EVERY)
        self._show()

    def _choose_source(self, event: object) -> None:
        self._source = str(getattr(event, "value", None) or _EVERY)
        self._show()

    def _find(self, event: object) -> None:
        self._words = str(getattr(event, "value", None) or "")
        self._show()


async def _gone(receipt: Receipt) -> None:
    del receipt
    await ui.context.client.sub_pages_router.refresh()


def _timeline(view: User) -> None:
    with ui.element("section").classes("ip-card").props('aria-label="Timeline"'):
        ui.label("Timeline").classes("ip-h2")
        ui.echart(timeline(view.records), renderer="svg").classes("ip-chart")


def _words(desk: Desk) -> None:
    """The profile in words; a model may have to write it, so it is asked for."""
    with ui.element("section").classes("ip-card").props('aria-label="Profile"'):
        ui.label("In words").classes("ip-h2")
        text = ui.label("What the model reads before every question of theirs.")
        text.classes("ip-text ip-muted").mark("profile")

        async def write() -> None:
            button.props("loading")
            text.set_text("The model puts it in words …")
            with telling():
                found = await desk.call(desk.engine.profile, desk.who, _PROFILE)
                text.set_text(found or "There is not enough to say anything yet.")
                text.classes(remove="ip-muted")
                button.set_text("Put it in words anew")
            button.props(remove="loading")

        button = ui.button("Put it in words", icon="notes", on_click=write).props("flat no-caps")


def _leave(desk: Desk, paused: bool) -> None:
    """Import, export, pausing and erasing."""
    with ui.element("section").classes("ip-card").props('aria-label="Import, export, erase"'):
        ui.label("Yours to take, and to erase").classes("ip-h2")

        async def take_out() -> None:
            with telling():
                content = await desk.call(export, desk.engine, desk.who)
                ui.download.content(content, f"ipse-{datetime.now(UTC):%Y-%m-%d}.zip")

        async def pause(event: events.ValueChangeEventArguments[bool | None]) -> None:
            with telling():
                on = bool(event.value)
                await desk.call(desk.engine.store.pauses.set, desk.who, on=on)
                say("Paused. What is known still answers" if on else "No longer paused")

        upload(desk)
        ui.switch("Paused: nothing new is kept or learned", value=paused, on_change=pause)
        with ui.element("div").classes("ip-row"):
            ui.button("Export everything", icon="download", on_click=take_out).props("flat no-caps")
            ui.element("div").classes("ip-gap")
            ui.button("Erase …", icon="delete_forever", on_click=partial(_erase, desk)).props(
                "flat no-caps color=negative"
            ).mark("erase")


def _erase(desk: Desk) -> None:
    """Ask for the name, erase, and give the receipt."""
    with ui.dialog() as dialog, ui.element("div").classes("ip-card ip-dialog"):
        ui.label(f"Erase {desk.chosen}?").classes("ip-h2")
        ui.label(
            "All records, all that was learned from them and all replies made of them go, for "
            "good. Type the name to go on."
        )
        name = ui.input("Name").props("outlined dense autofocus").mark("erase-name")

        async def erase() -> None:
            with telling():
                person = desk.who
                if name.value.strip() != person:
                    say("That is not the name", "warning")
                    return
                receipt = await desk.call(desk.engine.forget, person)
                dialog.close()
                _receipt(desk, receipt)

        with ui.element("div").classes("ip-row"):
            ui.button("Erase for good", icon="delete_forever", on_click=erase).props(
                "unelevated no-caps color=negative"
            )
            ui.button("Keep", on_click=dialog.close).props("flat no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _receipt(desk: Desk, receipt: Receipt) -> None:
    """Show what went, in a dialog that stays until it is closed."""
    content = json.dumps(receipt.to_json(), indent=2)
    with ui.context.client.layout:
        dialog = ui.dialog().props("persistent")
    with dialog, ui.element("div").classes("ip-card ip-dialog").mark("receipt"):
        ui.label("Receipt").classes("ip-h2")
        ui.label(receipt_text(receipt))
        ui.label(_rest(receipt)).classes("ip-muted")
        ui.label(content).classes("ip-text ip-id ip-scroll")

        async def done() -> None:
            dialog.close()
            desk.choose(desk.bound or "")
            desk.conversation.turns.clear()
            memorize(desk)
            await ui.context.client.sub_pages_router.refresh()

        with ui.element("div").classes("ip-row"):
            ui.button(
                "Save receipt",
                icon="download",
                on_click=lambda: ui.download.content(content, "receipt.json"),
            ).props("flat no-caps")
            ui.element("div").classes("ip-gap")
            ui.button("Done", on_click=done).props("unelevated no-caps")
    dialog.open()


def _rest(receipt: Receipt) -> str:
    size = sum(artifact.nbytes for artifact in receipt.artifacts)
    gone = f"{counted(len(receipt.artifacts), 'file')} with {size:,} bytes went too."
    return f"{gone} Old bytes may remain until the log is emptied." if receipt.pending else gone
