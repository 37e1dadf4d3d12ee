"""One small HTTP client: JSON and server-sent events over POST, with retries and clear errors.

It retries what may pass (429, 5xx, a broken connection) with exponential backoff and jitter, or
after as long as the server asks. It never writes the key into a message. It knows nothing of plans.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import httpx

from ipse.backends.retrying import backoff, retry_after
from ipse.errors import BackendFailure, UsageError
from ipse.patience import patience

__all__ = ["Client", "server_url"]

_T = TypeVar("_T")

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_CONNECT = 10.0  # seconds
_SLACK = 0.5
"""Seconds that an answer is waited for longer than who asked does: theirs is the clearer error."""
_LONGEST_WAIT = 60.0
"""Seconds a server may ask us to wait before we give up instead."""
_LONGEST = 500
"""Characters of a server's message that are shown."""
_SHORT_KEY = 8
"""A key of fewer characters is hidden where it stands alone: it may be a part of other words."""


class Client:
    """A connection to one server, which threads may share.

    Attributes:
        timeout: Seconds until an answer, or the next piece of a stream, is given up.
        retries: How often a request is tried again.
        sleep: Waits so many seconds.
    """

    def __init__(self, api_key: str = "", timeout: float = 120.0, retries: int = 4) -> None:
        """Take the key that is sent as a bearer token, and how patient to be.

        Args:
            api_key: The key; the space around it is left out.
            timeout: Seconds until an answer, or the next piece of a stream, is given up.
            retries: How often a request is tried again.

        Raises:
            UsageError: If the key cannot stand in a header.
        """
        api_key = _sendable(api_key)
        self.timeout = timeout
        self.retries = retries
        self.sleep: Callable[[float], None] = time.sleep
        self._api_key = api_key
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, url: str, body: Mapping[str, Any]) -> Any:
        """Send JSON and give the JSON that comes back.

        Args:
            url: Where to.
            body: What to send.

        Returns:
            The answer.

        Raises:
            BackendFailure: If the server refuses, stays out of reach, or does not answer in JSON.
        """
        response = self.try_post(url, body)
        if response.status_code != httpx.codes.OK:
            raise self.refused(response)
        try:
            return response.json()
        except ValueError as error:
            raise BackendFailure(
                f"{_place(url)} did not answer in JSON: {self._start(response)}"
            ) from error

    def try_post(self, url: str, body: Mapping[str, Any]) -> httpx.Response:
        """Send JSON and give the response, whatever its status."""
        with self._tried(url, body) as response:
            self._reading(response, response.read)
            return response

    def events(self, url: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """Send JSON and give the JSON of each server-sent event.

        Args:
            url: Where to.
            body: What to send.

        Yields:
            The data of one event.

        Raises:
            BackendFailure: If the server refuses, breaks off, or reports an error on the way.
        """
        with self._tried(url, body) as response:
            if response.status_code != httpx.codes.OK:
                self._reading(response, response.read)
                raise self.refused(response)
            lines = _lines(response.iter_bytes())
            while (line := self._reading(response, lambda: next(lines, None))) is not None:
                if not line.startswith(b"data:"):
                    continue
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                yield self._event(response, data)
        raise BackendFailure(f"{_place(url)} broke the stream off before its end")

    def _event(self, response: httpx.Response, data: bytes) -> Any:
        place = _place(str(response.url))
        try:
            event = json.loads(data)
        except ValueError as error:
            shown = self._hide(data.decode(errors="replace"))[:200]
            raise BackendFailure(f"{place} sent an event that is not JSON: {shown!r}") from error
        if isinstance(event, dict) and event.get("error"):
            message = self._hide(_message(event) or str(event["error"]))[:_LONGEST]
            raise BackendFailure(f"{place} failed in mid-stream: {message}")
        return event

    @contextmanager
    def _tried(self, url: str, body: Mapping[str, Any]) -> Iterator[httpx.Response]:
        """Send until there is an answer worth having; the response is not read yet."""
        for attempt in range(self.retries + 1):
            last = attempt == self.retries
            response = self._send(url, body, last)
            if response is None:
                self.sleep(backoff(attempt))
            elif response.status_code in _PASSING and not last:
                response.close()
                self.sleep(self._asked(response, attempt))
            else:
                break
        assert response is not None
        try:
            with patience().cutting(partial(_hang_up, response)):
                yield response
        finally:
            response.close()

    def _send(self, url: str, body: Mapping[str, Any], last: bool) -> httpx.Response | None:
        left = patience().left
        if not left:
            raise BackendFailure(f"nobody waits any more for what {_place(url)} answers")
        read = min(self.timeout, left + _SLACK)
        timeout = httpx.Timeout(read, connect=min(_CONNECT, read))
        request = self._http.build_request("POST", url, json=body, timeout=timeout)
        try:
            return self._http.send(request, stream=True)
        except httpx.ReadTimeout as error:
            raise self._slow(url) from error
        except httpx.TransportError as error:
            if last:
                raise self._unreachable(url, error) from error
            return None

    def _reading(self, response: httpx.Response, read: Callable[[], _T]) -> _T:
        url = str(response.url)
        try:
            return read()
        except httpx.ReadTimeout as error:
            raise self._slow(url) from error
        except httpx.TransportError as error:
            raise BackendFailure(f"{_place(url)} broke off: {self._hide(str(error))}") from error

    def _asked(self, response: httpx.Response, attempt: int) -> float:
        wait = retry_after(response.headers.get("retry-after", ""))
        if wait is None:
            return backoff(attempt)
        if wait > _LONGEST_WAIT:
            raise BackendFailure(
                f"{_place(str(response.url))} answered {response.status_code} and asks to wait "
                f"{wait:.0f} s; try again then"
            )
        return wait

    def refused(self, response: httpx.Response) -> BackendFailure:
        """Make the error for a response that is not an answer."""
        try:
            message = _message(response.json())
        except ValueError:
            message = ""
        place, code = _place(str(response.url)), response.status_code
        hint = " Check the setting api_key." if code in (401, 403) else ""
        said = self._hide(message)[:_LONGEST] or self._start(response)
        return BackendFailure(f"{place} answered {code}: {said}.{hint}")

    def _slow(self, url: str) -> BackendFailure:
        return BackendFailure(
            f"{_place(url)} did not answer within {self.timeout:g} s. Raise the setting timeout, "
            "or ask for fewer tokens"
        )

    def _unreachable(self, url: str, error: Exception) -> BackendFailure:
        return BackendFailure(
            f"cannot reach {_place(url)} after {self.retries + 1} tries: {self._hide(str(error))}. "
            "Check the setting base_url, and that the server runs"
        )

    def _hide(self, text: str) -> str:
        key = re.escape(self._api_key)
        if len(self._api_key) < _SHORT_KEY:
            key = rf"(?<!\w){key}(?!\w)"
        return re.sub(key, "***", text) if self._api_key else text

    def _start(self, response: httpx.Response) -> str:
        return self._hide(response.text)[:200] or "an empty answer"


def server_url(text: str) -> httpx.URL:
    """Read a server's address.

    Args:
        text: The address.

    Returns:
        The address, without a slash at its end.

    Raises:
        UsageError: If it is no address of a server.
    """
    try:
        url = httpx.URL(text.strip().rstrip("/"))
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(
            f"the setting base_url is an address such as http://localhost:8000/v1; got {text!r}"
        )
    return url


def _hang_up(response: httpx.Response) -> None:
    """Close a connection under whoever reads from it, in whatever thread: they then hear an end."""
    stream = response.extensions.get("network_stream")
    taken = stream.get_extra_info("socket") if stream is not None else None
    if taken is not None:
        with suppress(OSError):
            taken.shutdown(socket.SHUT_RDWR)


def _sendable(key: str) -> str:
    """Give a key without the space around it; a message never shows it."""
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            "the setting api_key holds what no key holds: a line break, a control character or a "
            "letter beyond ASCII. Copy the key anew"
        )
    return key


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # httpx's own iter_lines also splits at U+2028 and the like, which JSON may hold as they are.
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
    if rest:
        yield rest


def _message(data: Any) -> str:
    """Find the words in an error envelope: OpenAI's, vLLM's older one, or FastAPI's."""
    if not isinstance(data, dict):
        return ""
    error = data.get("error", data)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return str(error)


def _place(url: str) -> str:
    parts = httpx.URL(url)
    return f"{parts.netloc.decode()}{parts.path}"
