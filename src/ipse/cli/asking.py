"""Commands that put a question: ask, and explain, which shows what would be run instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from ipse.cli.call import Call, MaxTokens, Method, Seed, Strength, Temperature, User, command
from ipse.cli.output import document, short, show_all, table, write
from ipse.engine import Ipse
from ipse.lm import Reply
from ipse.methods import parse, spec
from ipse.plan import Plan
from ipse.records import Record
from ipse.store import StateSummary
from ipse.text import show

__all__ = ["ask", "evidence_table", "explain"]

Question = Annotated[str, typer.Argument(help="What is asked.")]


@dataclass(frozen=True)
class Reasons:
    """Why an answer is what it is.

    Attributes:
        methods: The composition that made the plan.
        plan: What was run.
        evidence: The records that the model read.
        states: What had been learned and was used.
    """

    methods: str
    plan: Plan
    evidence: tuple[Record, ...] = ()
    states: tuple[StateSummary, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the reasons as JSON-able data."""
        return {
            "methods": self.methods,
            "strength": self.plan.strength,
            "evidence": [record.to_json() for record in self.evidence],
            "states": [
                {"id": s.id, "method": s.key.method, "records": s.records, "made": s.made}
                for s in self.states
            ],
            "plan": self.plan.to_json(),
        }

    def shown(self) -> list[RenderableType]:
        """Give the reasons as they are shown to a person."""
        states = [f"{s.id} ({s.key.method}, of {s.records:,} records)" for s in self.states]
        return [
            f"\nmethods: {self.methods}   strength: {self.plan.strength:g}",
            evidence_table(self.evidence),
            f"states: {', '.join(states) or 'none'}",
        ]


@command
def ask(
    call: Call,
    question: Question,
    user: User = None,
    method: Method = None,
    strength: Strength = 1.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why the answer is what it is.")
    ] = False,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = 0,
) -> None:
    """Answer a question as a person's own model."""
    sampling = call.sampling(max_tokens, temperature, seed)
    with call.engine(user, method, create=user is None) as engine:
        plan = engine.plan(user, question, methods=method, strength=strength, sampling=sampling)
        if call.as_json:
            (reply,) = engine.lm.generate([plan])
            why = _reasons(engine, user, method, plan).to_json() if explain else {}
            document({**_answer(user, question, reply), **why})
            return
        for piece in engine.lm.stream(plan):
            write(piece, end="")
        write("")
        if explain:
            show_all(*_reasons(engine, user, method, plan).shown())


@command
def explain(
    call: Call,
    question: Question,
    user: User = None,
    method: Method = None,
    strength: Strength = 1.0,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = 0,
) -> None:
    """Show what the model would read to answer a question, without running it."""
    sampling = call.sampling(max_tokens, temperature, seed)
    with call.engine(user, method, create=user is None) as engine:
        plan = engine.plan(user, question, methods=method, strength=strength, sampling=sampling)
        needs = ", ".join(sorted(plan.needs)) or "nothing but messages"
        reasons = _reasons(engine, user, method, plan).shown()
    call.answer(plan.to_json(), *_messages(plan), *reasons, f"needs: {needs}")


def evidence_table(records: Sequence[Record]) -> RenderableType:
    """Lay out the records that a model read."""
    rows = [(short(record.id), record.time, show(record)) for record in records]
    return Group("evidence:", table(("id", "time", "text"), rows)) if rows else "evidence: none"


def _answer(user: str | None, question: str, reply: Reply) -> dict[str, Any]:
    return {
        "user": user,
        "question": question,
        "answer": reply.text,
        "finish": reply.finish,
        "prompt_tokens": reply.prompt_tokens,
        "tokens": reply.tokens,
    }


def _reasons(engine: Ipse, user: str | None, method: str | None, plan: Plan) -> Reasons:
    if user is None:
        return Reasons("generic", plan)
    return Reasons(
        spec(engine.methods if method is None else parse(method)),
        plan,
        engine.evidence(user, plan),
        tuple(state for state in engine.store.states(user) if state.id in plan.states),
    )


def _messages(plan: Plan) -> list[str]:
    several = len(plan.streams) > 1
    shown = []
    for number, stream in enumerate(plan.streams, 1):
        shown += [f"stream {number}:"] if several else []
        shown += [f"[{message.role}] {message.content}" for message in stream.messages]
    if plan.fusion:
        shown.append(f"fusion: {plan.fusion}")
    return shown
