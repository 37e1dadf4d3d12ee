"""Write every part of the documentation that is made from code or from measurements.

    python -m runs.make_docs            write what is stale
    python -m runs.make_docs --check    say what is stale, and exit with 1 if anything is

Made from the code: the front matter of each method's card, the table of methods in the README and
`docs/methods/index.md`. Made from what `runs/standard_grid.py` and `runs/locomo_ablation.py`
measured: the scores in those, the README's demo and the pages of `docs/results/`. Made from what
`runs/engine.py` measured: the tables of `docs/results/engine.md`. Made from what
`runs/objectives.py` measured: `docs/results/objectives.md`, with its plot. Made from what
`runs/preferences.py` measured: `docs/results/preferences.md`, with its plots. A method that the
grid has not measured yet is stale, too. The rest of a page is written by hand and left as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from runs import editors, engine, objectives, preferences, route
from runs.adapter_page import adapter_page, lengths_plot
from runs.editor_page import page as editor_page
from runs.editor_page import plot as editor_plot
from runs.editor_page import summary as editor_summary
from runs.objective_page import card as objective_card
from runs.objective_page import objective_page, tradeoff_plot
from runs.preference_page import preference_page, preference_plots, preference_results
from runs.results_pages import (
    GRID,
    LOCOMO,
    Found,
    drawn,
    estimated,
    grid_page,
    interval,
    locomo_page,
    nats_rows,
    own_rows,
    read,
)
from runs.route_page import route_results
from runs.standard_grid import LEFT_OUT

from ipse.evaluation.metrics import METRICS
from ipse.job import Job, Trained
from ipse.lm import FitSteering, Hidden, Inputs, Piece, Progress, Reply, Score
from ipse.methods import METHODS, PRESETS, Method, finish, parse
from ipse.plan import Plan
from ipse.records import Kind, Record, User
from ipse.state import State

ROOT = Path(__file__).parents[1]
NOT_MEASURED = "not measured"

_KINDS: tuple[Kind, ...] = ("profile", "dialogue", "content", "interaction")
_NEEDS = {
    "embed": "an embedder",
    "cut": "the model's tokenizer",
    "generate": "the model, to enroll",
    "candidates": "several answers a request",
    "fusion": "a model that fuses readings",
    "hidden": "the model's hidden states",
    "fit_steering": "a model that can be trained",
    "steering": "a model that can be steered",
    "adapters": "a model that can be trained and takes adapters",
    "prefix": "a model that can be trained and takes soft prompts",
}
_HTTP = {
    "embed": "with an embedding model",
    "cut": "where it has a tokenizer (vLLM), or with `budget=0`",
    "fusion": "no",
    "steering": "no",
    "adapters": "no",
    "prefix": "no",
}


def generated() -> dict[Path, str]:
    """Give every page that holds generated parts, as it should be."""
    found = read(GRID)
    pages = {ROOT / "docs" / "methods" / f"{name}.md": _card(name, found) for name in METHODS}
    pages[ROOT / "docs" / "methods" / "index.md"] = _index(found)
    pages[GRID.with_suffix(".md")] = grid_page(found)
    pages[GRID.with_name("adapters.md")] = adapter_page(found)
    if "lengths" in found["runs"]:
        pages[GRID.with_name("adapters-by-length.svg")] = lengths_plot(found) + "\n"
    judged = read(objectives.RESULTS) if objectives.RESULTS.exists() else {}
    pages[objectives.RESULTS.with_suffix(".md")] = objective_page(judged)
    if "rewards" in judged:
        pages[objectives.RESULTS.with_suffix(".svg")] = tradeoff_plot(judged) + "\n"
    pages[LOCOMO.with_suffix(".md")] = locomo_page(read(LOCOMO))
    measured = engine.FOUND.with_suffix(".md")
    pages[measured] = _between(measured.read_text("utf-8"), "figures", engine.figures())
    if editors.RESULTS.is_file():
        edited = read(editors.RESULTS)
        pages[editors.RESULTS.with_suffix(".md")] = editor_page(edited)
        pages[editors.RESULTS.with_suffix(".svg")] = editor_plot(edited)
    if preferences.RESULTS.is_file():
        compared = read(preferences.RESULTS)
        pages[preferences.RESULTS.with_suffix(".md")] = preference_page(compared)
        for part, plot in preference_plots(compared):
            pages[preferences.RESULTS.with_name(f"preferences-{part}.svg")] = plot + "\n"
    if route.RESULTS.is_file():
        routed = ROOT / "docs" / "route.md"
        told = route_results(read(route.RESULTS))
        pages[routed] = _between(routed.read_text("utf-8"), "results", told)
    readme = ROOT / "README.md"
    text = _between(readme.read_text("utf-8"), "demo", _demo_text(found))
    pages[readme] = _between(text, "methods", _methods_table(found, "docs/methods/"))
    return pages


def stale() -> list[Path]:
    """Give the pages that are not as they should be."""
    return [path for path, text in generated().items() if not _is(path, text)]


def unmeasured() -> list[str]:
    """Give the methods that the standard grid has not measured."""
    found = read(GRID)
    return [name for name in METHODS if name not in LEFT_OUT and not own_rows(found, name)]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def _between(text: str, name: str, content: str) -> str:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"a page must hold {begin} and {end} once each")
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    return f"{head}{begin}\n{content}\n{end}{tail}"


# Cards.


def _card(name: str, found: Found) -> str:
    path = ROOT / "docs" / "methods" / f"{name}.md"
    if not path.is_file():
        raise SystemExit(f"write {path.relative_to(ROOT)} first: only parts of it are generated")
    text = path.read_text("utf-8")
    body = text.split("\n---\n", 1)[1] if text.startswith("---\n") else f"\n{text}"
    return _between(_front_matter(METHODS[name]) + body, "results", _result(name, found))


def _front_matter(cls: type[Method]) -> str:
    lines = {
        "name": cls.name,
        "level": cls.level,
        "paper": json.dumps(cls.paper),
        "base": json.dumps(cls.base),
        "stores": cls.stores,
        "shared": json.dumps(cls.shared),
        "class": f"{cls.__module__}.{cls.__name__}",
        "parameters": json.dumps({field.name: field.default for field in fields(cls)}),
        "presets": json.dumps(_presets(cls.name)),
    }
    return "\n".join(["---", *(f"{key}: {value}" for key, value in lines.items()), "---\n"])


def _presets(name: str) -> dict[str, str]:
    return {preset: text for preset, text in PRESETS.items() if parse(text)[0].name == name}


def _result(name: str, found: Found) -> str:
    rows = own_rows(found, name)
    if name == "cipher" and editors.RESULTS.is_file():
        return editor_summary(read(editors.RESULTS))
    if name in preferences.METHODS and preferences.RESULTS.is_file():
        return preference_results(read(preferences.RESULTS), name)
    if not rows:
        judged = read(objectives.RESULTS) if objectives.RESULTS.is_file() else {}
        return (
            objective_card(judged, name) or f"Not measured in the standard grid: {LEFT_OUT[name]}."
        )
    body = [
        [
            f"{table['task']}, {METRICS[table['metrics'][0]].title}"
            + (f", `{row['method']}`" if row["method"] != name else ""),
            estimated(row["scores"][table["metrics"][0]]),
            interval(row["gain"]),
            interval(row["personal"]),
            f"{row['cost']['ms']:.0f}",
            f"{row['cost']['nbytes']:,.0f}",
        ]
        for table, row in rows
    ]
    columns = (
        "task, score", "score", "gain over generic", "gain over another person's records",
        "ms a request", "bytes a person",
    )  # fmt: skip
    return "\n".join(
        [
            *drawn(columns, body),
            "",
            f"`{found['command']}`, {found['date']}. "
            "[All methods, and what the columns mean](../results/grid.md).",
        ]
    )


# Tables of methods.


def _methods_table(found: Mapping[str, Any], folder: str) -> str:
    lines = [
        "| method | level | needs | stores of a person | over HTTP | nats per token | gain over "
        "another person's records |",
        "|---|---|---|---|---|--:|--:|",
        f"| generic | | | nothing | yes | {_score(own_rows(found, 'generic')[0][1])} | |",
    ]
    for name, cls in sorted(METHODS.items()):
        asked = asks(cls)
        needs = [words for need, words in _NEEDS.items() if need in asked]
        http = [words for need, words in _HTTP.items() if need in asked]
        over = "no" if "no" in http else ", ".join(http) or "yes"
        row = next((row for _, row in own_rows(found, name)), None)
        lines.append(
            f"| [{name}]({folder}{name}.md) | {cls.level} | {', '.join(needs) or 'records only'} "
            f"| {cls.stores} | {over} | {_score(row)} "
            f"| {_short(row['personal']).strip() if row else ''} |"
        )
    return "\n".join(lines)


def _score(row: Mapping[str, Any] | None) -> str:
    return estimated(next(iter(row["scores"].values()))) if row else NOT_MEASURED


def _index(found: Mapping[str, Any]) -> str:
    presets = [f"| {name} | `{text}` |" for name, text in sorted(PRESETS.items())]
    return "\n".join(
        [
            "# Methods",
            "",
            "One card each. Scores are on people that nothing was fitted or tuned on, with standard"
            " errors and 95% intervals over people: [how they were measured](../results/grid.md).",
            "",
            _methods_table(found, ""),
            "",
            "Presets are settings under a name of their own:",
            "",
            "| preset | stands for |",
            "|---|---|",
            *presets,
            "",
            "Any of them compose with `+`, such as `profile+bm25:k=4`. "
            "[How to add one](../add-a-method.md).",
            "",
        ]
    )


_LEARNED: dict[str, tuple[int, ...]] = {
    "m.lora_A": (8, 1), "m.lora_B": (1, 8), "m.gate": (1,), "scale": (),
    "codes.module": (1, 1), "codes.layer": (1, 1), "centre": (1,),
    "first.weight": (1, 3), "first.bias": (1,), "second.weight": (1, 1), "second.bias": (1,),
    "m.A.weight": (8, 1), "m.A.bias": (8,), "m.B.weight": (8, 1), "m.B.bias": (8,),
    "query": (1, 1), "mlp.first.weight": (1, 1), "mlp.first.bias": (1,), "norm": (),
    "mlp.second.weight": (1, 1), "mlp.second.bias": (1,), "instruction": (1, 1), "empty": (1,),
}  # fmt: skip
"""What the recorder says was learned, whatever is asked for: names and shapes."""


class _Recorder:
    """Answers whatever a method asks for, and keeps what sort of thing it was."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._held = {name: np.ones(shape) for name, shape in _LEARNED.items()}

    def generate(self, plans: Sequence[Plan], on_progress: Progress | None = None) -> list[Reply]:
        del on_progress
        self.asked.add("generate")
        return [Reply("words") for _ in plans]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.add("embed")
        return np.ones((len(texts), 1), np.float32)

    def cut(self, text: str, limit: int | None = None) -> Piece:
        self.asked.add("cut")
        words = text.split()[:limit]
        return Piece(" ".join(words), len(words))

    def hidden(self, ask: Hidden) -> NDArray[np.float32]:
        self.asked.add("hidden")
        return np.ones((len(ask.plans), len(ask.layers), 1), np.float32)

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        del ask
        self.asked.add("fit_steering")
        return np.ones(1, np.float32)

    def train(
        self, jobs: Sequence[Job], on_progress: Progress | None = None, scratch: Path | None = None
    ) -> list[Trained]:
        del on_progress, scratch
        self.asked.add("train")
        owners = {f"owners/{e.owner}": np.ones(1) for job in jobs for e in job.examples}
        made = {name: np.ones(shape) for name, shape in _LEARNED.items()}
        return [Trained(owners | made, {}) for _ in jobs]

    def inputs(self, ask: Inputs) -> Mapping[str, NDArray[np.float32]]:
        del ask
        self.asked.add("hidden")
        return {"m": np.ones(1, np.float32)}

    def hold(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        self._held.update(arrays)
        return "held"

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        del name
        return self._held

    def score(
        self, plans: Sequence[Plan], targets: Sequence[str], on_progress: Progress | None = None
    ) -> list[Score]:
        del targets, on_progress
        self.asked.add("score")
        return [Score((-1.0,)) for _ in plans]


def asks(cls: type[Method]) -> set[str]:
    """Find out what a method asks a model for, by running it on a small person.

    Args:
        cls: The method.

    Returns:
        Some of `generate`, `embed`, `cut`, `hidden`, `fit_steering`, `train` and `score`, and what
        its plan needs.
    """
    start = datetime(2024, 1, 1, tzinfo=UTC)
    records = [
        Record(user="ada", kind=kind, input="tea", output=f"{kind} on tea", time=start + place)
        for place, kind in zip((timedelta(days=n) for n in range(4)), _KINDS, strict=True)
    ]
    records.append(
        Record(
            user="ada", kind="preference", input="tea", output="green", rejected="black",
            time=start + timedelta(days=4), meta={"how": "edit"},
        )
    )  # fmt: skip
    user, lm, method = User("ada", tuple(records)), _Recorder(), cls()
    everyones = _kept(finish(method.fit([user]), lm))  # type: ignore[arg-type]
    kept = _kept(finish(method.enroll(user, everyones), lm))  # type: ignore[arg-type]
    plan = finish(method.apply(Plan.ask("tea?"), user, kept), lm)  # type: ignore[arg-type]
    return {*lm.asked, *plan.needs}


def _kept(state: State | None) -> State | None:
    return replace(state, artifact="its content's hash") if state else None


# The README's demo.


def _demo_text(found: Found) -> str:
    """Write the first table as text, with the command that measured it."""
    table = nats_rows(found)
    rows = [_COLUMNS, *(_cells(row) for row in table["rows"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]
    people = table["rows"][0]["scores"][table["metrics"][0]]["people"]
    header = next(iter(found["runs"].values()))["header"]
    verdict = next(iter(found["runs"].values()))["verdicts"][0]
    return "\n".join(
        [
            "```text",
            *lines,
            "```",
            "",
            f"{people} people, {header['hardware']}, {found['date']}: "
            f"[the standard grid](docs/results/grid.md). {verdict}",
        ]
    )


_COLUMNS = (
    "method", "nats per token", "gain over generic", "gain over another's", "ms", "tokens", "bytes",
)  # fmt: skip


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    cost = row["cost"]
    return (
        row["method"],
        estimated(next(iter(row["scores"].values()))),
        _short(row["gain"]),
        _short(row["personal"]),
        f"{cost['ms']:.0f}",
        f"{cost['prompt_tokens']:.0f}",
        f"{cost['nbytes']:,.0f}",
    )


def _short(value: Mapping[str, float] | None) -> str:
    if not value:
        return ""
    star = "*" if value["adjusted"] < 0.05 else " "
    return f"{value['mean']:+.2f} [{value['low']:+.2f}, {value['high']:+.2f}]{star}"


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or only say so."""
    found = stale()
    if "--check" in arguments:
        for path in found:
            sys.stderr.write(f"stale: {path.relative_to(ROOT)}. Run: make docs\n")
        for name in (missing := unmeasured()):
            sys.stderr.write(f"not measured: {name}. Run: make bench, then make docs\n")
        return 1 if found or missing else 0
    pages = generated()
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], "utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
