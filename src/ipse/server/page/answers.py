"""One answer on the page: as it is written, what it was made of, and what may be said of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from ipse.errors import IpseError
from ipse.plan import Sampling
from ipse.server.page.conversation import Answer, Turn
from ipse.server.page.desk import Desk
from ipse.server.page.feedback import edit, thumb
from ipse.server.page.records import counted, line, open_record
from ipse.server.page.shell import telling
from ipse.server.page.why import reasons
from ipse.server.page.writing import follow
from ipse.store import Receipt

__all__ = ["AnswerCard", "write"]

_NAMES = {"generic": "The model as it is", "personal": "Personal"}
_STOPPED = "Stopped. What is not whole is not kept."
_BROKEN = "Something went wrong. Ask again; the server's log says more."


async def write(
    desk: Desk,
    turn: Turn,
    answer: Answer,
    sampling: Sampling,
    heard: Callable[[], None] | None = None,
) -> None:
    """Write an answer, and show it as it comes to whoever looks.

    Args:
        desk: Whose page it is.
        turn: The turn it is of.
        answer: The answer, still empty.
        sampling: How its tokens are drawn.
        heard: Told that what was asked was answered.
    """
    person = desk.who
    history, after = desk.conversation.before(turn, answer.side)
    personal = answer.side == "personal"
    methods, temporary = desk.methods if personal else "generic", desk.temporary
    answer.writing = True
    answer.show()
    try:
        begin = partial(
            desk.engine.stream,
            person,
            turn.question,
            after=after,
            methods=methods,
            strength=desk.strength if personal else 0.0,
            sampling=sampling,
            history=history,
            keep=not temporary,
        )
        with desk.watch(sampling) as span:

            def show(text: str) -> None:
                if text:
                    span.piece()
                answer.text = text
                answer.show()

            pieces = await follow(begin, show, answer.stop)
            if pieces is not None and pieces.reply is not None:
                span.done([pieces.reply])
        if pieces is None:
            answer.note = _STOPPED
            return
        if personal:
            desk.may(person)
            answer.evidence = await desk.call(desk.engine.evidence, person, pieces.plan)
            answer.why = await desk.call(
                reasons, desk.engine, person, turn.question, methods, pieces.plan
            )
        if heard is not None:
            await desk.call(heard)
        answer.id, answer.whole = pieces.id, True
        answer.note = "" if answer.text.strip() else "The model said nothing."
        if personal and temporary:
            answer.note += " Temporary: it is not kept."
    except IpseError as error:
        answer.note = str(error)
    except BaseException:
        answer.note = _BROKEN
        raise
    finally:
        answer.writing = False
        answer.show()


class AnswerCard:
    """The card of one answer."""

    def __init__(
        self,
        desk: Desk,
        answer: Answer,
        *,
        number: int,
        again: Callable[[], Awaitable[None]],
        better: Callable[[], Awaitable[None]],
        changed: Callable[[Receipt], Awaitable[None]],
        settled: Callable[[], None],
    ) -> None:
        """Draw it, as far as it is written.

        Args:
            desk: Whose page it is.
            answer: The answer.
            number: Which of the personal ones it is, from 1.
            again: Writes another one.
            better: Says that this is the better one.
            changed: Told when a record behind it was corrected or forgotten.
            settled: Told when it is not being written any more.
        """
        self.answer = answer
        self._desk, self._changed, self._settled = desk, changed, settled
        name = _NAMES[answer.side] + (f", answer {number}" if number > 1 else "")
        with ui.element("section").classes(f"ip-card ip-answer ip-{answer.side}") as self.box:
            self.box.props(f'aria-label="{name}"')
            with ui.element("div").classes("ip-row"):
                ui.label(name).classes("ip-side")
                self._dots = ui.spinner("dots", size="1.4em")
                ui.element("div").classes("ip-gap")
                self._stop = ui.button("Stop", icon="stop", on_click=answer.stop.set)
                self._stop.props("flat dense no-caps size=sm")
                self._crown = ui.icon("emoji_events").classes("ip-crown").tooltip("The better one")
            self._text = ui.label(answer.text).classes("ip-text").mark(f"{answer.side}-answer")
            self._note = ui.label().classes("ip-muted ip-note")
            self._more = ui.element("div").classes("ip-more")
            with ui.element("div").classes("ip-row ip-actions") as self._actions:
                self._thumbs: dict[str, ui.button] = {}
                self._judge(again, better)
        self._busy: bool | None = None
        ui.context.client.on_delete(answer.stop.set)
        answer.show = self.show

    def show(self) -> None:
        """Show what has become of it; whoever left the view sees it on return."""
        if self.box.is_deleted:
            return
        answer = self.answer
        self._text.set_text(answer.text)
        if answer.writing is self._busy:
            return
        self._busy = answer.writing
        self._dots.set_visibility(answer.writing)
        self._stop.set_visibility(answer.writing)
        self._actions.set_visibility(answer.whole)
        self._say_more()
        self.judged()
        self.box.props(f'aria-busy="{str(answer.writing).lower()}"')
        self._settled()

    def judged(self) -> None:
        """Show what was said of it."""
        answer = self.answer
        self._text.set_text(answer.text)
        self._note.set_text(answer.note)
        self._note.set_visibility(bool(answer.note))
        self._crown.set_visibility(answer.best)
        for way, button in self._thumbs.items():
            chosen = answer.thumb == way
            button.props(f'aria-pressed="{str(chosen).lower()}"')
            button.classes(add="ip-chosen" if chosen else "", remove="" if chosen else "ip-chosen")

    def offer(self, choice: bool) -> None:
        """Show whether this can be called the better of several."""
        self._better.set_visibility(choice)

    def _say_more(self) -> None:
        """Show what it was made of; of what is not kept nothing can be said."""
        answer = self.answer
        self._kept.set_visibility(bool(answer.id))
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

    def _judge(
        self, again: Callable[[], Awaitable[None]], better: Callable[[], Awaitable[None]]
    ) -> None:
        with ui.element("div").classes("ip-row") as self._kept:
            if self.answer.side == "personal":
                for way in ("up", "down"):
                    button = ui.button(icon=f"thumb_{way}", on_click=partial(self._thumb, way))
                    button.props(f'flat round dense aria-label="Thumb {way}"').mark(f"thumb-{way}")
                    self._thumbs[way] = button
                ui.button(icon="edit", on_click=self._edit).props(
                    'flat round dense aria-label="Write it as it should have been"'
                ).tooltip("Write it as it should have been")
        if self.answer.side == "personal":
            ui.button(icon="refresh", on_click=again).props(
                'flat round dense aria-label="Another answer"'
            ).tooltip("Another answer, at the strength set now")
        self._better = ui.button("Better", icon="emoji_events", on_click=better)
        self._better.props("flat dense no-caps").mark(f"better-{self.answer.side}")
        self._better.set_visibility(False)

    async def _thumb(self, way: str) -> None:
        with telling():
            await thumb(self._desk, self.answer, way)
            self.judged()

    async def _edit(self) -> None:
        with telling():
            await edit(self._desk, self.answer, self.judged)
