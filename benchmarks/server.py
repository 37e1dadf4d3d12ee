"""What the server adds: to an answer over calling the backend, and to a write.

    python benchmarks/server.py [--quick] [--json] [--mem0 PYTHON]

On loopback; the server is a process of its own, as its clients are. An echo is the backend, and
`bm25` finds 6 of one person's 1,000 records for each answer. 50 clients are connected; each asks,
reads the answer and asks again after a while, as people do: together 20 times a second. The same
clients then ask a server that does nothing but call the backend.

    added_ms_p50, _p99      an answer's time, less the median of the backend's own
    answer_ms_.., bare_..   what that is made of
    cpu_ms, bare_cpu_ms     the server's own time at work for an answer, which depends less on what
                            else the machine does: here, and with nothing but the backend
    write_ms_p50            one record over HTTP, durable in SQLite, of 50 clients alike
    closed_per_second       answers that 50 clients get who ask again at once, and its median time
    add_over_mem0           a durable add over HTTP, over `Memory.add(infer=False)`: medians
    search_over_mem0        the best 10 over HTTP, over `Memory.search`: medians
    found_over_mem0         an add and the search that finds it, over the sum of both there: we
                            embed when we search, mem0 when it adds

With `--mem0`, the Python of an environment with mem0ai: its own local store, inference switched
off, and its vectors from our server's `/v1/embeddings`, MiniLM's there as here.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from _bench import arguments, report
from _served import METHODS

from ipse import Ipse, Record
from ipse.backends.echo import EchoBackend

CLIENTS, RATE, RECORDS, WIDTH = 50, 20.0, 1000, 384
WORDS = ("tea", "rain", "garden", "music", "train", "winter", "bread", "book", "river", "light")
Ask = Callable[[httpx.AsyncClient, int], Awaitable[None]]


def main() -> None:
    options = arguments(__doc__, mem0="the Python of an environment with mem0ai")
    asks, count = (3, 30) if options.quick else (40, 300)
    with tempfile.TemporaryDirectory() as folder:
        known(Path(folder))
        with serving(folder) as (address, spent):
            answered, _ = asyncio.run(together(chat, address, asks, RATE))
            worked = spent() / (CLIENTS * (1 + asks))
            wrote, _ = asyncio.run(together(write, address, 1 + asks // 4, RATE))
            closed, took = asyncio.run(together(chat, address, 1 + asks // 4, 0))
            others = over_mem0(address, options.mem0, count) if options.mem0 else {}
    with serving("") as (address, spent):
        alone, _ = asyncio.run(together(chat, address, asks, RATE))
        bare = spent() / (CLIENTS * (1 + asks))
    added = [seconds - statistics.median(alone) for seconds in answered]
    figures = {
        "added_ms_p50": quantile(added, 0.5),
        "added_ms_p99": quantile(added, 0.99),
        "answer_ms_p50": quantile(answered, 0.5),
        "bare_ms_p50": quantile(alone, 0.5),
        "bare_ms_p99": quantile(alone, 0.99),
        "cpu_ms": 1000 * worked,
        "bare_cpu_ms": 1000 * bare,
        "write_ms_p50": quantile(wrote, 0.5),
        "closed_per_second": len(closed) / took,
        "closed_ms_p50": quantile(closed, 0.5),
        **others,
    }
    report("What the server adds", figures, options, ("ipse", "fastapi", "uvicorn"))


def known(folder: Path) -> None:
    """Let a person be known, and what there is to be learned of them be learned."""
    with Ipse(folder / "ipse.db", EchoBackend(), methods=METHODS) as engine:
        engine.add(Record(user="ada", kind="content", output=text_of(n)) for n in range(RECORDS))
        engine.enroll("ada")


def text_of(number: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=20)) + f" {number}"


@contextmanager
def serving(folder: str) -> Iterator[tuple[str, Callable[[], float]]]:
    """Give a server in a process of its own: where it is, and what it tells of its seconds at work.

    Without a folder it is the backend alone.
    """
    command = [sys.executable, str(Path(__file__).with_name("_served.py")), folder]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        address, stat = process.stdout.readline().strip(), Path(f"/proc/{process.pid}/stat")

        def worked() -> float:
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
            return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

        begun = worked()
        yield address, lambda: worked() - begun
        process.terminate()


async def together(ask: Ask, address: str, asks: int, rate: float) -> tuple[list[float], float]:
    """Let all clients ask; give the seconds of each answer, and of everything."""
    seconds: list[float] = []
    ready = asyncio.Barrier(CLIENTS)

    async def one(number: int) -> None:
        chance = random.Random(number)
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            await ask(client, number)  # the connection is open
            await ready.wait()
            for turn in range(asks):
                if rate:
                    await asyncio.sleep(chance.uniform(0, 2 * CLIENTS / rate))
                begun = time.perf_counter()
                await ask(client, CLIENTS + number * asks + turn)
                seconds.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(CLIENTS)))
    return seconds, time.perf_counter() - begun


async def chat(client: httpx.AsyncClient, number: int) -> None:
    turn = {"role": "user", "content": f"What of {text_of(number)[:40]}?"}
    body = {"model": "ipse", "user": "ada", "messages": [turn]}
    (await client.post("/v1/chat/completions", json=body)).raise_for_status()


async def write(client: httpx.AsyncClient, number: int) -> None:
    body = {"kind": "dialogue", "output": text_of(number)}
    (await client.post("/v1/users/cleo/records", json=body)).raise_for_status()


def over_mem0(address: str, python: str, count: int) -> dict[str, float]:
    """Add and search as many times here and there; give our medians over theirs."""
    texts = [text_of(number) for number in range(count)]
    added, searched, found = ours(address, texts)
    asked = {"address": f"{address}/v1", "width": WIDTH, "texts": texts, "queries": texts}
    command = [python, str(Path(__file__).with_name("_mem0.py"))]
    done = subprocess.run(
        command, input=json.dumps(asked) + "\n", stdout=subprocess.PIPE, text=True, check=True
    )
    theirs = json.loads(done.stdout)
    add, search = statistics.median(theirs["add"]), statistics.median(theirs["search"])
    return {
        "add_over_mem0": statistics.median(added) / add,
        "search_over_mem0": statistics.median(searched) / search,
        "found_over_mem0": statistics.median(found) / (add + search),
        "mem0_add_ms_p50": 1000 * add,
        "mem0_search_ms_p50": 1000 * search,
    }


def ours(address: str, texts: list[str]) -> tuple[list[float], list[float], list[float]]:
    """Give the seconds of adds, of searches, and of an add with the search after it."""
    with httpx.Client(base_url=address, timeout=60) as client:

        def post(path: str, **body: Any) -> float:
            begun = time.perf_counter()
            client.post(path, json=body).raise_for_status()
            return time.perf_counter() - begun

        def add(text: str) -> float:
            return post("/v1/memories/", user_id="bob", infer=False, messages=text)

        def search(text: str) -> float:
            return post("/v2/memories/search/", filters={"user_id": "bob"}, query=text, top_k=10)

        added = [add(text) for text in texts]
        search(texts[0])  # all of them are learned of
        searched = [search(text) for text in texts]
        found = [add(f"{text} again") + search(text) for text in texts]
    return added, searched, found


def quantile(seconds: list[float], share: float) -> float:
    """Give a quantile in milliseconds."""
    return 1000 * float(np.quantile(seconds, share))


if __name__ == "__main__":
    main()
