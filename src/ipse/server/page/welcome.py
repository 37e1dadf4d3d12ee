"""What the page says while nothing is known of whoever is shown: how to begin."""

from __future__ import annotations

from functools import partial

from nicegui import events, ui

from ipse.server.page.desk import Desk
from ipse.server.page.files import SAMPLE, sample, take
from ipse.server.page.records import counted
from ipse.server.page.shell import empty, memorize, say, telling

__all__ = ["remember", "upload", "welcome"]


async def welcome(desk: Desk) -> None:
    """Draw it."""
    with ui.element("div").classes("ip-page ip-welcome"):
        if not desk.chosen:
            empty(
                "waving_hand",
                "Who is it for?",
                "Choose a person above, or type a new name and press Enter.",
            )
        else:
            empty(
                "person_add",
                f"Nothing is known of {desk.chosen} yet",
                "Say something that is to be remembered, or import a file.",
            )
            with ui.element("section").classes("ip-card"):
                remember(desk)
                upload(desk)
        if desk.bound is None:
            with ui.element("section").classes("ip-card ip-center"):
                ui.label("Or look at how it works with an invented person").classes("ip-muted")
                ui.button(
                    "Add the sample person", icon="auto_awesome", on_click=partial(_sample, desk)
                ).props("unelevated no-caps").mark("sample")


def remember(desk: Desk) -> None:
    """Draw where a person says something that is to be known of them."""
    with ui.element("div").classes("ip-row"):
        text = ui.input(placeholder="Something to remember").props(
            'outlined dense aria-label="Something to remember"'
        )
        text.classes("ip-gap")

        async def keep() -> None:
            if not text.value.strip():
                return
            with telling():
                await desk.call(
                    desk.engine.remember, desk.learner, text.value.strip(), source="page"
                )
                await ui.context.client.sub_pages_router.refresh()

        text.on("keydown.enter", keep)
        ui.button("Remember", on_click=keep).props("unelevated no-caps")


def upload(desk: Desk) -> None:
    """Draw where a file is taken in."""

    async def took(event: events.UploadEventArguments) -> None:
        with telling():
            content = await event.file.read()
            new = await desk.call(take, desk.engine, desk.learner, event.file.name, content)
            say(f"{counted(new, 'record')} new", "positive")
            await ui.context.client.sub_pages_router.refresh()

    ui.upload(
        label="Import a file: an export of Ipse or ChatGPT, .jsonl or .csv",
        on_upload=took,
        auto_upload=True,
        max_file_size=10_000_000,
        on_rejected=lambda: say("The file is larger than 10 MB. Use: ipse import", "warning"),
    ).props('flat bordered accept=".zip,.json,.jsonl,.csv"').classes("ip-upload").mark("import")


async def _sample(desk: Desk) -> None:
    with telling():
        await desk.call(desk.engine.add, await desk.call(sample))
        desk.choose(SAMPLE)
        memorize(desk)
        await ui.context.client.sub_pages_router.refresh()
