"""Measure the methods that act on objectives: on pairs of people's texts, and on rewards.

    python -m runs.objectives           what docs/results/objectives.json keeps, in three hours
    python -m runs.objectives --quick   a few people and prompts; nothing is kept
    python -m runs.objectives --only pairs|rewards|people   one part anew

Pairs: how often the model finds a person's own reason likelier than another's for the same verdict,
after it learned from their pairs, from their words, or from everyone's; the same with another
person's records. Rewards: what two competing objectives cost each other, over the weights of one.
People: whether what somebody prefers moves what is written for them (`runs/steered.py`).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from runs import steered
from runs.standard_grid import nameless

from ipse.backends import open_backend
from ipse.cli.waiting import waiting
from ipse.evaluation.grid import Grid, commit, hardware, versions
from ipse.evaluation.ledger import read_run
from ipse.evaluation.run import run
from ipse.evaluation.tabulate import tables
from ipse.evaluation.tasks import open_task
from ipse.lm import LM
from ipse.methods import Method, finish, parse
from ipse.methods.objectives import Scale
from ipse.methods.ranking import Recipe, draw
from ipse.plan import Plan, Sampling
from ipse.records import User
from ipse.state import State

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "objectives.json"
OUT = ROOT / "ipse-bench"

PARTS = ("pairs", "rewards", "people")
OBJECTIVES = "-length formality"
WORST = -1.0
"""The corner hypervolumes are measured from: one standard deviation below the model, in each."""

PAIRS = Grid(
    ("ukpconvarg-style:items=8",),
    (
        "shared-adapter:records=10",
        "user-adapter:records=30,gate=false,task=records=10",
        "user-dpo:pairs=30,gate=false,task=records=10",
    ),
    measures=("choose", "nats"),
    people=12,
    batch=1000,  # everybody learns together
)

METHODS_HERE = ("rewarded-soup", "mod", "modpo", "rewards-in-context", "morlhf")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        recipe: How adapters are learned.
        prompts: Held-out prompts, a person each.
        answers: Answers to each.
        rounds: Of `morlhf`.
        weights: Of the first objective; the second has the rest.
    """

    recipe: str = "people=8;prompts=3;answers=5;epochs=2"
    prompts: int = 20
    answers: int = 2
    rounds: int = 2
    weights: tuple[float, ...] = (0.0, 0.5, 1.0)


