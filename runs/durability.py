"""Kill the server again and again while people write: what was answered is there, exactly once.

    python -m runs.durability [--kills 50] [--writers 6] [--json]

Writers add, correct and delete records, one at a time and in batches, and ask for jobs. Who gets no
answer asks again with the same Idempotency-Key until there is one; some send no key, and never ask
again. The server is ended with SIGKILL at random moments, the first time in the middle of a job,
and begun anew on the same store. In the end every write that was answered must be there once, every
one without an answer at most once, what was corrected or deleted must be gone, and every job must
be done.

    kills      how often the server was killed
    answered   writes that were answered
    repeated   of those, writes that were done before a kill and answered after it: the server had
               died between the write and the answer
    unanswered writes without a key that were never answered, and how many of those are there
    jobs       jobs that were asked for, and how many were begun more than once
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from ipse import Ipse
from ipse.server import run
from ipse.settings import Settings
from ipse.state import SavedState
from ipse.store import Store

PATIENCE = 120.0  # seconds


class Slow(Ipse):
    """An engine that does not get done with learning."""

    def refresh(self, *given: Any, **options: Any) -> list[SavedState]:
        """Learn, after longer than anybody waits."""
        time.sleep(PATIENCE)
        return Ipse.refresh(self, *given, **options)


def serve(where: str, port: int, kind: type[Ipse]) -> None:
    """Be a server, until killed; it says nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    with kind(where, "echo", "bm25") as engine:
        engine.store.jobs.lease = 1.0  # seconds: what a killed server was at is soon begun anew
        run(engine, Settings(backend="echo", port=port), lambda _: None)


class Server:
    """A server that is begun anew whenever it was killed."""

    def __init__(self, where: Path) -> None:
        # Children of a process that has everything imported, and no threads, begin at once.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["runs.durability"])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._where = str(where)
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self, kind: type[Ipse] = Ipse) -> None:
        """Begin, and wait until it answers."""
        self._process = self._context.Process(
            target=serve, args=(self._where, self.port, kind), daemon=True
        )
        self._process.start()
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.address}/v1/jobs", timeout=PATIENCE)
                return
            assert self._process.is_alive(), "the server did not begin"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)

    def counts(self) -> dict[str, int]:
        """Say how many jobs wait and are under way."""
        found: dict[str, int] = httpx.get(f"{self.address}/v1/jobs", timeout=PATIENCE).json()[
            "counts"
        ]
        return found

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.join()

    def stop(self) -> int | None:
        """End it in peace."""
        self._process.terminate()
        self._process.join(PATIENCE)
        return self._process.exitcode


