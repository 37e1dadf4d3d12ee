"""Write every part of the documentation that is made from code or from measurements.

    python runs/make_docs.py            write what is stale
    python runs/make_docs.py --check    say what is stale, and exit with 1 if anything is

Made from the code: the front matter of each method's card, the table of methods in the README and
`docs/methods/index.md`. Made from `docs/results/demo.json`, which `runs/demo_results.py` measures:
the scores in those, the README's demo and `docs/results/demo.md`. The rest of a page is written by
hand and left as it is.
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

from ipse.lm import FitSteering, Hidden, Piece, Progress, Reply
from ipse.methods import METHODS, PRESETS, Method, finish, parse
from ipse.plan import Plan
from ipse.records import Kind, Record, User

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "demo.json"
NOT_MEASURED = "not measured"

_KINDS: tuple[Kind, ...] = ("profile", "dialogue", "content", "interaction")
_NEEDS = {
    "embed": "an embedder",
    "cut": "the model's tokenizer",
    "generate": "the model, to enroll",
    "fusion": "a model that fuses readings",
    "hidden": "the model's hidden states",
    "fit_steering": "a model that can be trained",
    "steering": "a model that can be steered",
}
_HTTP = {
    "embed": "with an embedding model",
    "cut": "where it has a tokenizer (vLLM), or with `budget=0`",
    "fusion": "no",
    "steering": "no",
}


def generated() -> dict[Path, str]:
    """Give every page that holds generated parts, as it should be."""
    found = json.loads(RESULTS.read_text("utf-8"))
    pages = {ROOT / "docs" / "methods" / f"{name}.md": _card(name, found) for name in METHODS}
    pages[ROOT / "docs" / "methods" / "index.md"] = _index(found)
    pages[ROOT / "docs" / "results" / "demo.md"] = _demo_page(found)
    readme = ROOT / "README.md"
    text = _between(readme.read_text("utf-8"), "demo", _demo_text(found))
    pages[readme] = _between(text, "methods", _methods_table(found, "docs/methods/"))
    return pages


def stale() -> list[Path]:
    """Give the pages that are not as they should be."""
    return [path for path, text in generated().items() if not _is(path, text)]


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


def _card(name: str, found: Mapping[str, Any]) -> str:
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


def _result(name: str, found: Mapping[str, Any]) -> str:
    row = _row(name, found)
    if row is None:
        return f"Not measured yet: `ipse demo --methods {name}` measures it."
    cells = [
        f"| {_estimate(row['nats'])} | {_interval(row['gain'])} | {_interval(row['personal'])} "
        f"| {row['ms']:.0f} | {row['prompt_tokens']:.0f} | {row['nbytes']:,.0f} "
        f"| {row['enroll_ms']:.1f} |"
    ]
    return "\n".join(
        [
            "| nats per token | gain over generic | gain over another person's records "
            "| ms a request | prompt tokens | bytes a person | ms to enroll |",
            "|--:|--:|--:|--:|--:|--:|--:|",
            *cells,
            "",
            f"`{found['command']}`: {_people(found)} people, {found['date']}, commit "
            f"{found['commit']}, {found['hardware']}. "
            "[What the columns mean](../results/demo.md).",
        ]
    )


# Tables of methods.


def _methods_table(found: Mapping[str, Any], folder: str) -> str:
    lines = [
        "| method | level | needs | stores of a person | over HTTP | nats per token | gain over "
        "another person's records |",
        "|---|---|---|---|---|--:|--:|",
        f"| generic | | | nothing | yes | {_score('generic', found)} | |",
    ]
    for name, cls in sorted(METHODS.items()):
        asked = asks(cls)
        needs = [words for need, words in _NEEDS.items() if need in asked]
        http = [words for need, words in _HTTP.items() if need in asked]
        row = _row(name, found)
        lines.append(
            f"| [{name}]({folder}{name}.md) | {cls.level} | {', '.join(needs) or 'records only'} "
            f"| {cls.stores} | {', '.join(http) or 'yes'} | {_score(name, found)} "
            f"| {_interval(row['personal']) if row else ''} |"
        )
    return "\n".join(lines)


def _index(found: Mapping[str, Any]) -> str:
    presets = [f"| {name} | `{text}` |" for name, text in sorted(PRESETS.items())]
    return "\n".join(
        [
            "# Methods",
            "",
            "One card each. Scores are on people that nothing was fitted or tuned on, with standard"
            " errors and 95% intervals over people: [how they were measured](../results/demo.md).",
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


class _Recorder:
    """Answers whatever a method asks for, and keeps what sort of thing it was."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

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
        return np.ones((len(ask.plans), 1), np.float32)

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        del ask
        self.asked.add("fit_steering")
        return np.ones(1, np.float32)


