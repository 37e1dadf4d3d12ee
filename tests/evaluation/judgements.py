"""A small judgement file for tests: five people, twenty judgements each."""

from __future__ import annotations

import json
from pathlib import Path

TOPICS = ("tea_yes", "tea_no", "cake_yes")
USERS = ("ada", "bob", "eve", "joe", "kim")
JUDGED = 20


def write_judgements(root: Path) -> Path:
    """Write the two files as a data folder holds them, and give the data folder."""
    arguments = [
        {"arg_id": f"{topic}{n}", "topic": topic, "author": "x", "stance": "s",
         "text": f"{topic} argument {n} " + "word " * 40}
        for topic in TOPICS for n in range(2)
    ]  # fmt: skip
    judgements = [
        {"user_id": user, "pair_id": f"{topic}0_{topic}1", "topic": topic, "arg1": f"{topic}0",
         "arg2": f"{topic}1", "choice": ("a1", "a2", "equal")[n % 3],
         "reason": f"{user} says so, time {n}", "worker_stance": None}
        for user in USERS for n in range(JUDGED)
        for topic in [TOPICS[2 if user in ("eve", "joe", "kim") else n % 2]]
    ]  # fmt: skip
    folder = root / "ukpconvarg"
    folder.mkdir(parents=True)
    for name, lines in (("arguments", arguments), ("annotations", judgements)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return root
