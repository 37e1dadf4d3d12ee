"""The server as a process: where it listens, what it logs, and how it ends."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import warnings
from collections.abc import Callable
from threading import Thread

import uvicorn

from ipse.engine import Ipse
from ipse.errors import UsageError
from ipse.server.app import create_app
from ipse.server.context import Served
from ipse.server.guards import is_loopback
from ipse.server.page import mount_page
from ipse.settings import Settings

__all__ = ["check_safe", "run", "settle"]


_AFTER = 2
"""Seconds after which what is told to end, and does not, is ended all the same."""


class _Server(uvicorn.Server):
    """A server that tells those who wait when it is about to end."""

    def __init__(self, config: uvicorn.Config, served: Served) -> None:
        uvicorn.Server.__init__(self, config)
        self._served = served

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing in any more, and let what is under way end within the grace."""
        self._served.waiting.end(self._served.settings.grace)
        await uvicorn.Server.shutdown(self, sockets)


def check_safe(engine: Ipse, settings: Settings) -> bool:
    """Refuse to listen to other machines while anybody could ask for anything.

    Args:
        engine: Knows the keys.
        settings: Where the server is to listen.

    Returns:
        Whether there are no keys: everybody on this machine may act for anyone.

    Raises:
        UsageError: If there are no keys, and other machines could ask.
    """
    is_open = not engine.store.keys.any()
    if is_open and not is_loopback(settings.host):
        raise UsageError(
            f"no key is needed yet, so {settings.host!r} would let everybody in. "
            "Run: ipse keys create --service, or listen to this machine alone: --host 127.0.0.1"
        )
    return is_open


def run(engine: Ipse, settings: Settings, told: Callable[[str], None]) -> None:
    """Serve until the process is told to end; what is under way then has some time to.

    Args:
        engine: Answers.
        settings: How the server is set up.
        told: Told where it listens, once it does.

    Raises:
        UsageError: If it would not be safe, or the address cannot be listened at.
    """
    check_safe(engine, settings)
    _configure_logs()
    app = create_app(engine, settings)
    mount_page(app, app.state.served)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # it would hold people's ids
        server_header=False,
        proxy_headers=False,  # nothing here depends on who is at the other end
        timeout_graceful_shutdown=settings.grace + _AFTER,
    )
    server = _Server(config, app.state.served)
    Thread(target=settle, args=(app.state.served,), name="ipse-settle", daemon=True).start()
    try:
        listening = config.bind_socket()
    except SystemExit as error:
        where = f"{settings.host}:{settings.port}"
        raise UsageError(f"cannot listen at {where}. Give another by --host, --port") from error
    listening.listen(config.backlog)  # who asks from now on waits until it answers
    host, port = listening.getsockname()[:2]
    told(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    with listening:
        server.run(sockets=[listening])


def settle(served: Served) -> None:
    """Keep the collector of garbage from what lives as long as the process, once it is all there.

    It would go through half a million objects of libraries, again and again, while every answer
    waits: for tenths of a second. Without those it is done at once.

    Args:
        served: What is up, as soon as it is ready.
    """
    served.ready.wait()
    gc.collect()  # or what is garbage by now would stay
    gc.freeze()


def _configure_logs() -> None:
    """Write what is logged to stderr, but not what libraries say of each other."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="nicegui")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("ipse.server").setLevel(logging.INFO)