class Writer(threading.Thread):
    """Somebody who writes without end, and knows what must be there.

    Attributes:
        there: By text, how often it must be there.
        perhaps: Texts that may be there, once.
        jobs: The jobs that were asked for.
        counts: What became of writes.
    """

    def __init__(self, number: int, address: str, seed: int) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.user = f"writer {number}"
        self.there: dict[str, int] = {}
        self.perhaps: list[str] = []
        self.jobs: list[str] = []
        self.counts: Counter[str] = Counter()
        self.wrong = ""
        self._ids: dict[str, str] = {}  # the texts that are there, by record
        self._draw = random.Random(f"{seed} {number}")
        self._client = httpx.Client(base_url=f"{address}/v1/users/{self.user}", timeout=PATIENCE)
        self._ending = threading.Event()

    def run(self) -> None:
        """Write."""
        try:
            while not self._ending.is_set():
                self._draw.choices(
                    (self._add, self._batch, self._correct, self._delete, self._once, self._enroll),
                    (6, 2, 3, 2, 3, 1),
                )[0]()
        except Exception as error:  # told by the main thread
            self.wrong = f"{type(error).__name__}: {error}"

    def end(self) -> None:
        """Finish what is under way, and stop."""
        self._ending.set()
        self.join(PATIENCE)
        self._client.close()

    def _add(self) -> None:
        text = self._text()
        self._note(self._sent("POST", "/records", _said(text)).json()["id"], text)

    def _batch(self) -> None:
        texts = [self._text() for _ in range(3)]
        answer = self._sent("POST", "/records/batch", {"records": [_said(t) for t in texts]})
        for text, result in zip(texts, answer.json()["results"], strict=True):
            self._note(result["id"], text)

    def _correct(self) -> None:
        if self._ids:
            name, text = self._taken(), self._text()
            answer = self._sent("PATCH", f"/records/{name}", {"output": text})
            self._note(answer.json()["record"]["id"], text)

    def _delete(self) -> None:
        if self._ids:
            self._sent("DELETE", f"/records/{self._taken()}")

    def _once(self) -> None:
        """Add without a key: where there is no answer, it is never sent again."""
        text = self._text()
        try:
            answer = self._client.post("/records", json=_said(text))
        except httpx.TransportError:
            self.perhaps.append(text)
            return
        assert answer.status_code == 201, answer.text
        self._note(answer.json()["id"], text)
        self.counts["answered"] += 1

    def _enroll(self) -> None:
        if self._ids:
            self.jobs.append(self._sent("POST", "/enroll", {"anew": True}).json()["id"])

    def _sent(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a write with one key until it is answered."""
        key = uuid4().hex
        while True:
            with contextlib.suppress(httpx.TransportError):
                headers = {"Idempotency-Key": key}
                answer = self._client.request(method, path, json=body, headers=headers)
                assert answer.status_code < 300, f"{method} {path}: {answer.text}"
                self.counts["answered"] += 1
                self.counts["repeated"] += "idempotency-replayed" in answer.headers
                return answer
            time.sleep(0.02)

    def _text(self) -> str:
        return f"{self.user} says {uuid4().hex}"

    def _note(self, name: str, text: str) -> None:
        self._ids[name] = text
        self.there[text] = 1

    def _taken(self) -> str:
        """Take a record that is there, which is not going to be."""
        name = self._draw.choice(list(self._ids))
        self.there[self._ids.pop(name)] = 0
        return name


def _said(text: str) -> dict[str, str]:
    return {"kind": "dialogue", "output": text}


@contextlib.contextmanager
def writing(server: Server, count: int, seed: int) -> Iterator[list[Writer]]:
    """Let some write, and finish in the end."""
    writers = [Writer(number, server.address, seed) for number in range(count)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.end()
    for writer in writers:
        assert not writer.wrong, writer.wrong
        assert not writer.is_alive(), f"{writer.user} does not end"


def loop(folder: Path, kills: int, writers: int, seed: int = 0) -> dict[str, Any]:
    """Kill a server so many times, and check what is left.

    Args:
        folder: Where the store is to be.
        kills: How often.
        writers: How many write at the same time.
        seed: Of the moments.

    Returns:
        The counts.
    """
    draw, began = random.Random(seed), time.monotonic()
    server = Server(folder / "ipse.db")
    server.start(Slow)
    with writing(server, writers, seed) as people:
        _wait(lambda: server.counts()["running"] > 0, "no job is begun")
        for number in range(kills):
            before = sum(each.counts["answered"] for each in people)
            while sum(each.counts["answered"] for each in people) < before + draw.randrange(1, 30):
                assert not any(each.wrong for each in people), [each.wrong for each in people]
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.05))
            server.kill()
            server.start()
            sys.stderr.write(f"{number + 1} kills, {time.monotonic() - began:.0f} s\n")
    _wait(lambda: not any(server.counts().values()), "the jobs are not done")
    assert not any(each.wrong for each in people)
    assert server.stop() is not None, "the server does not end"
    found = _checked(folder / "ipse.db", people)
    return {"kills": kills, **found, "seconds": round(time.monotonic() - began, 1)}


def _wait(done: Callable[[], bool], wrong: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, wrong
        time.sleep(0.02)


def _checked(where: Path, people: list[Writer]) -> dict[str, Any]:
    """Compare what is there with what must be."""
    total: Counter[str] = Counter()
    with Store.open(where) as store:
        with store._database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        for person in people:
            texts = Counter(record.output for record in store.user(person.user).records)
            wrong = {text: texts[text] for text, n in person.there.items() if texts[text] != n}
            assert not wrong, f"{len(wrong)} writes of {person.user}: {list(wrong.items())[:3]}"
            assert all(texts[text] <= 1 for text in person.perhaps)
            assert not texts.keys() - person.there.keys() - {*person.perhaps}
            jobs = [store.jobs.find(name, person.user) for name in set(person.jobs)]
            assert {job.status for job in jobs} <= {"done"}, [job.to_json() for job in jobs]
            total.update(person.counts)
            total["unanswered"] += len(person.perhaps)
            total["unanswered_there"] += sum(texts[text] for text in person.perhaps)
            total["jobs"] += len(jobs)
            total["jobs_begun_again"] += sum(job.attempts > 1 for job in jobs)
            total["records"] += sum(texts.values())
    return dict(sorted(total.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = loop(Path(folder), given.kills, given.writers, given.seed)
    shown = json.dumps(found) if given.json else "\n".join(f"{n:18}{v}" for n, v in found.items())
    sys.stdout.write(f"{shown}\n")


if __name__ == "__main__":
    main()
