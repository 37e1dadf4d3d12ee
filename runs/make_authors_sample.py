"""Build the sample of public-domain authors that ships with Ipse: all of them, cut short.

    python runs/make_authors_sample.py ../shared/data/authors src/ipse/data/authors

Everyone whose authorship is not disputed is in it. Of someone's latest year, which is what is asked
about, the first words are kept; of the years before, up to four texts spread evenly, in equal
shares; of someone of one year only, the first words. Texts are cut where a paragraph ends with a
sentence. The same input gives the same output.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ipse.evaluation.task import spread
from ipse.evaluation.tasks.authors import written

FILES = ("federalist.jsonl.gz", "us_presidents.jsonl.gz")
ASKED, PAST, SINGLE = 900, 5000, 1200
"""How many words of what is asked about, of the past, and of someone who has none."""

TEXTS = 4
MOST_BYTES = 350_000
_END = re.compile(r"[.!?][\"')]*\s*\n")

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def short(row: Row, words: int) -> Row:
    """Cut a text at the first end of a paragraph after so many words."""
    found = list(re.finditer(r"\S+", row["text"]))
    if len(found) <= words:
        return row
    end = _END.search(row["text"], found[words - 1].start())
    return row if end is None else row | {"text": row["text"][: end.end()].rstrip()}


def kept(years: dict[datetime, list[tuple[int, Row]]]) -> list[tuple[int, Row]]:
    """Choose and cut one author's texts, each with its place in the files."""
    asked = years[max(years)]
    past = [entry for year in sorted(years)[:-1] for entry in years[year]]
    chosen = spread(past, TEXTS)
    each = ASKED if past else SINGLE
    return [
        *((place, short(row, PAST // len(chosen))) for place, row in chosen),
        *((place, short(row, each // len(asked))) for place, row in asked),
    ]


def write(path: Path, found: list[Row]) -> int:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return path.stat().st_size


def build(source: Path, target: Path) -> str:
    everything = [(name, row) for name in FILES for row in rows(source / name)]
    authors: dict[str, dict[datetime, list[tuple[int, Row]]]] = defaultdict(dict)
    for place, (name, row) in enumerate(everything):
        if (by := written(name, row)) is not None:
            authors[by[0]].setdefault(by[1], []).append((place, row))
    sample = dict(entry for years in authors.values() for entry in kept(years))
    target.mkdir(parents=True, exist_ok=True)
    size = sum(
        write(target / name, [sample[p] for p in sorted(sample) if everything[p][0] == name])
        for name in FILES
    )
    if size >= MOST_BYTES:
        raise SystemExit(f"the sample is {size:,} bytes; it may have {MOST_BYTES:,}")
    words = sum(len(row["text"].split()) for row in sample.values())
    return f"{len(authors)} authors, {len(sample)} texts, {words:,} words, {size:,} bytes"


if __name__ == "__main__":
    sys.stdout.write(build(Path(sys.argv[1]), Path(sys.argv[2])) + "\n")
