"""One answer on the page: as it is written, what it was made of, and what may be said of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from threading import Event

from nicegui import ui

from ipse.plan import Sampling
from ipse.replies import Pieces
from ipse.server.page.conversation import Answer, Turn
from ipse.server.page.desk import Desk
from ipse.server.page.feedback import edit, thumb
from ipse.server.page.records import counted, line, open_record
from ipse.server.page.shell import telling
from ipse.server.page.why import reasons
from ipse.server.page.writing import follow
from ipse.store import Receipt

__all__ = ["AnswerCard"]

_NAMES = {"generic": "The model as it is", "personal": "Personal"}


class AnswerCard:
    """The card of one answer."""

    def __init__(
        self,
        desk: Desk,
        turn: Turn,
        answer: Answer,
        *,
        number: int,
        again: Callable[[], Awaitable[None]],
        better: Callable[[], Awaitable[None]],
        changed: Callable[[Receipt], Awaitable[None]],
    ) -> None:
        """Draw it, as far as it is written.

        Args:
            desk: Whose page it is.
            turn: The turn it is of.
            answer: The answer.
            number: Which of the personal ones it is, from 1.
            again: Writes another one.
            better: Says that this is the better one.
            changed: Told when a record behind it was corrected or forgotten.
        """
        self.answer = answer
        self._desk, self._turn, self._changed = desk, turn, changed
        self._stopped = Event()
        name = _NAMES[answer.side] + (f", answer {number}" if number > 1 else "")
        with ui.element("section").classes(f"ip-card ip-answer ip-{answer.side}") as self.box:
            with ui.element("div").classes("ip-row"):
                ui.label(name).classes("ip-side")
                self._dots = ui.spinner("dots", size="1.4em")
                ui.element("div").classes("ip-gap")
                self._stop = ui.button("Stop", icon="stop", on_click=self._stopped.set)
                self._stop.props("flat dense no-caps size=sm")
                self._crown = ui.icon("emoji_events").classes("ip-crown").tooltip("The better one")
            self._text = ui.label(answer.text).classes("ip-text").mark(f"{answer.side}-answer")
            self._note = ui.label().classes("ip-muted")
            self._more = ui.element("div").classes("ip-more")
            with ui.element("div").classes("ip-row ip-actions") as self._actions:
                self._judge(again, better)
        self._dots.set_visibility(False)
        self._stop.set_visibility(False)
        self._crown.set_visibility(False)
        self._note.set_visibility(False)
        self._actions.set_visibility(False)
        ui.context.client.on_delete(self._stopped.set)

    async def write(self, sampling: Sampling) -> None:
        """Write the answer, and show it as it comes.

        Args:
            sampling: How its tokens are drawn.
        """
        desk, answer = self._desk, self.answer
        history, after = desk.conversation.before(self._turn, answer.side)
        personal = answer.side == "personal"
        methods = desk.methods if personal else "generic"
        begin = partial(
            desk.engine.stream,
            desk.who,
            self._turn.question,
            after=after,
            methods=methods,
            strength=desk.strength if personal else 0.0,
            sampling=sampling,
            history=history,
            keep=not desk.temporary,
        )
        self._dots.set_visibility(True)
        self._stop.set_visibility(True)
        try:
            with desk.watch(sampling) as span:

                def show(text: str) -> None:
                    if text:
                        span.piece()
                    self._show(text)

                pieces = await follow(begin, show, self._stopped)
                if pieces is not None and pieces.reply is not None:
                    span.done([pieces.reply])
            if pieces is None:
                self._say("Stopped. What is not whole is not kept.")
            else:
                answer.id, answer.whole = pieces.id, True
                if personal:
                    await self._explain(pieces, methods)
        finally:
            self._rest()
        if not self.box.is_deleted:
            self.settle()

    def settle(self) -> None:
        """Show what the answer was made of, and what may be said of it."""
        answer = self.answer
        self._actions.set_visibility(answer.whole)
        if answer.whole and not answer.text.strip():
            self._say("The model said nothing.")
        self._more.clear()
        with self._more:
            if answer.evidence:
                count = counted(len(answer.evidence), "record")
                ui.label(f"{count} spoke").classes("ip-label")
                for record in answer.evidence:
                    line(record, partial(open_record, self._desk, record, self._changed))
            if answer.why:
                with ui.expansion("Why this answer", icon="help_outline").props(
                    "dense dense-toggle"
                ) as why:
                    for reason in answer.why:
                        ui.label(reason).classes("ip-reason")
                why.mark("why")

    def offer(self, choice: bool) -> None:
        """Show whether this can be called the better of several."""
        self._better.set_visibility(choice)

    def crown(self, best: bool) -> None:
        """Show whether this was called the better."""
        self._crown.set_visibility(best)

    async def _explain(self, pieces: Pieces, methods: str | None) -> None:
        desk, question = self._desk, self._turn.question
        self.answer.evidence = await desk.call(desk.engine.evidence, desk.who, pieces.plan)
        self.answer.why = await desk.call(
            reasons, desk.engine, desk.who, question, methods, pieces.plan
        )

    def _judge(
        self, again: Callable[[], Awaitable[None]], better: Callable[[], Awaitable[None]]
    ) -> None:
        if self.answer.side == "personal":
            for way in ("up", "down"):
                button = ui.button(icon=f"thumb_{way}", on_click=partial(self._thumb, way))
                button.props(f'flat round dense aria-label="Thumb {way}"').mark(f"thumb-{way}")
            ui.button(icon="edit", on_click=self._edit).props(
                'flat round dense aria-label="Write it as it should have been"'
            ).tooltip("Write it as it should have been")
            ui.button(icon="refresh", on_click=again).props(
                'flat round dense aria-label="Another answer"'
            ).tooltip("Another answer, at the strength set now")
        self._better = ui.button("Better", icon="emoji_events", on_click=better)
        self._better.props("flat dense no-caps").mark(f"better-{self.answer.side}")
        self._better.set_visibility(False)

    async def _thumb(self, way: str) -> None:
        with telling():
            await thumb(self._desk, self.answer, way)

    async def _edit(self) -> None:
        with telling():
            await edit(self._desk, self.answer, self._show)

    def _rest(self) -> None:
        """Show that it is not being written any more; whoever left the view sees it on return."""
        if not self.box.is_deleted:
            self._dots.set_visibility(False)
            self._stop.set_visibility(False)

    def _show(self, text: str) -> None:
        self.answer.text = text
        if not self.box.is_deleted:
            self._text.set_text(text)

    def _say(self, text: str) -> None:
        self._note.set_text(text)
        self._note.set_visibility(True)