QUICK = Size("people=3;prompts=2;answers=3;epochs=1", 3, 1, 2, (0.0, 1.0))
TOKENS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few people; nothing is kept")
    parser.add_argument("--only", default="", choices=("", *PARTS))
    options = parser.parse_args()
    lm = open_backend("local", dtype="float32")
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    if options.only in ("", "pairs"):
        found["pairs"] = measured(lambda: pairs(lm, quick=options.quick))
    if options.only in ("", "rewards"):
        found["rewards"] = measured(lambda: rewards(lm, QUICK if options.quick else Size()))
    if options.only in ("", "people"):
        size = steered.QUICK if options.quick else steered.Size()
        with waiting() as progress:
            found["people"] = measured(lambda: steered.steered(lm, size, progress))
    found["command"] = "python -m runs.objectives"
    found["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    if options.quick:
        sys.stderr.write(json.dumps(found, indent=1) + "\n")
        return
    RESULTS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    sys.stderr.write(f"Wrote {RESULTS.relative_to(ROOT)}. Next: make docs\n")


def measured(part: Any) -> dict[str, Any]:
    """Run a part, and say where and how long."""
    begun = time.perf_counter()
    found: dict[str, Any] = part()
    minutes = round((time.perf_counter() - begun) / 60, 1)
    about = {"commit": commit(), "hardware": hardware(), "versions": versions()}
    return {**about, "minutes": minutes, **found}


# Pairs of people's texts.


def pairs(lm: LM, *, quick: bool) -> dict[str, Any]:
    """Measure own-over-other accuracy and nats a token, with another's records beside."""
    grid = replace(PAIRS, people=3, tasks=("ukpconvarg-style:items=3",)) if quick else PAIRS
    out = OUT / f"{'quick-' if quick else ''}objectives"
    with waiting() as progress:
        run(grid, out, [lm], progress=progress)
    one = read_run(out)
    return {"header": one.header, "tables": [nameless(table) for table in tables(one)]}


# Competing objectives.


def rewards(lm: LM, size: Size) -> dict[str, Any]:
    """Measure every method's rewards over the weights, and what they cost."""
    task = open_task("ukpconvarg-reason:items=1")
    people = list(task.population())
    asked = [p.items[0].question for p in islice(task.people(size.prompts), size.prompts)]
    recipe = Recipe.read(size.recipe)
    drawn = finish(draw(people, tuple(OBJECTIVES.split()), recipe), lm)
    if drawn is None:
        raise SystemExit("nobody shares anything to draw answers to")
    bench = Bench(lm, drawn[1], asked, size)
    curves: dict[str, Any] = {"generic": {"fit_seconds": 0.0, "points": [bench.point(asked, 0.5)]}}
    curves["prompting"] = {
        "fit_seconds": 0.0,
        "points": [bench.point([prompted(q, w) for q in asked], w) for w in size.weights],
    }
    for name in METHODS_HERE:
        curves[name] = bench.curve(name, people)
        sys.stderr.write(f"{name}: {json.dumps(curves[name])}\n")
    for one in curves.values():
        one["hypervolume"] = round(hypervolume([p["rewards"] for p in one["points"]]), 4)
    numbers = {"prompts": len(asked), "answers": size.answers, "recipe": size.recipe}
    return {"objectives": OBJECTIVES.split(), "worst": WORST, **numbers, "curves": curves}


@dataclass(frozen=True)
class Bench:
    """What every method is measured by.

    Attributes:
        lm: The model.
        scale: Of the rewards.
        asked: The held-out prompts.
        size: How much is measured.
    """

    lm: LM
    scale: Scale
    asked: Sequence[str]
    size: Size

    def curve(self, name: str, people: Sequence[User]) -> dict[str, Any]:
        """Let a method learn once, and measure it at every weight."""
        (method,) = parse(self._spec(name))
        begun = time.perf_counter()
        shared = finish(method.fit(people), self.lm)
        seconds = time.perf_counter() - begun
        if shared is None:
            raise SystemExit(f"{name} learned nothing")
        shared = replace(shared, artifact=self.lm.hold(shared.arrays))
        points = [self._at(method, shared, weight) for weight in self.size.weights]
        return {"fit_seconds": round(seconds, 3), "points": points}

    def _spec(self, name: str) -> str:
        size = self.size
        vectors = f"vectors={';'.join(f'{w} {1 - w}' for w in size.weights)},"
        own = {"modpo": vectors, "morlhf": f"{vectors}rounds={size.rounds},"}.get(name, "")
        once = name == "morlhf"  # what was written is learned from once
        recipe = size.recipe.replace("epochs=2", "epochs=1") if once else size.recipe
        return f"{name}:{own}objectives={OBJECTIVES},recipe={recipe}"

    def _at(self, method: Method, shared: State, weight: float) -> dict[str, Any]:
        told = replace(method, weights=f"{weight} {1 - weight}")  # type: ignore[call-arg]
        user = User("anybody")
        state = finish(told.enroll(user, shared), self.lm)
        plans = [finish(told.apply(plan, user, state), self.lm) for plan in map(ask, self.asked)]
        return self._measured(plans, weight)

    def point(self, questions: Sequence[str], weight: float) -> dict[str, Any]:
        """Measure the model alone, asked so."""
        return self._measured([ask(question) for question in questions], weight)

    def _measured(self, plans: Sequence[Plan], weight: float) -> dict[str, Any]:
        """Write answers; give their rewards, what they cost, and how odd the model finds them."""
        drawn = [replace(plan, candidates=self.size.answers) for plan in plans]
        begun = time.perf_counter()
        replies = self.lm.generate(drawn)
        seconds = time.perf_counter() - begun
        texts = [reply.candidates or (reply.text,) for reply in replies]
        values = np.array([self._rewards(q, t) for q, t in zip(self.asked, texts, strict=True)])
        told = [(q, text) for q, some in zip(self.asked, texts, strict=True) for text in some]
        told = [(q, text) for q, text in told if text.strip()]
        scores = self.lm.score([ask(q) for q, _ in told], [text for _, text in told])
        nats = sum(s.nats for s in scores) / max(1, sum(s.tokens for s in scores))
        error = values.std(axis=0, ddof=1) / math.sqrt(len(values))
        count = len(plans) * self.size.answers
        return {
            "weight": weight,
            "rewards": rounded(values.mean(axis=0)),
            "error": rounded(error),
            "perplexity": round(math.exp(nats), 3),
            "empty": sum(not text.strip() for some in texts for text in some),
            "ms": round(1000 * seconds / count, 1),
            "read": round(sum(r.prompt_tokens for r in replies) / len(replies), 1),
            "written": round(sum(r.tokens for r in replies) / count, 1),
        }

    def _rewards(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.scale.rewards([question] * len(texts), texts).mean(axis=0)
        return found


def ask(question: str) -> Plan:
    """Give the generic plan of a question, drawn freely."""
    return Plan.ask(question, sampling=Sampling(TOKENS, temperature=1.0))


def prompted(question: str, weight: float) -> str:
    """Ask for both in words."""
    how = {0.0: "", 0.25: "somewhat ", 0.5: "", 0.75: "very ", 1.0: "extremely "}
    parts = [
        f"{how[share]}{word}"
        for share, word in ((weight, "short"), (1 - weight, "formal"))
        if share
    ]
    return f"{question}\n\nBe {' and '.join(parts)}."


def hypervolume(points: Sequence[Sequence[float]]) -> float:
    """Give the area that points reach above the worst corner: of (points, 2), in squared stds."""
    above = sorted(((x - WORST, y - WORST) for x, y in points), reverse=True)
    area, height = 0.0, 0.0
    for x, y in above:
        if x > 0 and y > height:
            area += x * (y - height)
            height = y
    return area


def rounded(values: NDArray[np.float64]) -> list[float]:
    """Give numbers with four decimals."""
    return [round(float(value), 4) for value in values]


if __name__ == "__main__":
    main()
