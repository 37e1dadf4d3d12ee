"""Measure rewards that are learned from pairs, on films, arguments, reasons and made-up people.

    python runs/preferences.py --data DATA           what docs/results/preferences.json keeps
    python runs/preferences.py --data DATA --quick   a few people; nothing is kept
    python runs/preferences.py --data DATA --only films    one part anew; the parts are `PARTS`

reads `DATA/movielens`, which may not be shipped, and `DATA/ukpconvarg`; where there is none of
that, the shipped sample. Of the data it keeps numbers only. No language model has a part in it but
the embedder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.backends import open_backend
from ipse.cli.waiting import waiting
from ipse.evaluation.grid import commit, hardware, versions
from ipse.evaluation.preferences import (
    Alone,
    Contestant,
    Crowd,
    Everyones,
    asked_about,
    choices,
    compare_learners,
    films,
    reasons,
    regrets,
    ties,
    titles,
)
from ipse.importers import sample_path
from ipse.importers.ukpconvarg import arguments
from ipse.lm import LM
from ipse.methods import finish
from ipse.methods.features import described, scale, scaled
from ipse.rewards import ATTRIBUTES, Group, Learner, LowRank, Variational, measure

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "preferences.json"

PARTS = ("films", "titles", "asking", "choices", "reasons", "simulated")
GLOBAL = "global"
METHODS = ("group-preference", "low-rank-reward", "variational-preference")
"""Those whose cards show what is measured here."""
FEATURES = "attributes embedding"
CHUNK = 400
"""Texts that are embedded before it is told how many are."""


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        films: How many people of MovieLens.
        people: How many of UKPConvArg1.
        folds: Into how many parts people are cut.
        steps: Updates of what is learned by steps.
        simulated: Made-up people.
    """

    films: int = 610
    people: int = 120
    folds: int = 5
    steps: int = 500
    simulated: int = 100


QUICK = Size(films=60, people=30, folds=2, steps=60, simulated=6)


