"""Measure what simulated editors, who edit every draft by hidden wishes, have left to edit.

    python runs/editors.py                   half an hour on two cores; what is kept
    python runs/editors.py --quick           a few editors, to see that it runs; nothing is kept
    python runs/editors.py --backend http --model NAME --save found.json
                                             a larger model, on a server (IPSE_BASE_URL, …)

The setting is PRELUDE's (2404.15269): texts come one after another; the model writes a draft of a
summary, the editor edits it, and the cost is the edit distance in words. What is learned of an edit
serves the next draft. Editors wish for other things in other kinds of text; strange ones for what
nobody here counts. The kept numbers become `docs/results/editors.md` by `python -m runs.make_docs`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipse.cli.waiting import waiting
from ipse.construct import Editor, editors, owner
from ipse.evaluation.grid import commit, hardware, versions
from ipse.evaluation.scorers import edit_distance
from ipse.evaluation.stats import Comparison, compare, estimate, holm
from ipse.evaluation.tasks.passages import passages
from ipse.importers import sample_path
from ipse.importers.base import Problem, objects
from ipse.importers.ukpconvarg import arguments
from ipse.lm import LM
from ipse.methods import Method, finish_all, parse
from ipse.methods.phrases import sentences
from ipse.plan import Plan, Sampling
from ipse.records import Record, User
from ipse.settings import load, open_lm
from ipse.state import State
from ipse.text import cut

__all__ = [
    "CERTAIN", "GROUPS", "LEARNERS", "ORACLE", "RESULTS", "SHOWN", "Desk", "hired", "opened",
    "sources", "summed", "table", "texts", "work",
]  # fmt: skip

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "editors.json"
EDITORS, STRANGE, TEXTS, TOKENS = 20, 6, 12, 60
ORACLE = "the wishes told"
SHOWN = "hybrid:k=4"

LEARNERS = {
    "generic": "nothing is learned",
    SHOWN: "past edits are shown, the nearest ones",
    "cipher": "phrases by the model, as published",
    "cipher-lexical": "phrases by counting",
    "cipher:k=1,words=lexical": "of the nearest edit alone",
    "cipher:words=lexical,place=system": "in the system message, not with the question",
    ORACLE: "every wish is told in words: the most that words could do",
}
"""What is compared: a composition, and what it does."""

KINDS = {
    "argument": "Summarize this argument:",
    "address": "Summarize this part of a president's speech:",
    "essay": "Summarize this passage of a political essay:",
}
"""The kinds of text, and what is asked of each."""

GROUPS = {
    "counted": "Wishes that are among what `ipse.rewards` counts",
    "strange": "Wishes that nothing here counts",
}
"""The kinds of editors, and what sets them apart."""

CERTAIN = 0.05
_WORDS = 100
_SEED = 2
"""Neither 0 nor 1: those editors were looked at while this was made."""


@dataclass(frozen=True)
class Text:
    """One text to be summarized."""

    kind: str
    prompt: str


@dataclass
class Desk:
    """One editor under one learner: what was edited so far, and what is known of it."""

    editor: Editor
    learner: str
    records: list[Record]
    states: list[State | None]
    costs: list[float]
    lengths: list[int]

    @property
    def user(self) -> User:
        """The editor, as far as their edits are known."""
        return User(self.editor.id, tuple(self.records))


def texts(editor: Editor, count: int, found: Mapping[str, Sequence[str]]) -> list[Text]:
    """Give one editor's texts, the same for every learner: of every kind as many, mixed."""
    draw = Random(f"{editor.seed}:{editor.number}:texts")
    kinds = [kind for _ in range(-(-count // len(KINDS))) for kind in KINDS][:count]
    drawn = {kind: draw.sample(found[kind], kinds.count(kind)) for kind in KINDS}
    draw.shuffle(kinds)
    return [Text(kind, f"{KINDS[kind]}\n\n{drawn[kind].pop()}") for kind in kinds]


def sources() -> dict[str, list[str]]:
    """Give the shipped texts by kind: people's arguments, presidents' speeches, The Federalist."""
    folder = sample_path()
    own = sorted({one.text for one in arguments(folder).values()})
    return {
        "argument": [cut(text, _WORDS) for text in own if len(text.split()) >= _WORDS // 2],
        "address": _passages(folder.parent / "authors" / "us_presidents.jsonl.gz"),
        "essay": _passages(folder.parent / "authors" / "federalist.jsonl.gz"),
    }


def _passages(path: Path) -> list[str]:
    rows = [entry[1] for entry in objects(path) if not isinstance(entry, Problem)]
    cuts = (passage for row in rows for passage in passages(row["text"], _WORDS // 2, 20))
    return [cut(passage.opening, _WORDS) for passage in cuts]


def learn(desks: Sequence[Desk], lm: LM) -> None:
    """Let every method learn of the latest edits, all desks in one batch."""
    for place in range(_deepest(desks)):
        due = [desk for desk in desks if desk.records and place < len(_methods(desk.learner))]
        made = finish_all([_learning(desk, place) for desk in due], lm)
        for desk, state in zip(due, made, strict=True):
            desk.states[place] = state


def _learning(desk: Desk, place: int) -> Any:
    method, state = _methods(desk.learner)[place], desk.states[place]
    return method.update(desk.user, state, None) if state else method.enroll(desk.user, None)


def planned(desks: Sequence[Desk], asked: Sequence[Text], lm: LM) -> list[Plan]:
    """Give the plan of every desk's next draft, all desks in one batch."""
    plans = []
    for text in asked:
        plan = Plan.ask(text.prompt, sampling=Sampling(max_tokens=TOKENS))
        plans.append(replace(plan, generic=plan.main))
    for place in range(_deepest(desks)):
        steps = [_applied(*each, place) for each in zip(desks, plans, asked, strict=True)]
        plans = finish_all(steps, lm)
    return [replace(plan, generic=None) for plan in plans]


def _applied(desk: Desk, plan: Plan, text: Text, place: int) -> Any:
    if desk.learner == ORACLE:
        return plan.with_question(f"{text.prompt}\n\n{sentences(desk.editor.said(text.kind))}")
    methods = _methods(desk.learner)
    if place >= len(methods):
        return plan
    return methods[place].apply(plan, desk.user, desk.states[place])


def _deepest(desks: Sequence[Desk]) -> int:
    """Give how many rounds of methods there are; those of the wishes told take one."""
    return max(1, *(len(_methods(desk.learner)) for desk in desks))


def _methods(learner: str) -> tuple[Method, ...]:
    return () if learner == ORACLE else parse(learner)


def work(desks: Sequence[Desk], asked: Mapping[int, Sequence[Text]], lm: LM) -> Iterator[int]:
    """Let everybody work through their texts, one each at a time.

    Args:
        desks: Everybody.
        asked: The texts by the editor's number.
        lm: The model that drafts.

    Yields:
        How many texts of each are done.
    """
    for number in range(min(map(len, asked.values()))):
        now = [asked[desk.editor.number][number] for desk in desks]
        learn(desks, lm)
        replies = lm.generate(planned(desks, now, lm))
        for desk, text, reply in zip(desks, now, replies, strict=True):
            record = desk.editor.record(number, text.kind, text.prompt, reply.text)
            desk.costs.append(edit_distance(reply.text, desk.editor.edit(text.kind, reply.text)))
            desk.lengths.append(len(reply.text.split()))
            desk.records += [record] if record else []
        yield number + 1


def hired(count: int, strange: int) -> list[Editor]:
    """Give the editors, strange ones last."""
    kinds = [*KINDS]
    return [
        *editors(count, kinds, _SEED),
        *editors(strange, kinds, _SEED, strange=True, first=count),
    ]


def opened(every: Sequence[Editor]) -> list[Desk]:
    """Give all desks, with nothing known."""
    return [
        Desk(editor, learner, [], [None] * len(_methods(learner)), [], [])
        for learner in LEARNERS
        for editor in every
    ]


def summed(desks: Sequence[Desk]) -> list[dict[str, Any]]:
    """Sum up each learner: costs over editors, and how they differ from learning nothing."""
    costs = {
        name: np.array([desk.costs for desk in desks if desk.learner == name]) for name in LEARNERS
    }  # (editors, texts)
    whole = {name: found.sum(axis=1) for name, found in costs.items()}
    over, over_shown = (_fewer(whole, name) for name in ("generic", SHOWN))
    rows = []
    for name, found in costs.items():
        curve = [estimate(column) for column in np.cumsum(found, axis=1).T.tolist()]
        late = found[:, found.shape[1] // 2 :].mean(axis=1)
        words = [np.mean(desk.lengths) for desk in desks if desk.learner == name]
        share = np.array([1 - a / b for a, b in zip(whole[name], whole["generic"], strict=True)])
        rows.append(
            {
                "learner": name,
                "what": LEARNERS[name],
                "total": curve[-1].rounded(4),
                "late": estimate(late.tolist()).rounded(4),
                "words": round(float(np.mean(words)), 1),
                "untouched": round(float((found == 0).mean()), 4),
                "saved": estimate(share.tolist()).rounded(4),
                "gain": asdict(over[name]) if name in over else None,
                "over_shown": asdict(over_shown[name]) if name in over_shown else None,
                "curve": [[round(one.mean, 2), round(one.error, 2)] for one in curve],
            }
        )
    return rows


def _fewer(whole: Mapping[str, NDArray[np.float64]], than: str) -> dict[str, Comparison]:
    """Say how many words fewer each learner leaves to edit, editor by editor."""
    others = [name for name in LEARNERS if name not in ("generic", than)]
    found = holm([compare(whole[than].tolist(), whole[n].tolist()) for n in others])
    return dict(zip(others, found, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two editors; nothing is kept")
    parser.add_argument("--backend", default=None, help="what runs the model, such as http")
    parser.add_argument("--model", default=None, help="which model drafts")
    parser.add_argument("--save", type=Path, default=None, help="where the numbers go")
    parser.add_argument("--show", action="store_true", help="say what was drafted and learned")
    options = parser.parse_args()
    settings = load(None, backend=options.backend, model=options.model)
    lm = open_lm(settings, lambda text: sys.stderr.write(f"{text}\n"))
    count, strange, number = (2, 1, 6) if options.quick else (EDITORS, STRANGE, TEXTS)
    every, found = hired(count, strange), sources()
    desks = opened(every)
    asked = {editor.number: texts(editor, number, found) for editor in every}
    began = monotonic()
    with waiting() as told:
        for done in work(desks, asked, lm):
            told(f"{done} of {number} texts", done / number)
    kept = {
        "command": "python runs/editors.py",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "minutes": round((monotonic() - began) / 60, 1),
        "commit": commit(),
        "hardware": hardware(),
        "versions": versions(),
        "model": lm.base,
        "embedder": lm.embedder,
        "texts": number,
        "tokens": TOKENS,
        "groups": {
            "counted": summed([desk for desk in desks if desk.editor.number < count]),
            "strange": summed([desk for desk in desks if desk.editor.number >= count]),
        },
    }
    for name, rows in kept["groups"].items():
        sys.stdout.write("\n".join([f"\n{GROUPS[name]}:", *table(rows), ""]))
    if options.show:
        _show(desks)
    path = options.save or (None if options.quick or settings.backend != "local" else RESULTS)
    if path:
        path.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")
        sys.stderr.write(f"Wrote {path}. Next: make docs\n")


def _show(desks: Sequence[Desk]) -> None:
    """Say of the first editor what was wished, and what every learner made of the last text."""
    for desk in desks:
        if desk.editor.id == owner("editor", 0):
            wished = {kind: desk.editor.said(kind) for kind in KINDS}
            phrases = [state.facts.get("phrases") for state in desk.states if state]
            last = desk.records[-1] if desk.records else None
            sys.stdout.write(
                f"\n## {desk.learner} {wished}\ncosts {desk.costs}\nphrases {phrases}\n"
                f"draft: {last.rejected if last else ''}\nedited: {last.output if last else ''}\n"
            )


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give a table's lines: learners and what they left to edit."""
    return [
        "| learner | what it does | words edited | saved, of generic's | fewer than generic | "
        "fewer than with past edits shown | a text, second half | left alone | words a draft |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| `{row['learner']}` | {row['what']} "
            f"| {row['total']['mean']:.0f} ± {row['total']['error']:.0f} "
            f"| {100 * row['saved']['mean']:+.0f}% ± {100 * row['saved']['error']:.0f} "
            f"| {_gain(row['gain'])} | {_gain(row.get('over_shown'))} "
            f"| {row['late']['mean']:.1f} ± {row['late']['error']:.1f} "
            f"| {100 * row['untouched']:.0f}% | {row['words']:.0f} |"
            for row in rows
        ),
    ]


def _gain(value: Mapping[str, float] | None) -> str:
    if not value:
        return ""
    star = "*" if value["adjusted"] < CERTAIN else ""
    return f"{value['mean']:+.0f} [{value['low']:+.0f}, {value['high']:+.0f}]{star}"


if __name__ == "__main__":
    main()
