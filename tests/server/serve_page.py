"""A server with its page in a process of its own, on the echo backend: what it reads, it shows.

It may run a small model instead. Asked to count for ever, it does, until it is stopped.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from ipse.engine import Ipse
from ipse.lm import LM
from ipse.plan import Plan
from ipse.server import create_app
from ipse.server.page import mount_page
from ipse.settings import load, open_lm

RESULTS = Path(__file__).parents[2] / "docs" / "results"
FOREVER = "Count for ever"


def counting(lm: LM) -> LM:
    """Let a backend count for ever where it is asked to: an answer that somebody has to stop."""
    whole = lm.stream

    def stream(plan: Plan):
        return _count() if plan.main.question.startswith(FOREVER) else whole(plan)

    lm.stream = stream
    return lm


def _count() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{number} "
        time.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--set", action="append", default=[], help="a setting: name=value")
    given = parser.parse_args()
    chosen = dict(each.split("=", 1) for each in given.set)
    settings = load(store=str(given.store), **{"backend": "echo", "methods": "bm25:k=2", **chosen})
    with Ipse(settings.store, counting(open_lm(settings)), settings.methods) as engine:
        app = create_app(engine, settings)
        mount_page(app, app.state.served, (RESULTS, given.store.parent / "ipse-bench"))
        uvicorn.run(app, port=given.port, log_level="warning")
