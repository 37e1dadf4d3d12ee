"""The command `chat`: a conversation, line by line, at a terminal or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from ipse.cli.call import Call, MaxTokens, Method, Seed, Strength, Temperature, User, command
from ipse.cli.conversation import Conversation, Turn
from ipse.cli.output import ERR, OUT, document, warn, write
from ipse.cli.reasons import evidence_table
from ipse.errors import IpseError, unknown
from ipse.text import one_line

__all__ = ["chat"]

_COMMANDS: dict[str, Callable[[Conversation, str], str]] = {
    "ask": Conversation.ask,
    "better": Conversation.better,
    "down": Conversation.down,
    "edit": Conversation.edit,
    "forget": Conversation.forget,
    "method": Conversation.change_method,
    "new": Conversation.begin_anew,
    "pick": Conversation.pick,
    "rate": Conversation.rate,
    "remember": Conversation.remember,
    "strength": Conversation.change_strength,
    "up": Conversation.up,
    "worse": Conversation.worse,
}
_ENDS = ("/quit", "/exit")
_AGAIN = "/again"
_HELP = {
    "again": "Answer the last question once more. That alone says nothing of what you prefer.",
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
    """Talk, line by line; /help lists the commands.

    Questions and answers are kept for feedback, the latest; records are made only of what you
    /remember, and of what you say of answers.
    """
    sampling = call.sampling(max_tokens, temperature, seed)
    with call.engine(user, method, create=user is None) as engine:
        conversation = Conversation(engine, sampling, user, method)
        conversation.change_strength(str(strength))
        for line in _lines():
            if line in _ENDS:
                break
            _reply(call, conversation, line)
    if call.as_json:
        document({"user": user, "turns": [_turn(turn) for turn in conversation.said]})


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
        if line.startswith("/") and line != _AGAIN:
            _obey(call, conversation, line)
            return
        for piece in conversation.again() if line == _AGAIN else conversation.answer(line):
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
    said = {"question": turn.question, "answer": turn.answer, "evidence": evidence}
    return {"id": turn.id, **said}