@dataclass(frozen=True)
class Bench:
    """What a part is measured with.

    Attributes:
        data: The data folder.
        size: How much.
        lm: The embedder.
        told: Told what is done.
    """

    data: Path
    size: Size
    lm: LM
    told: Callable[[str], None]

    @property
    def debates(self) -> Path:
        """Where UKPConvArg1 is, or the shipped sample of it."""
        whole = self.data / "ukpconvarg"
        return whole if whole.is_dir() else sample_path()

    def describe(self, prompts: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
        """Describe texts as the methods do, (texts, width)."""
        parts = []
        for start in range(0, len(texts), CHUNK):
            end = start + CHUNK
            steps = described(FEATURES, prompts[start:end], texts[start:end])
            parts.append(finish(steps, self.lm))
            self.told(f"{min(end, len(texts)):,} of {len(texts):,} texts are described")
        found = np.concatenate(parts)
        return scaled(scale(FEATURES, found), found)

    def crowd(self, *, rated: bool = True) -> Crowd:
        """Read MovieLens; `rated` says whether films are described by others' ratings, too."""
        folder = self.data / "movielens"
        texts = [film.text for film in titles(folder).values()]
        parts = []
        for start in range(0, len(texts), CHUNK):
            parts.append(self.lm.embed(texts[start : start + CHUNK]))
            self.told(f"{min(start + CHUNK, len(texts)):,} of {len(texts):,} films are embedded")
        found = films(folder, np.concatenate(parts).astype(np.float64), rated=rated)
        return Crowd(found.features, found.judges[: self.size.films], found.learn)


def contestants(size: Size, width: int = 64) -> dict[str, Sequence[Learner]]:
    """Give all that is compared; of several settings, people of another fold choose."""
    return {
        GLOBAL: (Everyones(width),),
        "own logistic": tuple(Alone(prior, width) for prior in (10.0, 30.0, 100.0)),
        "low-rank-reward": tuple(LowRank(width=width, prior=prior) for prior in (1.0, 2.0, 4.0)),
        "variational-preference": (Variational(width=width, steps=size.steps),),
        "group-preference": (Group(width=width, steps=size.steps),),
    }


def curve(bench: Bench, crowd: Crowd, counts: Sequence[int]) -> dict[str, Any]:
    """Compare all on one crowd, by how many answers are given."""
    found = compare_learners(
        crowd,
        contestants(bench.size),
        counts,
        everyone=GLOBAL,
        folds=bench.size.folds,
        told=bench.told,
    )
    return {
        "people": len(crowd.judges),
        "texts": len(crowd.features),
        "methods": {
            name: {
                str(count): {part: getattr(one, part).rounded(5) for part in _SCORES}
                for count, one in each.items()
            }
            for name, each in found.items()
        },
    }


_SCORES = ("accuracy", "over_everyone", "over_other")


def on_films(bench: Bench) -> dict[str, Any]:
    return curve(bench, bench.crowd(), (5, 10, 20, 50, 100))


def on_titles(bench: Bench) -> dict[str, Any]:
    return curve(bench, bench.crowd(rated=False), (5, 10, 20, 50, 100))


def on_asking(bench: Bench) -> dict[str, Any]:
    found = asked_about(bench.crowd(), LowRank(), (0, 5, 10, 20), bench.size.folds)
    return {
        way: {str(count): one.rounded(5) for count, one in each.items()}
        for way, each in found.items()
    }


def on_choices(bench: Bench) -> dict[str, Any]:
    crowd = choices(bench.debates, bench.describe, most=bench.size.people)
    alike = ties(bench.debates)
    told = {"rate": alike.rate.rounded(5), "spread": alike.spread, "gain": alike.gain.rounded(5)}
    return {**curve(bench, crowd, (5, 10, 20, 50)), "ties": told}


def on_reasons(bench: Bench) -> dict[str, Any]:
    crowd = reasons(bench.debates, bench.describe, most=bench.size.people)
    return curve(bench, crowd, (5, 10, 20, 50))


def on_simulated(bench: Bench) -> dict[str, Any]:
    texts = sorted({one.text for one in arguments(sample_path()).values()})
    names = sorted(ATTRIBUTES)
    values = measure(names, [""] * len(texts), texts)
    varied = values[:, values.std(0) > 0]
    values = (varied - varied.mean(0)) / varied.std(0)
    width = values.shape[1]
    low_rank = LowRank(rank=width, width=width, prior=1.0, noise=0.02)
    steps = bench.size.steps
    entered = {
        GLOBAL: Contestant(Everyones(width)),
        "own logistic": Contestant(Alone(1.0, width)),
        "low-rank-reward, at random": Contestant(low_rank),
        "low-rank-reward, by uncertainty": Contestant(low_rank, "uncertainty"),
        "low-rank-reward, by elimination": Contestant(low_rank, "elimination"),
        "variational-preference": Contestant(Variational(width=width, steps=steps)),
        "group-preference": Contestant(Group(width=width, steps=steps)),
    }
    found = regrets(values, entered, people=bench.size.simulated)
    return {
        "people": bench.size.simulated,
        "attributes": width,
        "methods": {
            name: {
                "after": {str(n): one.after[n].rounded(5) for n in (0, 1, 2, 3, 5, 8, 12, 20)},
                "settled": one.settled.rounded(5) if one.settled else None,
            }
            for name, one in found.items()
        },
    }


_MEASURED: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "films": on_films,
    "titles": on_titles,
    "asking": on_asking,
    "choices": on_choices,
    "reasons": on_reasons,
    "simulated": on_simulated,
}


def measured(bench: Bench, part: str) -> dict[str, Any]:
    """Measure one part, with where and when."""
    began = time.monotonic()
    found = _MEASURED[part](bench)
    return {
        **found,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "minutes": round((time.monotonic() - began) / 60, 1),
        "commit": commit(),
        "hardware": hardware(),
        "versions": versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--quick", action="store_true", help="a few people; nothing is kept")
    parser.add_argument("--only", choices=PARTS, help="one part anew")
    options = parser.parse_args()
    parts = (options.only,) if options.only else PARTS
    size, lm = QUICK if options.quick else Size(), open_backend("local")
    found = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    found["command"] = "python runs/preferences.py --data DATA"
    with waiting() as progress:
        for place, part in enumerate(parts):
            told = partial(_tell, progress, part, place / len(parts))
            found[part] = measured(Bench(options.data, size, lm, told), part)
            if not options.quick:
                text = json.dumps(found, ensure_ascii=False, indent=1)
                RESULTS.write_text(text + "\n", "utf-8")
    if options.quick:
        sys.stdout.write(json.dumps({part: found[part] for part in parts})[:2000] + "\n")


def _tell(progress: Callable[[str, float], None], part: str, share: float, what: str) -> None:
    progress(f"{part}: {what}", share)


if __name__ == "__main__":
    main()
