"""A tiny OpenAI-compatible server in a thread: it repeats the question, and can be told to fail.

Tokens are bytes. The log-probability of a token is a fixed function of it and its place, so tests
can say what they expect.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep
from typing import Any

from tests.pico import HashEmbedder

KEY = "sk-secret-key"


def logprob(place: int, token: int) -> float:
    """What the server says of a token at a place of the prompt."""
    return -(token % 7) - place / 100


def prompt_ids(messages: list[dict[str, str]]) -> list[int]:
    """The server's chat template."""
    text = "".join(f"<{m['role']}>{m['content']}" for m in messages)
    return list(f"{text}<assistant>".encode())


@dataclass
class FakeServer:
    """What the server was sent, and how it shall fail.

    Attributes:
        failures: Responses to give instead of answers: (status, headers, body).
        asked: Every request's path and body.
        keys: Every request's Authorization header.
        scores: Whether it gives prompt log-probabilities.
        cut: Break streams off after so many events.
        stall: Seconds to wait before an answer.
        waiting: Requests that wait now.
        most_at_once: The most that ever waited.
    """

    failures: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    scores: bool = True
    cut: int | None = None
    cut_with: str = ""
    stall: float = 0.0
    url: str = ""
    waiting: int = 0
    most_at_once: int = 0

    def chats(self) -> list[dict[str, Any]]:
        return [body for path, body in self.asked if path == "/v1/chat/completions"]


def answer(body: dict[str, Any]) -> str:
    text = f"{body['messages'][-1]['content']} ({body['seed']})"
    for stop in body.get("stop", ()):
        text = text.split(stop)[0]
    return text


class Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        fake = self.fake
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake.asked.append((self.path, body))
        fake.keys.append(self.headers.get("Authorization"))
        fake.waiting += 1
        fake.most_at_once = max(fake.most_at_once, fake.waiting)
        sleep(fake.stall)
        fake.waiting -= 1
        if fake.failures:
            status, headers, data = fake.failures.pop(0)
            return self.reply(data, status, headers)
        if self.path == "/v1/chat/completions" and body.get("stream"):
            return self.events(body)
        routes = {
            "/v1/chat/completions": chat,
            "/v1/completions": completion,
            "/tokenize": tokenize,
            "/detokenize": detokenize,
            "/v1/embeddings": embeddings,
        }
        if self.path not in routes or (self.path == "/tokenize" and not fake.scores):
            return self.reply({"detail": "Not Found"}, 404)
        return self.reply(routes[self.path](body))

    def reply(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def events(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        deltas: list[dict[str, Any]] = [{"role": "assistant"}]
        deltas += [{"content": letter} for letter in answer(body)]
        for count, delta in enumerate(deltas):
            if count == self.fake.cut:
                self.wfile.write(self.fake.cut_with.encode())
                return
            event = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            # As bytes and unescaped, with U+2028 as itself; a comment keeps the line alive.
            self.wfile.write(b": ping\r\n")
            self.wfile.write(f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n".encode())
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
        for event in (last, usage):
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")


def chat(body: dict[str, Any]) -> dict[str, Any]:
    text = answer(body)
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": len(prompt_ids(body["messages"])), "completion_tokens": len(text)}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


def tokenize(body: dict[str, Any]) -> dict[str, Any]:
    ids = prompt_ids(body["messages"]) if "messages" in body else list(body["prompt"].encode())
    return {"tokens": ids, "count": len(ids), "max_model_len": 4096}


def detokenize(body: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": bytes(body["tokens"]).decode(errors="replace")}


def completion(body: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any] | None] = [
        {str(t): {"logprob": logprob(i, t), "rank": 2, "decoded_token": chr(t)}}
        for i, t in enumerate(body["prompt"])
    ]
    found[0] = None
    return {"choices": [{"index": 0, "text": "x", "prompt_logprobs": found}]}


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    rows = HashEmbedder()(body["input"]) * 3
    data = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]
    return {"data": data[::-1]}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""


def start() -> tuple[FakeServer, Server]:
    """Start a server on a free port; the caller shuts it down."""
    fake = FakeServer()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    # A short poll makes shutting down fast.
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return fake, server
