"""What a person says of answers on the page, handed to the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from ipse.errors import UsageError
from ipse.feedback import Taken
from ipse.server.page.conversation import Answer
from ipse.server.page.desk import Desk
from ipse.server.page.records import counted
from ipse.server.page.shell import say, telling

__all__ = ["edit", "prefer", "thumb"]


async def thumb(desk: Desk, answer: Answer, way: str) -> None:
    """Keep that an answer was liked, or not.

    Args:
        desk: Whose page it is.
        answer: The answer.
        way: `up` or `down`.
    """
    taken = await _tell(desk, answer, thumb=way)
    answer.thumb = way
    say(_summary(taken), "positive")


async def prefer(desk: Desk, answer: Answer, others: Sequence[Answer]) -> None:
    """Keep that an answer is better than others to the same question.

    Args:
        desk: Whose page it is.
        answer: The better one.
        others: Those it is better than.
    """
    for other in others:
        taken = await _tell(desk, answer, better_than=other.id)
    if others:
        say(_summary(taken), "positive")


async def edit(desk: Desk, answer: Answer, show: Callable[[], None]) -> None:
    """Let a person write an answer as it should have been.

    Args:
        desk: Whose page it is.
        answer: The answer.
        show: Shows the answer, with the new text in its place.
    """
    with ui.dialog() as dialog, ui.element("div").classes("ip-card ip-dialog"):
        ui.label("As it should have been").classes("ip-side")
        area = ui.textarea(value=answer.text).props('outlined autogrow aria-label="Answer"')

        async def keep() -> None:
            with telling():
                taken = await _tell(desk, answer, edit=area.value)
                dialog.close()
                answer.text, answer.note = area.value, "As it should have been"
                show()
                say(_summary(taken), "positive")

        with ui.element("div").classes("ip-row"):
            ui.button("Keep", icon="check", on_click=keep).props("unelevated no-caps")
            ui.button("Leave it", on_click=dialog.close).props("flat no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _tell(desk: Desk, answer: Answer, **what: Any) -> Taken:
    if not answer.id:
        raise UsageError(
            "this answer is not kept, so nothing can be said of it: something it was made of was "
            "forgotten, or this server keeps no replies"
        )
    return await desk.call(desk.engine.feedback, desk.learner, answer.id, **what)


def _summary(taken: Taken) -> str:
    if not taken.new:
        return "That was known already"
    learned = ", ".join(sorted({saved.key.method for saved in taken.states}))
    kept = f"Kept as {counted(taken.new, 'record')}"
    return f"{kept}; {learned} learned of it" if learned else kept
