"""Write answers: many plans in one batch, each with one or more streams, one token at a time.

Every stream of every answer is a row with its own keys and values. After each step the rows of an
answer are fused, one token is drawn and goes to all of them. Finished answers leave the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from transformers import DynamicCache

from ipse.backends.local.fusion import fuse, live_streams
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.sampling import draw, new_generator
from ipse.backends.local.writing import Writer
from ipse.lm import Reply
from ipse.plan import Plan

__all__ = ["Answer", "answers", "decode", "reply"]


class Answer:
    """One answer being written.

    Attributes:
        prompts: The tokens each stream reads first.
        tokens: How many tokens were drawn; the end of the turn is one.
        finish: Why it ended; None while it is being written.
        writer: The text so far.
    """

    def __init__(self, model: LanguageModel, plan: Plan) -> None:
        """Begin the answer to a plan."""
        streams, self._weights = live_streams(plan)
        self._kind = plan.fusion.kind if plan.fusion else ""
        self._settings = plan.fusion.settings if plan.fusion else ()
        self._sampling = plan.sampling
        self._chance = new_generator(plan.sampling.seed)
        self._ends = model.ends
        self.prompts = [model.prompt(stream.messages) for stream in streams]
        for prompt in self.prompts:
            model.fits(len(prompt))
        self.most = min(plan.sampling.max_tokens, model.context - max(map(len, self.prompts)))
        self.tokens = 0
        self.finish: Literal["stop", "length"] | None = None
        self.writer = Writer(model.tokenizer, plan.sampling.stop)

    @property
    def size(self) -> int:
        """The most tokens a row of it can take."""
        return max(map(len, self.prompts)) + self.most

    def step(self, logprobs: Tensor) -> tuple[int, str]:
        """Draw the next token.

        Args:
            logprobs: One distribution a stream, (streams, vocab).

        Returns:
            The token, and the text that has become certain.
        """
        token = draw(
            fuse(self._kind, logprobs, self._weights, self._settings), self._sampling, self._chance
        )
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
        return token, piece


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
    )


@dataclass
class _Batch:
    """The rows of the answers that are still being written, padded on the left."""

    cache: DynamicCache
    mask: Tensor  # (rows, past)
    logprobs: Tensor  # (rows, vocab)


def decode(model: LanguageModel, batch: Sequence[Answer]) -> Iterator[tuple[Answer, str]]:
    """Write some answers to their ends.

    Args:
        model: The model.
        batch: The answers; all are held in memory at once.

    Yields:
        An answer and its next piece of text, as soon as it is certain.
    """
    writing = list(batch)
    state = _begin(model, [prompt for answer in writing for prompt in answer.prompts])
    while writing:
        tokens: list[int] = []  # one a row
        stay: list[int] = []
        row = 0
        for answer in writing:
            rows = range(row, row + len(answer.prompts))
            row = rows.stop
            token, piece = answer.step(state.logprobs[rows.start : rows.stop])
            if piece:
                yield answer, piece
            if answer.finish is None:
                stay.extend(rows)
                tokens.extend(token for _ in rows)
        writing = [answer for answer in writing if answer.finish is None]
        if writing:
            _advance(model, state, stay, tokens)


def _begin(model: LanguageModel, prompts: Sequence[Sequence[int]]) -> _Batch:
    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)  # (rows, length)
    mask = torch.zeros_like(ids)  # (rows, length)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
        mask[i, width - len(prompt) :] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    cache = model.new_cache()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    hidden = model.read(ids, cache, mask, positions)  # (rows, length, hidden)
    return _Batch(cache, mask, model.logprobs(hidden[:, -1]))


def _advance(
    model: LanguageModel, state: _Batch, stay: Sequence[int], tokens: Sequence[int]
) -> None:
    """Keep some rows, and read one more token in each."""
    if len(stay) < len(state.mask):
        kept = torch.tensor(stay, device=model.device)
        state.cache.batch_select_indices(kept)
        state.mask = state.mask[kept]
    ids = torch.tensor(tokens, device=model.device)[:, None]  # (rows, 1)
    state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
    positions = state.mask.sum(-1, keepdim=True) - 1  # (rows, 1)
    hidden = model.read(ids, state.cache, state.mask, positions)  # (rows, 1, hidden)
    state.logprobs = model.logprobs(hidden[:, -1])
