"""What the server adds: to an answer over calling the backend, and to a write.

    python benchmarks/server.py [--quick] [--json]

On loopback, with the echo backend and `bm25` over 1,000 records of one person. 50 clients are
connected; each asks, reads the answer and asks again after a while, as people do, so that together
they ask `--rate` times a second. What is added is the time of an answer less that of the backend
alone. `closed_per_second` is what 50 clients get through that ask again at once.

With the package `mem0ai` installed, the same texts are added and searched there: its own local
store, inference switched off, the same embedder. Where it is not, those figures say so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn

from ipse import Ipse, Record
from ipse.backends.echo import EchoBackend
from ipse.server import create_app
from ipse.settings import Settings

CLIENTS = 50
RECORDS = 1000
WORDS = ("tea", "rain", "garden", "music", "train", "winter", "bread", "book", "river", "light")
ABSENT = "not measured: mem0ai is not installed"


class Hashed:
    """Unit vectors without a model: both stores get the same."""

    width = 384

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Give (texts, width)."""
        rows = [np.random.default_rng(abs(hash(text))).normal(size=self.width) for text in texts]
        found = np.array(rows, np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def text_of(number: int) -> str:
    chance = random.Random(number)
    return " ".join(chance.choices(WORDS, k=20)) + f" {number}"


@contextmanager
def serving(engine: Ipse) -> Iterator[str]:
    config = uvicorn.Config(create_app(engine, Settings(backend="echo")), port=0, log_config=None)
    server, listening = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


async def together(
    ask: Callable[[httpx.AsyncClient, int], Awaitable[None]], address: str, asks: int, rate: float
) -> tuple[list[float], float]:
    """Let all clients ask; give the seconds of each answer, and of everything."""
    seconds: list[float] = []

    async def one(number: int) -> None:
        chance = random.Random(number)
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            await ask(client, number)  # the connection is open
            for turn in range(asks):
                if rate:
                    await asyncio.sleep(chance.expovariate(rate / CLIENTS))
                begun = time.perf_counter()
                await ask(client, number * asks + turn)
                seconds.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(CLIENTS)))
    return seconds, time.perf_counter() - begun


def quantile(seconds: list[float], share: float) -> float:
    """Give a quantile in milliseconds."""
    return round(1000 * float(np.quantile(seconds, share)), 2)


async def chat(client: httpx.AsyncClient, number: int) -> None:
    body = {"model": "ipse", "user": "ada", "messages": [asked(number)]}
    (await client.post("/v1/chat/completions", json=body)).raise_for_status()


def asked(number: int) -> dict[str, str]:
    return {"role": "user", "content": f"What of {text_of(number)[:40]}?"}


def backend_alone(engine: Ipse) -> float:
    """Give the seconds that the backend itself takes for an answer, at the median."""
    plan, seconds = engine.plan("ada", asked(1)["content"]), []
    for _ in range(200):
        begun = time.perf_counter()
        engine.lm.generate([plan])
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def writes(engine: Ipse, count: int) -> list[float]:
    """Give the seconds of durable writes, one record each."""
    seconds = []
    for number in range(count):
        begun = time.perf_counter()
        engine.remember("bob", text_of(number))
        seconds.append(time.perf_counter() - begun)
    return seconds


def searches(engine: Ipse, count: int) -> list[float]:
    """Give the seconds of searches by vectors among one person's records."""
    seconds = []
    for number in range(count):
        begun = time.perf_counter()
        engine.plan("bob", text_of(number), methods="dense")
        seconds.append(time.perf_counter() - begun)
    return seconds


def mem0(folder: str, embed: Hashed, count: int) -> tuple[list[float], list[float]] | None:
    """Give the seconds of the same adds and searches there; None where it is not installed."""
    try:
        from langchain_core.embeddings import Embeddings
        from mem0 import Memory
    except ModuleNotFoundError:
        return None

    class Same(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return embed(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return embed([text])[0].tolist()

    store = {"path": f"{folder}/qdrant", "embedding_model_dims": embed.width, "on_disk": True}
    memory = Memory.from_config(
        {
            "vector_store": {"provider": "qdrant", "config": store},
            "embedder": {"provider": "langchain", "config": {"model": Same()}},
            "llm": {"provider": "openai", "config": {"api_key": "none"}},
            "history_db_path": f"{folder}/history.db",
        }
    )
    added, searched = [], []
    for number in range(count):
        begun = time.perf_counter()
        memory.add(text_of(number), user_id="bob", infer=False)
        added.append(time.perf_counter() - begun)
    for number in range(count):
        begun = time.perf_counter()
        memory.search(text_of(number), user_id="bob")
        searched.append(time.perf_counter() - begun)
    return added, searched


def measure(quick: bool, rate: float) -> dict[str, Any]:
    asks, count = (6, 30) if quick else (40, 300)
    embed = Hashed()
    with tempfile.TemporaryDirectory() as folder:
        lm = EchoBackend(embed, "hashed")
        with Ipse(Path(folder) / "ipse.db", lm, methods="bm25") as engine:
            records = (
                Record(user="ada", kind="content", output=text_of(n)) for n in range(RECORDS)
            )
            engine.add(records)
            engine.ask("ada", "Tea?")  # what is learned once is learned
            alone = backend_alone(engine)
            with serving(engine) as address:
                answered, _ = asyncio.run(together(chat, address, asks, rate))
                closed, took = asyncio.run(together(chat, address, max(2, asks // 4), 0))
            added = [seconds - alone for seconds in answered]
            wrote = writes(engine, count)
            engine.plan("bob", "Tea?", methods="dense")
            searched = searches(engine, count)
        theirs = mem0(folder, embed, count)
    found: dict[str, Any] = {
        "clients": CLIENTS,
        "asked_per_second": rate,
        "records": RECORDS,
        "answers": len(added),
        "added_ms_p50": quantile(added, 0.5),
        "added_ms_p99": quantile(added, 0.99),
        "closed_per_second": round(len(closed) / took, 1),
        "closed_ms_p50": quantile(closed, 0.5),
        "write_ms_p50": quantile(wrote, 0.5),
        "search_ms_p50": quantile(searched, 0.5),
        "add_over_mem0": ABSENT,
        "search_over_mem0": ABSENT,
    }
    if theirs is not None:
        for name, ours, other in zip(("add", "search"), (wrote, searched), theirs, strict=True):
            ratio = float(np.median(ours) / np.median(other))
            found[f"{name}_over_mem0"] = round(ratio, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few answers only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rate", type=float, default=20.0, help="questions a second, of everyone")
    given = parser.parse_args()
    found = measure(given.quick, given.rate)
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.writelines(f"{name:20} {value}\n" for name, value in found.items())


if __name__ == "__main__":
    main()
