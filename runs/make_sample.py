"""Build the sample that ships with Ipse: sixty people of UKPConvArg1, whole.

    python runs/make_sample.py ../shared/data/ukpconvarg src/ipse/data/ukpconvarg

Who is in it is a draw, not a choice: of everyone with 60 to 600 judgements, the sixty whose ids
come first in the order of their SHA-256. (Twelve people made more than 600, up to 4,218: a few of
them would be half of the sample.) All judgements of theirs and all arguments they judged are
kept, line for line and in the file's order. The same input gives the same output.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from statistics import median

PEOPLE = 60
LEAST, MOST = 60, 600
MOST_BYTES = 1_000_000
SEED = "ipse-sample-1"


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def drawn(judgements: list[dict[str, str]]) -> set[str]:
    counts = Counter(judgement["user_id"] for judgement in judgements)
    qualified = [person for person, count in counts.items() if LEAST <= count <= MOST]
    order = sorted(
        qualified, key=lambda person: hashlib.sha256(f"{SEED}:{person}".encode()).digest()
    )
    return set(order[:PEOPLE])


def write(path: Path, kept: list[dict[str, str]]) -> int:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return path.stat().st_size


def build(source: Path, target: Path) -> str:
    judgements = rows(source / "annotations.jsonl.gz")
    people = drawn(judgements)
    kept = [judgement for judgement in judgements if judgement["user_id"] in people]
    used = {judgement[side] for judgement in kept for side in ("arg1", "arg2")}
    texts = [row for row in rows(source / "arguments.jsonl.gz") if row["arg_id"] in used]
    target.mkdir(parents=True, exist_ok=True)
    size = write(target / "annotations.jsonl.gz", kept) + write(
        target / "arguments.jsonl.gz", texts
    )
    if size >= MOST_BYTES:
        raise SystemExit(f"the sample is {size:,} bytes; it may have {MOST_BYTES:,}")
    lengths = sorted(Counter(judgement["user_id"] for judgement in kept).values())
    return (
        f"{len(people)} people, {len(kept):,} judgements, {len(texts):,} arguments, "
        f"{size:,} bytes; judgements a person: {lengths[0]} to {lengths[-1]}, "
        f"median {median(lengths):g}"
    )


if __name__ == "__main__":
    sys.stdout.write(build(Path(sys.argv[1]), Path(sys.argv[2])) + "\n")
