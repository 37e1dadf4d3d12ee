"""A server with its page in a process of its own, on the echo backend: what it reads, it shows."""

import sys
from pathlib import Path

import uvicorn

from ipse.engine import Ipse
from ipse.server import create_app
from ipse.server.page import mount_page
from ipse.settings import load

RESULTS = Path(__file__).parents[2] / "docs" / "results"

if __name__ == "__main__":
    store, port = sys.argv[1], int(sys.argv[2])
    settings = load(store=store, backend="echo", methods="bm25:k=2")
    with Ipse(settings.store, settings.backend, settings.methods) as engine:
        app = create_app(engine, settings)
        mount_page(app, app.state.served, (RESULTS,))
        uvicorn.run(app, port=port, log_level="warning")
