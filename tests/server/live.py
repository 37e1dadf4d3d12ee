"""A server that listens, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from ipse import Ipse
from ipse.server import create_app
from ipse.settings import Settings

PATIENCE = 60.0  # seconds


def until(
    done: Callable[[], object], otherwise: str = "it takes too long", patience: float = PATIENCE
) -> None:
    """Wait until something is so, and fail if it is not in time."""
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)


def free_port() -> int:
    """Give a port that nobody listens to."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(engine: Ipse, settings: Settings) -> Iterator[str]:
    """Serve, and give the address."""
    config = uvicorn.Config(create_app(engine, settings), port=0, log_config=None)
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: server.started, "the server did not start")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listening.close()
