"""Tokens become text piece by piece: whole characters only, and nothing of a stop text.

This file knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Writer"]

_TORN = "\N{REPLACEMENT CHARACTER}"
"""What decoding puts for bytes that are not yet a whole character."""


class Writer:
    """One answer's text as it grows; the pieces together are the text.

    Attributes:
        text: What has been given out so far.
        stopped: A stop text was met; nothing more will come.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        """Begin an empty text, which ends before any of the stop texts."""
        self.text = ""
        self.stopped = False
        self._tokenizer = tokenizer
        self._stop = tuple(filter(None, stop))
        self._tokens: list[int] = []
        self._seen = 0  # tokens decoded before, kept as context: some tokenizers join words
        self._read = 0
        self._held = ""  # may yet become a stop text

    def push(self, token: int) -> str:
        """Take a token, and give the text that has become certain."""
        self._tokens.append(token)
        fresh = self._fresh()
        return "" if fresh.endswith(_TORN) else self._take(fresh)

    def close(self) -> str:
        """End the answer, and give what was held back."""
        piece = self._take(self._fresh())
        if self.stopped:
            return piece
        rest, self._held = self._held, ""
        self.text += rest
        return piece + rest

    def _fresh(self) -> str:
        before = self._decode(self._tokens[self._seen : self._read])
        return self._decode(self._tokens[self._seen :])[len(before) :]

    def _take(self, fresh: str) -> str:
        self._seen, self._read = self._read, len(self._tokens)
        if self.stopped:
            return ""
        pending = self._held + fresh
        found = [at for at in map(pending.find, self._stop) if at >= 0]
        self.stopped = bool(found)
        certain = min(found) if found else len(pending) - self._unsure(pending)
        piece, self._held = pending[:certain], pending[certain:]
        self.text += piece
        return piece

    def _unsure(self, pending: str) -> int:
        """Count the characters at the end that may be the beginning of a stop text."""
        longest = 0
        for stop in self._stop:
            for size in range(min(len(stop) - 1, len(pending)), longest, -1):
                if pending.endswith(stop[:size]):
                    longest = size
                    break
        return longest

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text
