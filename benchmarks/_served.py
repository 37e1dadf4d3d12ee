"""A server in a process of its own, for `server.py`: ours, or the backend alone behind the same.

    python benchmarks/_served.py FOLDER   Ipse as `ipse serve` runs it, on the store in that folder
    python benchmarks/_served.py ""       nothing but the backend: what Ipse adds is beside this

Its first line of output is where it listens. The backend is an echo, with MiniLM's embeddings.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from ipse import Ipse
from ipse.backends.echo import EchoBackend
from ipse.backends.local.embedder import load_embedder
from ipse.plan import Plan
from ipse.server import create_app
from ipse.server.running import settle
from ipse.settings import Settings

METHODS = "bm25"


def backend() -> EchoBackend:
    return EchoBackend(load_embedder().embed, "all-MiniLM-L6-v2")


class Turn(BaseModel):
    """A message of a conversation."""

    role: str
    content: str


class Chat(BaseModel):
    """As much of a request as the backend needs."""

    model: str
    messages: list[Turn]
    user: str | None = None


def bare() -> FastAPI:
    """Give an app that calls the backend directly."""
    app, lm = FastAPI(), EchoBackend()

    @app.post("/v1/chat/completions")
    def chat(body: Chat) -> dict[str, Any]:
        (reply,) = lm.generate([Plan.ask(body.messages[-1].content)])
        message = {"role": "assistant", "content": reply.text}
        return {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}

    return app


def serve(app: FastAPI) -> None:
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, server_header=False)
    listening = config.bind_socket()
    listening.listen(config.backlog)
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def main() -> None:
    if not sys.argv[1]:
        serve(bare())
        return
    # A line for each request, as deployments have it.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("ipse.server").setLevel(logging.INFO)
    with Ipse(Path(sys.argv[1]) / "ipse.db", backend(), methods=METHODS) as engine:
        app = create_app(engine, Settings(backend="echo"))
        Thread(target=settle, args=(app.state.served,), daemon=True).start()
        serve(app)


if __name__ == "__main__":
    main()
