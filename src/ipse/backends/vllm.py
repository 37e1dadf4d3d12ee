"""What vLLM serves beside OpenAI's interface: its tokenizer, and a prompt's log-probabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from ipse.backends.client import Client
from ipse.errors import BackendFailure
from ipse.lm import Piece, Score
from ipse.plan import Message

__all__ = ["Vllm", "strange", "turns"]

_NOT_NOW = frozenset({429, 500, 502, 503, 504})
"""What says nothing of whether a server has an endpoint."""

_TORN = "\N{REPLACEMENT CHARACTER}"


class Vllm:
    """The endpoints of one server for one model; another server may lack them."""

    def __init__(self, client: Client, url: str, model: str) -> None:
        """Take the connection, the address up to and including `/v1`, and the model's name."""
        self._client = client
        self._url = url
        self._root = url.removesuffix("/v1")  # the tokenizer is served beside /v1
        self._model = model

    def tokenizes(self) -> bool:
        """Ask whether the server has a tokenizer to use."""
        return bool(self._probe(f"{self._root}/tokenize", self._plain("a word")).get("tokens"))

    def gives_scores(self) -> bool:
        """Ask whether the server gives a prompt's log-probabilities; it must tokenize."""
        found = self._probe(f"{self._url}/completions", self._scoring(self.tokens("a word")))
        choices = found.get("choices") or [{}]
        return bool(choices[0].get("prompt_logprobs"))

    def tokens(self, text: str) -> list[int]:
        """Give the tokens of a text that stands inside a turn."""
        return self._tokenize(self._plain(text)) if text else []

    def cut(self, text: str, limit: int | None) -> Piece:
        """Keep the first `limit` tokens of a text; None keeps all."""
        ids = self.tokens(text)
        if limit is None or len(ids) <= limit:
            return Piece(text, len(ids))
        if limit <= 0:
            return Piece("", 0)
        body = {"model": self._model, "tokens": ids[:limit]}
        data = self._client.post(f"{self._root}/detokenize", body)
        try:
            # A character whose bytes are cut through is left out.
            return Piece(data["prompt"].rstrip(_TORN), limit)
        except (KeyError, TypeError, AttributeError) as error:
            raise strange(self._model, "a text", data) from error

    def score(self, messages: Sequence[Message], target: str) -> Score:
        """Give the log-probability of a text as the answer to a conversation."""
        # Tokenized apart and joined as ids, so the target begins exactly where the prompt ends.
        prompt = self._tokenize(
            {"model": self._model, "messages": turns(messages), "add_generation_prompt": True}
        )
        if not (answer := self.tokens(target)):
            return Score((), len(prompt))
        data = self._client.post(f"{self._url}/completions", self._scoring([*prompt, *answer]))
        try:
            entries = data["choices"][0]["prompt_logprobs"][len(prompt) :]
            found = [e[str(t)]["logprob"] for e, t in zip(entries, answer, strict=True)]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise strange(self._model, "prompt log-probabilities", data) from error
        return Score(tuple(found), len(prompt))

    def _plain(self, text: str) -> dict[str, Any]:
        return {"model": self._model, "prompt": text, "add_special_tokens": False}

    def _scoring(self, ids: Sequence[int]) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": list(ids),
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": 1,
        }

    def _tokenize(self, body: Mapping[str, Any]) -> list[int]:
        data = self._client.post(f"{self._root}/tokenize", body)
        try:
            return [int(token) for token in data["tokens"]]
        except (KeyError, TypeError, ValueError) as error:
            raise strange(self._model, "tokens", data) from error

    def _probe(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self._client.try_post(url, body)
        if response.status_code in _NOT_NOW:
            raise self._client.refused(response)
        try:
            data = response.json() if response.status_code == httpx.codes.OK else {}
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


def turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Give messages as the JSON that servers take."""
    return [
        {"role": one.role, "content": one.content, **json.loads(one.extra or "{}")}
        for one in messages
    ]


def strange(who: str, wanted: str, data: Any) -> BackendFailure:
    """Make the error for an answer of a form nobody expects."""
    return BackendFailure(f"{who} did not answer with {wanted}: {str(data)[:200]}")
