"""One answer being written: what it reads, how its tokens are drawn, and when it ends.

This file knows nothing of batches.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Literal

from torch import Tensor

from ipse.backends.local.fusion import fuse, live_streams
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.sampling import draw, new_generator
from ipse.backends.local.writing import Writer
from ipse.lm import Reply
from ipse.plan import Plan

__all__ = ["Answer", "answers", "reply", "written"]


class Answer:
    """One answer being written.

    Attributes:
        streams: What is read, by which weights.
        prompts: The tokens each stream reads first.
        most: The most tokens that may be drawn.
        greedy: Whether the likeliest token of a single stream is all that is ever asked for.
        tokens: How many tokens were drawn; the end of the turn is one.
        finish: Why it ended; None while it is being written.
        writer: The text so far.
    """

    def __init__(self, model: LanguageModel, plan: Plan) -> None:
        """Begin the answer to a plan."""
        self.streams, self._weights = live_streams(plan)
        self._fusion = plan.fusion
        self._sampling = plan.sampling
        self._chance = new_generator(plan.sampling.seed)
        self._ends = model.ends
        self.prompts = [tuple(model.prompt(stream.messages)) for stream in self.streams]
        for prompt in self.prompts:
            model.fits(len(prompt))
        self.most = min(plan.sampling.max_tokens, model.context - max(map(len, self.prompts)))
        self.greedy = self._weights == (1.0,) and plan.sampling.temperature == 0
        self.tokens = 0
        self.finish: Literal["stop", "length"] | None = None
        self.writer = Writer(model.tokenizer, plan.sampling.stop)

    def step(self, logprobs: Tensor) -> tuple[int, str]:
        """Draw the next token.

        Args:
            logprobs: One distribution a stream, (streams, vocab).

        Returns:
            The token, and the text that has become certain.
        """
        kind, settings = (self._fusion.kind, self._fusion.settings) if self._fusion else ("", ())
        fused = fuse(kind, logprobs, self._weights, settings)
        token = draw(fused, self._sampling, self._chance)
        return token, self.take(token)

    def take(self, token: int) -> str:
        """Take the next token, and give the text that has become certain."""
        self.tokens += 1
        piece = "" if token in self._ends else self.writer.push(token)
        if token in self._ends or self.writer.stopped:
            self.finish = "stop"
        elif self.tokens == self.most:
            self.finish = "length"
        if self.finish:
            piece += self.writer.close()
            if self.writer.stopped:
                self.finish = "stop"
        return piece


def answers(model: LanguageModel, plan: Plan) -> list[Answer]:
    """Give a plan's answers, as many as it has candidates: with its seed, the next one, and so on.

    Args:
        model: The model.
        plan: The plan.

    Returns:
        The answers, not yet begun.
    """
    seeds = range(plan.sampling.seed, plan.sampling.seed + plan.candidates)
    each = [replace(plan, sampling=replace(plan.sampling, seed=seed)) for seed in seeds]
    return [Answer(model, one) for one in each]


def reply(drawn: Sequence[Answer]) -> Reply:
    """Make the reply of a plan's finished answers; its prompts were read once for all of them."""
    first = drawn[0]
    return Reply(
        text=first.writer.text,
        finish=first.finish or "length",
        prompt_tokens=sum(map(len, first.prompts)),
        tokens=sum(answer.tokens for answer in drawn),
        candidates=tuple(answer.writer.text for answer in drawn),
        finishes=tuple(answer.finish or "length" for answer in drawn),
    )


def written(
    answer: Answer, letters: Iterable[tuple[object, str | None]]
) -> Generator[str, None, Reply]:
    """Give the pieces of one answer as they come; at the end, return its reply."""
    yield from (piece for _, piece in letters if piece is not None)
    return reply([answer])
