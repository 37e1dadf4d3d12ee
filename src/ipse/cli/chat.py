"""The command `chat`: a conversation, line by line, at a terminal or through a pipe.

What is typed is kept for as long as the conversation runs, and stored only by `/remember`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ipse.cli.call import (
    Call,
    MaxTokens,
    Method,
    Seed,
    Strength,
    Temperature,
    User,
    command,
    find_record,
)
from ipse.cli.output import ERR, OUT, counted, document, short, warn, write
from ipse.cli.reasons import evidence_table
from ipse.engine import Ipse
from ipse.errors import IpseError, UsageError, unknown
from ipse.methods import parse, spec
from ipse.plan import Message, Sampling
from ipse.records import Record
from ipse.text import one_line

__all__ = ["Conversation", "Turn", "chat"]


@dataclass(frozen=True)
class Turn:
    """A question, its answer, and the records that the model read."""

    question: str
    answer: str
    evidence: tuple[Record, ...] = ()


@dataclass
class Conversation:
    """One conversation: who asks, how answers are made, and what was said so far.

    Attributes:
        engine: What answers.
        sampling: How tokens are drawn.
        user: Who asks; nobody gets the generic model.
        method: The composition; the engine's own where it is None.
        strength: 0 is the generic model, 1 the methods as published.
        turns: What was said so far.
    """

    engine: Ipse
    sampling: Sampling
    user: str | None = None
    method: str | None = None
    strength: float = 1.0
    turns: list[Turn] = field(default_factory=list)

    def answer(self, question: str) -> Iterator[str]:
        """Answer in pieces, and keep the turn once it is whole."""
        plan = self.engine.plan(
            self.user,
            question,
            methods=self.method,
            strength=self.strength,
            sampling=self.sampling,
            history=self._history(),
        )
        pieces = []
        if plan.candidates > 1:
            warn(f"{plan.candidates} answers are written before the best of them is shown …")
        for piece in self.engine.pieces(self.user, plan, self.method):
            pieces.append(piece)
            yield piece
        self.turns.append(Turn(question, "".join(pieces), self.engine.evidence(self.user, plan)))

    def change_strength(self, text: str) -> str:
        """Change how personal answers are: 0 to 1."""
        try:
            strength = float(text)
        except ValueError:
            strength = -1
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must be between 0 and 1; got {text!r}. Try: /strength 0.5")
        self.strength = strength
        return f"strength: {strength:g}"

    def change_method(self, text: str) -> str:
        """Change the methods, such as to bm25:k=4."""
        self.method = spec(parse(text))
        return f"methods: {self.method}"

    def remember(self, text: str) -> str:
        """Store a text as something you said."""
        record = self.engine.remember(self._known_user(), text, source="chat")
        return f"Remembered {short(record.id)}"

    def forget(self, text: str) -> str:
        """Forget a record, by its id or the start of it."""
        user = self._known_user()
        record = find_record(self.engine.store, user, text)
        receipt = self.engine.forget(user, record.id)
        return (
            f"Forgot {short(record.id)} and {counted(len(receipt.states), 'state')} learned from it"
        )

    def begin_anew(self, text: str) -> str:
        """Begin a new conversation."""
        del text
        self.turns.clear()
        return "A new conversation"

    def _history(self) -> list[Message]:
        return [
            message
            for turn in self.turns
            for message in (Message("user", turn.question), Message("assistant", turn.answer))
        ]

    def _known_user(self) -> str:
        if self.user is None:
            raise UsageError("nobody in particular is talking. Run: ipse chat --user USER")
        return self.user


_COMMANDS: dict[str, Callable[[Conversation, str], str]] = {
    "forget": Conversation.forget,
    "method": Conversation.change_method,
    "new": Conversation.begin_anew,
    "remember": Conversation.remember,
    "strength": Conversation.change_strength,
}
_ENDS = ("/quit", "/exit")
_HELP = {
    "help": "Show this.",
    "quit": "End the conversation.",
    "why": "Show the records behind the last answer.",
    **{name: (done.__doc__ or "") for name, done in _COMMANDS.items()},
}


@command
def chat(
    call: Call,
    user: User = None,
    method: Method = None,
    strength: Strength = 1.0,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = 0,
) -> None:
    """Talk, line by line; /help lists the commands. Nothing is stored but what you /remember."""
    sampling = call.sampling(max_tokens, temperature, seed)
    said: list[Turn] = []
    with call.engine(user, method, create=user is None) as engine:
        conversation = Conversation(engine, sampling, user, method)
        conversation.change_strength(str(strength))
        for line in _lines():
            if line in _ENDS:
                break
            before = len(conversation.turns)
            _reply(call, conversation, line)
            said += conversation.turns[before:]
    if call.as_json:
        document({"user": user, "turns": [_turn(turn) for turn in said]})


def _lines() -> Iterator[str]:
    """Give what is typed, or piped, without empty lines."""
    at_terminal = sys.stdin.isatty()
    while True:
        try:
            line = ERR.input("> ", markup=False) if at_terminal else sys.stdin.readline()
        except EOFError:
            return
        if not at_terminal and not line:
            return
        if line.strip():
            yield line.strip()


def _reply(call: Call, conversation: Conversation, line: str) -> None:
    """Answer a line. At a terminal an error is shown and the talk goes on; a piped one ends."""
    try:
        if line.startswith("/"):
            _obey(call, conversation, line)
            return
        for piece in conversation.answer(line):
            if not call.as_json:
                write(piece, end="")
        if not call.as_json:
            write("")
    except IpseError as error:
        if not sys.stdin.isatty():
            raise
        warn(f"ipse: {one_line(str(error))}")


def _obey(call: Call, conversation: Conversation, line: str) -> None:
    console = ERR if call.as_json else OUT
    name, _, text = line.removeprefix("/").partition(" ")
    if name == "help":
        console.print("\n".join(f"/{each:<9} {does}" for each, does in sorted(_HELP.items())))
    elif name == "why":
        console.print(evidence_table(conversation.turns[-1].evidence if conversation.turns else ()))
    elif name in _COMMANDS:
        console.print(_COMMANDS[name](conversation, text.strip()))
    else:
        raise unknown("command", f"/{name}", [f"/{each}" for each in _HELP])


def _turn(turn: Turn) -> dict[str, object]:
    evidence = [record.id for record in turn.evidence]
    return {"question": turn.question, "answer": turn.answer, "evidence": evidence}
