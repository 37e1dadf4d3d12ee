"""How fast one person's records are searched, against what papers' code and frameworks use.

    python benchmarks/retrieval.py [--quick] [--json]

The records are real reasons of the shipped sample, given to one person; the questions are real too.
Vectors are random unit vectors of MiniLM's width: how long a product takes does not depend on them.

    bm25_speedup_N        rank_bm25's median time for the best 6 of N records, over ours
    bm25_over_bm25s_N     bm25s' median time over ours
    cold_over_bm25s_N     opening a person's index from disk and one search: bm25s' time over ours
    dense_speedup_N       torch's median time for product and topk, over ours
    p99_ms_N              hybrid search (BM25, vectors, fusion) of N records, 99th percentile
    plan_p99_ms_N         the whole engine's plan with bm25 from a store of N records, the same
    plan_growth           the same plan's median with 1,000 other people in the store, over alone
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import bm25s
import numpy as np
import torch
from _bench import arguments, report, seconds
from rank_bm25 import BM25Okapi

from ipse import tensors
from ipse.backends import open_backend
from ipse.engine import Ipse
from ipse.importers import read, sample_path
from ipse.records import Record
from ipse.retrieval import BM25, blend, top
from ipse.text import ends, words

SIZES, QUESTIONS, OTHERS = (100, 1_000, 10_000), 300, 1_000
QUICK_QUESTIONS, QUICK_OTHERS = 60, 300
BEST, WIDTH = 6, 384


def main() -> None:
    options = arguments(__doc__)
    count = QUICK_QUESTIONS if options.quick else QUESTIONS
    records = sample()
    questions = [ends(record.input, 60) for record in random.Random(1).sample(records, count)]
    figures: dict[str, float] = {}
    for size in SIZES:
        figures |= searches(records[:size], questions)
    others = QUICK_OTHERS if options.quick else OTHERS
    figures |= plans(records[: SIZES[-1]], questions, others)
    packages = ("ipse", "rank-bm25", "bm25s", "torch", "numpy")
    report("Search through one person's records", figures, options, packages)


def sample() -> list[Record]:
    """Give all reasons of the sample, shuffled: as if one person had written them."""
    found = read("ukpconvarg", sample_path())
    records = [r for r in found if isinstance(r, Record) and r.kind == "content"]
    random.Random(0).shuffle(records)
    return records


def searches(records: Sequence[Record], questions: Sequence[str]) -> dict[str, float]:
    """Compare single searches; each library is given the same words."""
    texts = [f"{record.input} {record.output}" for record in records]
    bags = [words(text) for text in texts]
    index, okapi, theirs = BM25.build(texts), BM25Okapi(bags), indexed(bags)
    vectors = unit(len(records))
    matrix = torch.from_numpy(vectors)
    asked = unit(len(questions))
    size = len(records)

    def hybrid(place: int) -> None:
        top(blend(index.scores(questions[place]), vectors @ asked[place], 0.5), BEST)

    ours = timed(lambda i: top(index.scores(questions[i]), BEST), len(questions))
    old = timed(lambda i: rank(okapi.get_scores(words(questions[i]))), len(questions))
    other = timed(lambda i: found_by(theirs, questions[i]), len(questions))
    dense = timed(lambda i: top(vectors @ asked[i], BEST), len(questions))
    brute = timed(lambda i: (matrix @ torch.from_numpy(asked[i])).topk(BEST), len(questions))
    both = timed(hybrid, len(questions))
    cold, their_cold = openings(index, theirs, questions)
    return {
        f"bm25_speedup_{size}": float(np.median(old) / np.median(ours)),
        f"bm25_over_bm25s_{size}": float(np.median(other) / np.median(ours)),
        f"cold_over_bm25s_{size}": their_cold / cold,
        f"dense_speedup_{size}": float(np.median(brute) / np.median(dense)),
        f"p99_ms_{size}": 1000 * float(np.percentile(both, 99)),
    }


def openings(index: BM25, theirs: bm25s.BM25, questions: Sequence[str]) -> tuple[float, float]:
    """Give the median seconds to open an index from disk and search it once, ours and theirs."""
    with tempfile.TemporaryDirectory() as folder:
        ours, other = Path(folder, "ours.safetensors"), Path(folder, "bm25s")
        tensors.write(ours, index.to_arrays())
        theirs.save(other, show_progress=False)

        def open_ours(place: int) -> None:
            again = BM25.from_arrays(tensors.read(ours), index.size)
            top(again.scores(questions[place]), BEST)

        def open_other(place: int) -> None:
            found_by(bm25s.BM25.load(other, mmap=True), questions[place])

        rounds = min(30, len(questions))
        return tuple(float(np.median(timed(f, rounds))) for f in (open_ours, open_other))


def plans(records: Sequence[Record], questions: Sequence[str], others: int) -> dict[str, float]:
    """Time whole plans, from a store with one person and with many."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Ipse(Path(folder, "ipse.db"), open_backend("echo"), "bm25") as engine,
    ):
        engine.add(given(record, "ada", n) for n, record in enumerate(records))
        alone = timed(lambda i: engine.plan("ada", questions[i]), len(questions))
        for person in range(others):
            name = f"user-{person}"
            engine.add(given(record, name, n) for n, record in enumerate(records[:20]))
        among = timed(lambda i: engine.plan("ada", questions[i]), len(questions))
    return {
        f"plan_p99_ms_{len(records)}": 1000 * float(np.percentile(among, 99)),
        "plan_growth": float(np.median(among) / np.median(alone)),
    }


def given(record: Record, user: str, n: int) -> Record:
    return Record(
        user=user, kind="content", input=record.input, output=f"{record.output} ({n})",
        time=record.time,
    )  # fmt: skip


def timed(call: Callable[[int], object], count: int) -> list[float]:
    """Give the seconds of each call, the first three left out: warm."""
    for place in range(min(3, count)):
        call(place)
    return [seconds(lambda place=place: call(place)) for place in range(count)]


def unit(count: int) -> np.ndarray:
    vectors = np.random.default_rng(count).normal(size=(count, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def indexed(bags: Sequence[Sequence[str]]) -> bm25s.BM25:
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index([list(bag) for bag in bags], show_progress=False)
    return index


def found_by(index: bm25s.BM25, question: str) -> object:
    return index.retrieve([words(question)], k=BEST, show_progress=False)


def rank(scores: np.ndarray) -> np.ndarray:
    return np.argsort(scores)[::-1][:BEST]


if __name__ == "__main__":
    main()
