"""Chat: the model as it is and the person's own, side by side while they write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from nicegui import events, ui

from ipse.plan import Message, Sampling
from ipse.server.page.answers import AnswerCard, write
from ipse.server.page.conversation import Answer, Turn
from ipse.server.page.desk import Desk
from ipse.server.page.feedback import prefer
from ipse.server.page.files import SAMPLE
from ipse.server.page.shell import empty, telling
from ipse.server.page.welcome import welcome
from ipse.store import Receipt

__all__ = ["chat"]

_WARM = 0.8
"""The least temperature of an answer that is written once more, so that it may be another."""

_EXAMPLES = (
    "What shall I cook when I come home?",
    "How should I spend two free weeks in August?",
    "What shall I tell my daughter about the sea?",
)
_DOWN = "window.scrollTo({top: document.body.scrollHeight, behavior: 'smooth'})"


async def chat(desk: Desk) -> None:
    """Draw the view."""
    if not await desk.known():
        await welcome(desk)
        return
    _Chat(desk).draw(paused=await desk.call(desk.engine.store.pauses.since, desk.who) is not None)


class _Chat:
    """The view, as long as it is open."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._cards: dict[Turn, list[AnswerCard]] = {}
        self._rows: dict[Turn, ui.element] = {}

    def draw(self, *, paused: bool) -> None:
        """Draw what was said, and where to say more.

        Args:
            paused: Whether nothing new is to be learned.
        """
        desk = self.desk
        with ui.element("div").classes("ip-chat"):
            self._said = ui.element("div").classes("ip-said").props('aria-live="polite"')
            with self._said:
                self._nothing = ui.element("div")
                with self._nothing:
                    empty(
                        "forum",
                        f"Ask something as {desk.chosen or desk.bound}",
                        "Two answers come: the model's as it is, and their own.",
                    )
                    self._examples()
            for turn in desk.conversation.turns:
                self._draw_turn(turn)
        with ui.element("footer").classes("ip-ask"), ui.element("div").classes("ip-ask-in"):
            if paused:
                ui.label("Paused: nothing new is kept or learned").classes("ip-muted")
            self._dials()
            with ui.element("div").classes("ip-row ip-question"):
                self._question = ui.textarea(placeholder="Ask something …").props(
                    'outlined autogrow dense rows=1 aria-label="Question" title="Key: /"'
                )
                self._question.on(
                    "keydown.enter",
                    self._send,
                    js_handler="(e) => { if (!e.shiftKey) { e.preventDefault(); emit() } }",
                )
                ui.button(icon="send", on_click=self._send).props(
                    'unelevated round aria-label="Send"'
                )

    def _examples(self) -> None:
        """Offer questions that the sample person's records have something to say on."""
        if self.desk.chosen == SAMPLE:
            with ui.element("div").classes("ip-chips"):
                for question in _EXAMPLES:
                    ui.button(question, on_click=partial(self._ask, question)).props("flat no-caps")

    def _dials(self) -> None:
        desk = self.desk
        with ui.element("div").classes("ip-row ip-dials"):
            ui.label("Strength").classes("ip-label")
            slider = ui.slider(min=0, max=1, step=0.05, value=desk.strength)
            slider.props('aria-label="Strength of personalization" dense')
            number = ui.label(f"{desk.strength:.2f}").classes("ip-number")

            def turned(event: events.ValueChangeEventArguments[float | None]) -> None:
                desk.strength = 1.0 if event.value is None else event.value
                number.set_text(f"{desk.strength:.2f}")

            slider.on_value_change(turned)
            temporary = ui.checkbox("Temporary", value=desk.temporary, on_change=self._keep)
            temporary.props("dense").tooltip("Nothing that is said is kept")
            methods = ui.input("Methods", value=desk.methods or "", placeholder=desk.engine.written)
            methods.props('dense aria-label="Methods" stack-label')
            methods.on_value_change(lambda event: setattr(desk, "methods", event.value or None))

    def _keep(self, event: events.ValueChangeEventArguments[bool | None]) -> None:
        self.desk.temporary = bool(event.value)

    async def _send(self) -> None:
        question = (self._question.value or "").strip()
        if question:
            self._question.value = ""
            await self._ask(question)

    async def _ask(self, question: str) -> None:
        """Let both sides answer a question."""
        desk, turn = self.desk, Turn(question)
        with telling():
            person, temporary = desk.who, desk.temporary
            desk.conversation.turns.append(turn)
            self._draw_turn(turn)
            ui.run_javascript(_DOWN)
            said = [*desk.conversation.before(turn, "personal")[0], Message("user", question)]
            await asyncio.gather(
                self._write(turn, Answer("generic")),
                self._write(
                    turn,
                    Answer("personal"),
                    heard=None if temporary else partial(desk.said, person, said),
                ),
            )

    def _draw_turn(self, turn: Turn) -> None:
        self._nothing.set_visibility(False)
        self._cards[turn] = []
        with self._said, ui.element("article").classes("ip-turn"):
            ui.label(turn.question).classes("ip-asked")
            self._rows[turn] = ui.element("div").classes("ip-answers")
        for answer in turn.answers:
            self._card(turn, answer).show()

    def _card(self, turn: Turn, answer: Answer) -> AnswerCard:
        with self._rows[turn]:
            number = sum(card.answer.side == "personal" for card in self._cards[turn])
            card = AnswerCard(
                self.desk,
                answer,
                number=number + 1,
                again=lambda: self._again(turn),
                better=lambda: self._better(turn, answer),
                changed=self._changed,
                settled=lambda: self._choices(turn),
            )
        self._cards[turn].append(card)
        return card

    async def _write(
        self,
        turn: Turn,
        answer: Answer,
        sampling: Sampling | None = None,
        heard: Callable[[], None] | None = None,
    ) -> None:
        turn.answers.append(answer)
        self._card(turn, answer)
        await write(self.desk, turn, answer, sampling or self.desk.sampling, heard)

    async def _again(self, turn: Turn) -> None:
        """Write a personal answer once more, otherwise, beside those there are."""
        drawn = self.desk.sampling
        warm = replace(drawn, temperature=max(drawn.temperature, _WARM), seed=len(turn.answers))
        await self._write(turn, Answer("personal"), warm)

    def _choices(self, turn: Turn) -> None:
        """Of two answers that differ one may be called the better."""
        whole = [a for a in turn.answers if a.whole and a.id]
        several = len({a.text.strip() for a in whole}) > 1
        for card in self._cards[turn]:
            card.offer(several and card.answer in whole)

    async def _better(self, turn: Turn, answer: Answer) -> None:
        others = [a for a in turn.answers if a is not answer and a.whole and a.id]
        with telling():
            await prefer(self.desk, answer, [a for a in others if a.text != answer.text])
            for card in self._cards[turn]:
                card.answer.best = card.answer is answer
                card.judged()

    async def _changed(self, receipt: Receipt) -> None:
        """Something is gone: so are the answers made of it, and the last is written anew."""
        lost = self.desk.conversation.forget(frozenset(receipt.records))
        for turn in lost:
            for card in [c for c in self._cards[turn] if c.answer.side == "personal"]:
                card.box.delete()
                self._cards[turn].remove(card)
        if not await self.desk.known():
            await ui.context.client.sub_pages_router.refresh()
        elif lost:
            await self._write(lost[-1], Answer("personal"))
