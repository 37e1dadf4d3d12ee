"""A model behind HTTP that falls silent: who asked hears of it in time, and the model is left."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx
import pytest

from ipse import Ipse
from ipse.backends.http import HttpBackend
from ipse.settings import Settings
from tests.people import person
from tests.server.live import serving

DEADLINE = 0.5  # seconds
SLACK = 3.0  # seconds, of a busy machine
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
PIECE = {"choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
EVENT = b"data: %s\n\n" % json.dumps(PIECE).encode()
SAYS = {"nothing": b"", "a-head": HEAD, "a-piece": HEAD + EVENT}


class Silent:
    """A model that says something, and then nothing until it is hung up on."""

    def __init__(self, says: bytes) -> None:
        self._says = says
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.left = threading.Event()
        self._accepting = threading.Thread(target=self._serve, daemon=True)
        self._accepting.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(self._says)
            while connection.recv(65536):
                pass
            self.left.set()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # or it would be accepted from for ever
        self._socket.close()
        self._accepting.join(SLACK)
        assert not self._accepting.is_alive()


@pytest.fixture
def silent(request):
    found = Silent(SAYS[request.param])
    yield found
    found.close()


@pytest.fixture
def server(silent, tmp_path):
    with Ipse(tmp_path / "ipse.db", HttpBackend(silent.url, "some"), methods="bm25") as engine:
        engine.add(person().records)
        settings = Settings(backend="http", deadline=DEADLINE)
        with serving(engine, settings) as address:
            yield engine, address


def asked(**more):
    return {
        "model": "ipse",
        "user": "ada",
        "messages": [{"role": "user", "content": "Why plastic bottles?"}],
        **more,
    }


@pytest.mark.parametrize("silent", ["nothing", "a-head"], indirect=True)
@pytest.mark.parametrize("more", [{"stream": True}, {"stream": True, "n": 2}, {}], ids=str)
def test_where_no_token_came_in_time_it_is_a_clean_504(silent, server, more):
    engine, address = server
    began = time.monotonic()
    answer = httpx.post(f"{address}/v1/chat/completions", json=asked(**more), timeout=60)
    assert DEADLINE <= time.monotonic() - began < DEADLINE + SLACK
    assert answer.status_code == 504
    assert "longer than 0.5 seconds" in answer.json()["error"]["message"]
    assert silent.left.wait(SLACK), "the model is still waited for"
    assert engine.store.replies("ada") == []


@pytest.mark.parametrize("silent", ["a-piece"], indirect=True)
@pytest.mark.parametrize("path", ["chat/completions", "completions"])
def test_where_some_came_the_last_event_is_the_error(silent, server, path):
    engine, address = server
    body = asked(stream=True) | ({"prompt": "Why?"} if path == "completions" else {})
    if "prompt" in body:
        del body["messages"]
    began = time.monotonic()
    answer = httpx.post(f"{address}/v1/{path}", json=body, timeout=60)
    assert DEADLINE <= time.monotonic() - began < DEADLINE + SLACK
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert "word " in events[-2]
    assert "longer than 0.5 seconds" in json.loads(events[-1])["error"]["message"]
    assert silent.left.wait(SLACK), "the model is still waited for"
    assert engine.store.replies("ada") == []
