"""A server that listens, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from ipse import Ipse
from ipse.server import create_app
from ipse.settings import Settings

PATIENCE = 60.0  # seconds


@contextmanager
def serving(engine: Ipse, settings: Settings) -> Iterator[str]:
    """Serve, and give the address."""
    config = uvicorn.Config(create_app(engine, settings), port=0, log_config=None)
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listening.close()
