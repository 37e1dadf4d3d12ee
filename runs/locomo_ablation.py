"""Measure how often each search finds the turns that hold the answer, on LoCoMo.

    python runs/locomo_ablation.py --data DATA

reads `DATA/locomo/locomo10.json` (see `ipse.evaluation.tasks.locomo`; it may not be shipped) and
writes `docs/results/locomo.json`: for every variant the mean recall of evidence over conversations
with its 95% interval, overall, without adversarial questions and for each category, and what each
part of `memory` adds. Of the data it keeps nothing but these numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.backends import open_backend
from ipse.evaluation.grid import commit, hardware, versions
from ipse.evaluation.measure import measurable, measure
from ipse.evaluation.stats import Estimate, estimate, paired
from ipse.evaluation.task import Person
from ipse.evaluation.tasks.locomo import CATEGORIES, Locomo
from ipse.lm import LM
from ipse.methods import finish_all, parse
from ipse.plan import Plan

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "locomo.json"
DEPTHS = (1, 5, 10, 20)

VARIANTS = {
    "recent": "the latest turns",
    "bm25": "words",
    "dense": "meaning",
    "hybrid-rrf": "both, by rank",
    "hybrid": "both, by score",
    "memory:reach=0,speaker=0,date=0,stem=false": "memory, of which only the mixture is left",
    "memory:reach=0,speaker=0,date=0": "and stems",
    "memory:speaker=0,date=0": "and neighbors",
    "memory:date=0": "and speakers",
    "memory": "and dates: all of it",
    "memory:stem=false": "all but stems",
    "memory:reach=0": "all but neighbors",
    "memory:ahead=0": "all but the next neighbor's greater share",
    "memory:speaker=0": "all but speakers",
    "memory:words=1": "all but embeddings",
    "memory:words=0": "all but words",
    "memory:match=output": "all but what a turn answers to",
}
"""Compositions, each with what it is in words; the parts of `memory` added up, then left out."""

_GROUPS = {
    "all": set(CATEGORIES.values()),
    "without adversarial": set(CATEGORIES.values()) - {"adversarial"},
    **{name: {name} for name in CATEGORIES.values()},
}


@dataclass(frozen=True)
class Remembering:
    """A model that embeds each text once: variants embed the same turns again and again."""

    lm: LM

    @cached_property
    def _known(self) -> dict[str, NDArray[np.float32]]:
        return {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self.lm.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])


Row = dict[str, list[float]]
"""By group and depth, such as `all recall_10`: the mean recall in each conversation."""


def recalls(spec: str, people: Sequence[Person], task: Locomo, lm: Any) -> Row:
    """Measure one variant.

    Args:
        spec: A composition of one method.
        people: The conversations.
        task: What they are of.
        lm: The embedder.

    Returns:
        The recalls.
    """
    found: Row = {}
    for person in people:
        items = [item for item in person.items if measurable("find", item)]
        plans = list(planned(spec, person, [item.question for item in items], lm))
        outcomes = measure("find", task, items, plans, lm)
        for group, names in _GROUPS.items():
            scores = [o.scores for o, i in zip(outcomes, items, strict=True) if i.group in names]
            for name in (f"recall_{depth}" for depth in DEPTHS) if scores else ():
                mean = float(np.mean([score[name] for score in scores]))
                found.setdefault(f"{group} {name}", []).append(mean)
    return found


def planned(spec: str, person: Person, questions: Sequence[str], lm: Any) -> Iterator[Plan]:
    """Give the plan of each question, with as many records as the deepest recall looks at."""
    (method,) = (replace(method, k=max(DEPTHS)) for method in parse(spec))
    (state,) = finish_all([method.enroll(person.history, None)], lm)
    yield from finish_all(
        [method.apply(Plan.ask(asked), person.history, state) for asked in questions], lm
    )


def row(spec: str, rows: Mapping[str, Row]) -> dict[str, Any]:
    """Give a variant's estimates, and how it differs from `memory` and from `hybrid`."""
    found, key = rows[spec], "all recall_10"
    return {
        "method": spec,
        "what": VARIANTS[spec],
        "recall": {name: _numbers(estimate(values)) for name, values in found.items()},
        "recall_10 over": {
            other: _numbers(paired(found[key], rows[other][key]))
            for other in ("hybrid", "memory")
            if other != spec
        },
    }


def _numbers(found: Estimate) -> dict[str, float]:
    fields = {"mean": found.mean, "error": found.error, "low": found.low, "high": found.high}
    return {name: round(value, 5) for name, value in fields.items()} | {
        "conversations": found.people
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    task = Locomo(root=parser.parse_args().data)
    people = list(task.people(sys.maxsize))
    lm = Remembering(open_backend("local"))
    rows = {}
    for spec in VARIANTS:
        rows[spec] = recalls(spec, people, task, lm)
        sys.stderr.write(f"{spec}: recall at 10 is {np.mean(rows[spec]['all recall_10']):.3f}\n")
    found = {
        "command": "python runs/locomo_ablation.py --data DATA",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "hardware": hardware(),
        "versions": versions(),
        "embedder": lm.lm.embedder,
        "conversations": len(people),
        "turns": sum(len(person.history) for person in people),
        "questions": sum(measurable("find", item) for p in people for item in p.items),
        "variants": [row(spec, rows) for spec in VARIANTS],
    }
    RESULTS.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stderr.write(f"Wrote {RESULTS.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
