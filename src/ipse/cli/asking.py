"""Commands that put a question: ask, and explain, which shows what would be run instead."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ipse.cli.call import Call, MaxTokens, Method, Seed, Strength, Temperature, User, command
from ipse.cli.output import document, short, show_all, write
from ipse.cli.reasons import candidates_table, reasons_for, say_that_it_waits
from ipse.lm import Reply
from ipse.plan import Plan

__all__ = ["ask", "explain"]

Question = Annotated[str, typer.Argument(help="What is asked.")]


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
    options: dict[str, Any] = {"methods": method, "strength": strength, "sampling": sampling}
    with call.engine(user, method, create=user is None) as engine:
        if call.as_json:
            answer = engine.ask(user, question, **options)
            why = (
                reasons_for(engine, user, question, method, answer.plan).to_json()
                if explain
                else {}
            )
            document({"id": answer.id, **_answer(user, question, answer.reply), **why})
            return
        pieces = engine.stream(user, question, **options)
        say_that_it_waits(pieces.plan)
        for piece in pieces:
            write(piece, end="")
        write("")
        if explain and pieces.reply is not None and pieces.plan.candidates > 1:
            show_all(candidates_table(pieces.reply))
        if explain:
            show_all(*reasons_for(engine, user, question, method, pieces.plan).shown())
            show_all(*([f"reply: {short(pieces.id)}"] if pieces.id else []))


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
        reasons = reasons_for(engine, user, question, method, plan)
    data = {**plan.to_json(), "learned": reasons.learned}
    call.answer(data, *_messages(plan), *reasons.shown(), f"needs: {needs}")


def _answer(user: str | None, question: str, reply: Reply) -> dict[str, Any]:
    return {
        "user": user,
        "question": question,
        "answer": reply.text,
        "finish": reply.finish,
        "prompt_tokens": reply.prompt_tokens,
        "tokens": reply.tokens,
        **({"candidates": reply.candidates, "rewards": reply.rewards} if reply.rewards else {}),
    }


def _messages(plan: Plan) -> list[str]:
    several = len(plan.streams) > 1
    shown = []
    for number, stream in enumerate(plan.streams, 1):
        shown += [f"stream {number}:"] if several else []
        shown += [f"[{message.role}] {message.content}" for message in stream.messages]
    if plan.fusion:
        shown.append(f"fusion: {plan.fusion}")
    if plan.candidates > 1:
        drawn = f"{plan.candidates} answers at temperature {plan.sampling.temperature:g}"
        shown.append(
            f"candidates: {drawn}, of which rewards choose; their rewards: ipse ask --explain"
        )
    return shown
