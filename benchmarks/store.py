"""How fast the store writes as it grows, and that reading one person does not slow down.

    python benchmarks/store.py [--quick] [--json]

Records are about 200 characters and of people drawn by Zipf's law (exponent 0.8), so every batch is
scattered over the whole table: the hard case. Every write is durable (synced) before it counts.

    writes_per_s_single_at_N     records a second, one a transaction, at N stored records
    writes_per_s_batched_at_N    the same, 1,000 a transaction
    latest100_ms_at_N            median time of reading the latest 100 of one random person
    latest100_growth             the last of these over the first, the same people in both
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from statistics import median

from _bench import arguments, report, seconds

from ipse.records import Record
from ipse.store import Store

SIZES, PEOPLE = (0, 100_000, 1_000_000), 10_000
QUICK_SIZES, QUICK_PEOPLE = (0, 20_000, 100_000), 1_000
BATCH, SINGLES, BATCHES, READS = 1000, 300, 10, 200
START = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = [
    "I",
    "think",
    "that",
    "the",
    "second",
    "argument",
    "says",
    "more",
    "about",
    "why",
    "this",
    "would",
    "matter",
    "to",
    "me",
]


def stream(people: int, seed: int = 0) -> Iterator[Record]:
    """Give records without end: some people say much more than others."""
    draw = random.Random(seed)
    weights = list(accumulate((rank + 1) ** -0.8 for rank in range(people)))
    n = 0
    while True:
        for person in draw.choices(range(people), cum_weights=weights, k=BATCH):
            text = " ".join(draw.choices(WORDS, k=draw.randrange(20, 60)))
            time = START + timedelta(seconds=n)
            yield Record(user=f"user-{person}", kind="content", output=text, time=time)
            n += 1


def grow(store: Store, source: Iterator[Record], size: int) -> None:
    """Fill the store up to a size."""
    while (short := size - store.count()) > 0:
        store.add(islice(source, min(short, 10 * BATCH)))


def write_speeds(store: Store, source: Iterator[Record]) -> tuple[float, float]:
    """Give records a second, one by one and in batches."""
    singles = list(islice(source, SINGLES))
    single = seconds(lambda: [store.add([record]) for record in singles])
    batches = [list(islice(source, BATCH)) for _ in range(BATCHES)]
    batched = seconds(lambda: [store.add(batch) for batch in batches])
    return SINGLES / single, BATCHES * BATCH / batched


def read_time(store: Store, people: list[str]) -> float:
    """Give the median time of reading a person's latest 100 records, in seconds.

    It is the best of five rounds: what else the machine does can only slow a round down.
    """
    chosen = random.Random(1).choices(people, k=READS)
    rounds = [[seconds(partial(store.user, who, latest=100)) for who in chosen] for _ in range(5)]
    return min(median(times) for times in rounds)


def talkative(store: Store) -> list[str]:
    """Give the people with 100 records or more."""
    page, found = store.users(limit=1000), []
    while True:
        found += [person.id for person in page.items if person.records >= 100]
        if page.cursor is None:
            return found
        page = store.users(limit=1000, cursor=page.cursor)


def measure(folder: Path, sizes: tuple[int, ...], people: int) -> dict[str, float]:
    """Give all figures; who is read is chosen at the first size that is not 0."""
    figures: dict[str, float] = {}
    source, readers = stream(people), []
    with Store.open(folder / "bench.db") as store:
        for size in sizes:
            grow(store, source, size)
            readers = readers or talkative(store)
            if readers:
                figures[f"latest100_ms_at_{size}"] = 1000 * read_time(store, readers)
            single, batched = write_speeds(store, source)
            figures[f"writes_per_s_single_at_{size}"] = single
            figures[f"writes_per_s_batched_at_{size}"] = batched
    reads = [value for name, value in figures.items() if name.startswith("latest100_ms")]
    figures |= {"writes_per_s_single": single, "writes_per_s_batched": batched}
    return figures | {"latest100_growth": reads[-1] / reads[0]}


def main() -> None:
    options = arguments(__doc__)
    sizes, people = (QUICK_SIZES, QUICK_PEOPLE) if options.quick else (SIZES, PEOPLE)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), sizes, people)
    report(f"Store, {people:,} people", figures, options, ("ipse", "sqlalchemy"))


if __name__ == "__main__":
    main()
