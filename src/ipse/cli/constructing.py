"""`ipse construct`: preference data that nobody gave, as a file that `ipse import jsonl` reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ipse.cli.call import Call, Seed, command
from ipse.cli.output import ERR, counted
from ipse.cli.waiting import waiting
from ipse.construct import MARK, Personas, Recall, Values, choices, simulated, standardized
from ipse.errors import InvalidFile, UsageError, unknown
from ipse.importers.base import Problem, objects
from ipse.meter import Meter
from ipse.methods import finish_all
from ipse.methods.base import Steps
from ipse.records import DEFAULT_USES, USES, Record
from ipse.rewards import ATTRIBUTES
from ipse.settings import open_lm

__all__ = ["MADE", "construct"]

MADE = {
    "personas": "conversations of made-up people, chosen and rejected at every turn (ALOE)",
    "recall": "questions and answers of the conversations in the store (PLUM)",
    "simulated": "choices of mixtures of rewards among answers in a file (PersonalLLM)",
    "values": "answers under system messages made of values (Janus)",
}
"""What can be constructed."""

_NEEDED = {
    "simulated": 'one JSON object a line: {"prompt": "...", "answers": ["...", "..."]}',
    "values": 'one JSON object a line: {"prompt": "..."}',
}


@command
def construct(
    call: Call,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(MADE)}.")],
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="values, simulated: the prompts, as JSON lines.")
    ] = None,
    people: Annotated[int, typer.Option(min=1, help="How many people who are none.")] = 4,
    turns: Annotated[int, typer.Option(min=1, help="personas: of each conversation.")] = 3,
    alpha: Annotated[float, typer.Option(help="simulated: low is one reward each.")] = 0.05,
    rewards: Annotated[str, typer.Option(help="simulated: by commas; empty is all.")] = "",
    share: Annotated[
        bool, typer.Option("--share", help="simulated: let everyone be taught by them.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Make up preference data; every record says so, and none is a real person's."""
    if kind not in MADE:
        raise unknown("kind of construction", kind, MADE)
    if out.exists():
        raise UsageError(f"{out} is there already. Name another file with --out")
    rows = _rows(kind, source)
    if kind == "simulated":
        uses = USES if share else tuple(sorted(DEFAULT_USES))
        made = _chosen(rows, people, [*filter(None, rewards.split(","))], alpha, seed, uses)
    else:
        made = _asked(call, kind, rows, people, turns, seed)
    text = "".join(json.dumps(each.to_json(), ensure_ascii=False) + "\n" for each in made)
    out.write_text(text, "utf-8")
    users = Counter(record.user for record in made)
    data = {"kind": kind, "file": str(out), "records": len(made), "users": users}
    told = f"{counted(len(made), 'record')} of {len(users):,} people who are none: {out}"
    call.answer(data, f"{told}\nNext: ipse import jsonl {out}")


def _rows(kind: str, source: Path | None) -> list[dict[str, Any]]:
    """Read the prompts, where they are needed."""
    if kind not in _NEEDED:
        if source is not None:
            raise UsageError(f"{kind} reads no file; got --from {source}")
        return []
    if source is None:
        raise UsageError(f"{kind} needs prompts: --from FILE, {_NEEDED[kind]}")
    rows = []
    for entry in objects(source):
        if isinstance(entry, Problem):
            raise InvalidFile(str(entry))
        number, row = entry
        answers = row.get("answers")
        good = isinstance(row.get("prompt"), str) and row["prompt"].strip()
        if kind == "simulated":
            listed = isinstance(answers, list) and len(answers) > 1
            good = good and listed and all(isinstance(answer, str) for answer in answers or ())
        if not good:
            raise InvalidFile(f"{source}:{number}: {kind} needs {_NEEDED[kind]}")
        rows.append(row)
    if not rows:
        raise InvalidFile(f"{source} holds no prompts. {kind} needs {_NEEDED[kind]}")
    return rows


def _chosen(
    rows: Sequence[dict[str, Any]], people: int, names: Sequence[str], alpha: float, seed: int,
    uses: Sequence[Any],
) -> list[Record]:  # fmt: skip
    for name in names:
        if name not in ATTRIBUTES:
            raise unknown("reward", name, ATTRIBUTES)
    weighed = {name: ATTRIBUTES[name] for name in names or ATTRIBUTES}
    prompts, answers = [row["prompt"] for row in rows], [row["answers"] for row in rows]
    scores = standardized(weighed, prompts, answers)
    drawn = simulated(people, [*weighed], alpha, seed)
    return [r for one in drawn for r in choices(one, prompts, answers, scores, uses=uses)]


def _asked(
    call: Call, kind: str, rows: Sequence[dict[str, Any]], people: int, turns: int, seed: int
) -> list[Record]:
    """Let the model write what has to be written."""
    lm = open_lm(call.settings, ERR.print)
    prompts = [row["prompt"] for row in rows]
    if kind == "recall":
        with call.store() as store:
            names = [name for name in store.everybody() if not name.startswith(f"{MARK}-")]
            users = [store.user(name) for name in names]
        steps = Recall(seed=seed).make(users, lm.base)
    elif kind == "values":
        steps = Values(people, seed=seed).make(prompts, lm.base)
    else:
        steps = Personas(people, turns, seed=seed).make(lm.base)
    tasks: list[list[Record] | Steps[list[Record]]] = [steps]
    with waiting() as told:
        meter = Meter(f"making {kind}", 1, told)
        meter.begin(1)
        (made,) = finish_all(tasks, lm, meter)
        meter.begin(0)
    return made
