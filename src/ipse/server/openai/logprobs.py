"""How likely the tokens of an answer were, as the model that wrote it says.

The text is read once more, as the answer to its own plan; backends that do not score refuse.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from ipse.lm import LM
from ipse.plan import Plan

__all__ = ["chat_logprobs", "completion_logprobs", "tokens"]


def tokens(lm: LM, plan: Plan, text: str) -> list[tuple[str, float]]:
    """Give the tokens of an answer, each with its natural log-probability.

    Args:
        lm: The model.
        plan: What was run.
        text: The answer.

    Returns:
        Pairs of a token's text and its log-probability; a token that ends in the middle of a
        character has none of its text, the one that ends the character all of it.

    Raises:
        NotCarried: If the model does not score.
    """
    (score,) = lm.score([plan], [text])
    ends = [len(lm.cut(text, number).text) for number in range(1, score.tokens)]
    starts = [0, *ends]
    pairs = zip(starts, [*ends, len(text)], score.logprobs, strict=True) if score.tokens else ()
    return [(text[start:end], logprob) for start, end, logprob in pairs]


def chat_logprobs(found: list[tuple[str, float]]) -> dict[str, Any]:
    """Give tokens as a chat completion tells them."""
    content = [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [],
        }
        for token, logprob in found
    ]
    return {"content": content, "refusal": None}


def completion_logprobs(found: list[tuple[str, float]]) -> dict[str, Any]:
    """Give tokens as a completion tells them."""
    ends = accumulate(len(token) for token, _ in found)
    return {
        "tokens": [token for token, _ in found],
        "token_logprobs": [logprob for _, logprob in found],
        "top_logprobs": None,
        "text_offset": [0, *ends][: len(found)],
    }
