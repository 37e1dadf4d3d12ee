"""A server that is told to end while it answers: what is under way ends, one way or the other."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import openai
import pytest

from ipse import Ipse
from ipse.backends.http import HttpBackend
from ipse.server import run
from ipse.settings import Settings
from tests.server.live import free_port

PATIENCE = 120.0  # seconds
BODY = {"model": "ipse", "messages": [{"role": "user", "content": "Why?"}]}
PIECES = 20


class Upstream(BaseHTTPRequestHandler):
    """A model that says one word at a time, `pause` seconds apart."""

    pause = 0.05

    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        if not body.get("stream"):
            time.sleep(PIECES * self.pause)
            message = {"role": "assistant", "content": "because"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.wfile.write(json.dumps({"choices": [choice]}).encode())
            return
        for number in range(PIECES):
            self.say({"delta": {"content": f"word{number} "}, "finish_reason": None})
            time.sleep(self.pause)
        self.say({"delta": {}, "finish_reason": "stop"})
        self.wfile.write(b"data: [DONE]\n\n")

    def say(self, choice):
        event = {"choices": [{"index": 0, **choice}]}
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


@pytest.fixture
def upstream(request):
    handler = type("Bound", (Upstream,), {"pause": getattr(request, "param", Upstream.pause)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def serve(where, upstream, port, grace):
    """Be a server, until told to end."""
    lm = HttpBackend(upstream, "some")
    settings = Settings(backend="http", port=port, grace=grace)
    with Ipse(where, lm, "generic") as engine:
        run(engine, settings, lambda _: None)


@pytest.fixture
def start(tmp_path, upstream):
    """Starts a server with some seconds of grace; gives its process and address."""
    begun = []

    def begin(grace):
        port = free_port()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.server.test_shutdown"])
        where = str(tmp_path / "ipse.db")
        process = context.Process(target=serve, args=(where, upstream, port, grace), daemon=True)
        process.start()
        begun.append(process)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                httpx.get(f"{address}/healthz", timeout=PATIENCE)
                return process, address
            except httpx.TransportError:
                assert process.is_alive(), "the server did not begin"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.01)

    yield begin
    for process in begun:
        process.kill()
        process.join()


def end(process):
    os.kill(process.pid, signal.SIGTERM)


def ended(process):
    """Wait for a process; the signal that told it to end is how it ends, as is the custom."""
    process.join(PATIENCE)
    assert process.exitcode in (0, -signal.SIGTERM), process.exitcode


def test_a_stream_goes_on_to_its_end_while_nobody_new_gets_in(start):
    process, address = start(20)
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        pieces = iter(client.chat.completions.create(**BODY, stream=True))
        text = next(pieces).choices[0].delta.content
        end(process)
        text += "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert text == "".join(f"word{number} " for number in range(PIECES))
    ended(process)
    with pytest.raises(httpx.TransportError):
        httpx.get(address)


def test_an_open_line_of_mcp_holds_nothing_up(start):
    process, address = start(30)
    headers = {"Accept": "application/json, text/event-stream"}
    with httpx.stream("GET", f"{address}/mcp", headers=headers, timeout=PATIENCE) as line:
        assert line.headers["content-type"].startswith("text/event-stream")
        began = time.monotonic()
        end(process)
        assert line.read() == b""
        assert time.monotonic() - began < 10
    ended(process)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("upstream", [0.5], indirect=True)
def test_what_takes_too_long_is_told_that_the_server_ends(start):
    process, address = start(1)
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        pieces = iter(client.chat.completions.create(**BODY, stream=True))
        next(pieces)
        answers = []
        asking = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{address}/v1/chat/completions", json=BODY, timeout=PATIENCE)
            )
        )
        asking.start()
        next(pieces)
        time.sleep(0.3)
        end(process)
        with pytest.raises(openai.APIError, match="about to end"):
            list(pieces)
        asking.join(PATIENCE)
    assert answers[0].status_code == 503
    assert answers[0].headers["retry-after"]
    assert "about to end" in answers[0].json()["error"]["message"]
    ended(process)