def asks(cls: type[Method]) -> set[str]:
    """Find out what a method asks a model for, by running it on a small person.

    Args:
        cls: The method.

    Returns:
        Some of `generate`, `embed`, `cut`, `hidden` and `fit_steering`, and what its plan needs.
    """
    start = datetime(2024, 1, 1, tzinfo=UTC)
    records = [
        Record(user="ada", kind=kind, input="tea", output=f"{kind} on tea", time=start + place)
        for place, kind in zip((timedelta(days=n) for n in range(4)), _KINDS, strict=True)
    ]
    user, lm, method = User("ada", tuple(records)), _Recorder(), cls()
    state = finish(method.enroll(user, None), lm)  # type: ignore[arg-type]
    kept = replace(state, artifact="its content's hash") if state else None
    plan = finish(method.apply(Plan.ask("tea?"), user, kept), lm)  # type: ignore[arg-type]
    return {*lm.asked, *plan.needs}


# What the demo measured.


def _row(name: str, found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((row for row in found["demo"]["methods"] if row["method"] == name), None)


def _people(found: Mapping[str, Any]) -> int:
    count: int = found["demo"]["methods"][0]["nats"]["people"]
    return count


def _score(name: str, found: Mapping[str, Any]) -> str:
    row = _row(name, found)
    return _estimate(row["nats"]) if row else NOT_MEASURED


def _estimate(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.3f} ± {value['error']:.3f}"


def _interval(value: Mapping[str, float] | None) -> str:
    return f"{value['mean']:+.2f} [{value['low']:+.2f}, {value['high']:+.2f}]" if value else ""


_COLUMNS = (
    "method",
    "nats per token",
    "gain over generic",
    "gain over another's",
    "ms",
    "prompt tokens",
    "bytes",
)


def _cells(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            row["method"],
            _estimate(row["nats"]),
            _interval(row["gain"]),
            _interval(row["personal"]),
            f"{row['ms']:.0f}",
            f"{row['prompt_tokens']:.0f}",
            f"{row['nbytes']:,.0f}",
        )
        for row in found["demo"]["methods"]
    ]


def _demo_text(found: Mapping[str, Any]) -> str:
    """Write the demo's table as text, with the command that measured it."""
    rows = [_COLUMNS, *_cells(found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    ]
    return "\n".join(
        [
            "```text",
            *lines,
            "```",
            "",
            f"`{found['command']}`, {_people(found)} people, {found['hardware']}, "
            f"{found['date']}: {found['demo']['verdict']}",
        ]
    )


def _demo_page(found: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {there}" for name, there in found["versions"].items())
    table = ["| " + " | ".join(row) + " |" for row in _cells(found)]
    example = found["demo"]["example"]
    return "\n".join(
        [
            "# What the demo measured",
            "",
            f"- command: `{found['command']}`",
            f"- date: {found['date']}",
            f"- commit: {found['commit']}",
            f"- hardware: {found['hardware']}",
            f"- versions: {versions}",
            f"- people: {_people(found)}",
            "",
            "| " + " | ".join(_COLUMNS) + " |",
            "|---|" + "--:|" * (len(_COLUMNS) - 1),
            *table,
            "",
            found["demo"]["verdict"],
            "",
            "The other person wrote on "
            f"{100 * found['demo']['shared_topics']:.0f}% of the topics asked about.",
            "",
            _MEANING,
            "",
            "## One person, before and after",
            "",
            *_quoted("asked", example["question"]),
            *_quoted("generic", example["before"]),
            *_quoted(example["method"], example["after"]),
            *_quoted("what the person wrote", example["written"]),
            "Records the model had read:",
            "",
            "```text",
            *example["evidence"],
            "```",
            "",
            "The texts are from UKPConvArg1 (Habernal and Gurevych, ACL 2016), CC BY 4.0: "
            "[attribution](../../src/ipse/data/ukpconvarg/ATTRIBUTION.md). They are what people "
            "wrote in debates, and nobody's position here.",
            "",
        ]
    )


_MEANING = """\
People judged pairs of arguments and wrote why. Each person's latest fifth is held out, and some of
it is scored: the negative log-likelihood of the very words the person wrote, given the two
arguments and the verdict.

- *nats per token*: that likelihood, a mean over people with its standard error; lower is better.
- *gain over generic*: nats per token saved against the model that knows nobody, with its 95%
  interval over people (paired, Student's t).
- *gain over another's*: saved against the same method given the records of another person, the one
  among those evaluated who wrote most on the same topics. Above 0, what helps is the person, and
  not just any person's records.
- *ms*: milliseconds a request takes to be planned and read, prompts batched and shared as the
  backend does.
- *prompt tokens*: read before the scored words.
- *bytes*: stored of a person, records apart: arrays and facts of states."""


def _quoted(title: str, text: str) -> list[str]:
    return [f"{title}:", "", "```text", *text.strip().splitlines(), "```", ""]


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or only say so."""
    found = stale()
    if "--check" in arguments:
        for path in found:
            sys.stderr.write(f"stale: {path.relative_to(ROOT)}. Run: make docs\n")
        return 1 if found else 0
    pages = generated()
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], "utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
