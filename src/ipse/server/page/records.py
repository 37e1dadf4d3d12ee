"""A record on the page: a line to click, and a dialog to see, correct and forget it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from nicegui import ui

from ipse.errors import UsageError
from ipse.records import USES, Record
from ipse.server.acting import changed
from ipse.server.page.desk import Desk
from ipse.server.page.shell import say, telling
from ipse.store import Receipt
from ipse.text import cut, one_line

__all__ = ["counted", "line", "open_record", "receipt_text", "sure", "told", "when"]

Changed = Callable[[Receipt], Awaitable[None]]

_WORDS = 60  # of a line; how many of them are shown is a matter of its width
_USES = {
    "prompt": "The model may read it",
    "train": "Their own adapter may learn from it",
    "share": "What everyone shares may learn from it",
}
_LABELS = {
    "profile": ("What", "Value"),
    "dialogue": ("What the other side said", "What they said"),
    "content": ("What it answers to", "What they wrote"),
    "interaction": ("What it is of", "What they did"),
    "preference": ("The question", "What they preferred"),
}


def counted(number: int, what: str, many: str = "") -> str:
    """Write how many there are, such as `1 record` and `2 records`."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def when(moment: datetime) -> str:
    """Write a time, in UTC, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M}"


def told(record: Record) -> str:
    """Write a record on one line."""
    said = one_line(record.output)
    if record.kind == "profile" and record.input:
        return f"{one_line(record.input)}: {said}"
    if record.kind in ("interaction", "preference") and record.input:
        return f"{said}  ·  {one_line(record.input)}"
    return said


def receipt_text(receipt: Receipt) -> str:
    """Say what a deletion removed."""
    return (
        f"Forgot {counted(len(receipt.records), 'record')}, "
        f"{counted(len(receipt.states), 'state')} learned from it and "
        f"{counted(receipt.replies, 'reply', 'replies')} made of it"
    )


def line(record: Record, opened: Callable[[], Awaitable[None]]) -> None:
    """Draw a record as a line that opens it."""
    with ui.element("button").classes(f"ip-record ip-{record.kind}").on("click", opened) as button:
        button.props('type="button"').mark("record")
        ui.label(record.kind).classes("ip-kind")
        ui.label(cut(told(record), _WORDS)).classes("ip-record-text")


async def open_record(desk: Desk, record: Record, then: Changed) -> None:
    """Open a record in a dialog.

    Args:
        desk: Whose page it is.
        record: The record.
        then: Told what went, once it was corrected or forgotten.
    """
    given_name, said_name = _LABELS[record.kind]
    with ui.dialog() as dialog, ui.element("div").classes("ip-card ip-dialog"):
        with ui.element("div").classes("ip-row ip-top"):
            with ui.element("div").classes("ip-row ip-gap"):
                ui.label(record.kind).classes(f"ip-kind ip-{record.kind}")
                ui.label(when(record.time)).classes("ip-muted")
                if record.source:
                    ui.label(f"from {record.source}").classes("ip-muted")
            ui.button(icon="close", on_click=dialog.close).props(
                'flat round dense aria-label="Close"'
            )
        given = _area(given_name, record.input) if record.input else None
        said = _area(said_name, record.output).mark("record-text")
        if record.rejected is not None:
            ui.label("What they did not prefer").classes("ip-label")
            ui.label(record.rejected).classes("ip-text ip-muted")
        uses = {}
        for use in USES:
            uses[use] = ui.checkbox(_USES[use], value=use in record.uses).props("dense")
        _about(record)

        async def correct() -> None:
            with telling():
                told = {
                    "input": given.value if given else record.input,
                    "output": said.value,
                    "uses": sorted(use for use, box in uses.items() if box.value),
                }
                known = record.to_json()
                if not (change := {n: v for n, v in told.items() if v != known[n]}):
                    raise UsageError("nothing is different. Change the text, then save it")
                _check(desk, record)
                receipt = await desk.call(changed, desk.engine, desk.learner, record.id, change)
                dialog.close()
                say("Corrected. What was made of the old text is gone.", "positive")
                await then(receipt)

        async def forget() -> None:
            with telling():
                receipt = await desk.call(desk.engine.forget, desk.who, record.id)
                dialog.close()
                say(receipt_text(receipt), "positive")
                await then(receipt)

        with ui.element("div").classes("ip-row"):
            ui.button("Save correction", icon="edit", on_click=correct).props("unelevated no-caps")
            ui.element("div").classes("ip-gap")
            sure(ui.button("Forget", icon="delete"), "Forget for good?", forget)
    dialog.on("hide", dialog.delete)
    dialog.open()


def sure(button: ui.button, question: str, then: Callable[[], Awaitable[None]]) -> None:
    """Let a button ask once before it does what cannot be undone."""
    asked = False

    async def press() -> None:
        nonlocal asked
        if asked:
            await then()
        else:
            asked = True
            button.set_text(question)
            button.props(f'aria-label="{question}"')
            button.props(remove="flat")
            button.props("unelevated")

    button.props("flat no-caps color=negative")
    button.on_click(press)


def _check(desk: Desk, record: Record) -> None:
    """The record must be of whom this page may show now."""
    if record.user != desk.learner:
        raise UsageError("another person was chosen meanwhile. Open the record again")


def _area(label: str, text: str) -> ui.textarea:
    return ui.textarea(label, value=text).props("outlined autogrow dense")


def _about(record: Record) -> None:
    ui.label(f"id {record.id}").classes("ip-id")
    if record.meta:
        facts = ", ".join(f"{key}: {one_line(str(value))}" for key, value in record.meta.items())
        ui.label(cut(facts, 40)).classes("ip-id")
