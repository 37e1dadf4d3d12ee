"""What `docs/route.md` shows of what `runs/route.py` measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runs.results_pages import drawn, estimated

from ipse.queries import KINDS

__all__ = ["route_results"]


def route_results(found: Mapping[str, Any]) -> str:
    """Write both tables: how questions are taken, and whether choosing pays."""
    rows = [
        [name, f"{one['questions']:,}", *(f"{100 * one[kind]:.0f}%" for kind in KINDS)]
        for name, one in found["questions"].items()
    ]
    told = [*drawn(("questions", "how many", *KINDS), rows)]
    if "answers" in found:
        told += ["", *_answers(found["answers"])]
    where = f"`{found['command']}`, {found['date']}, commit {found['commit']}, {found['hardware']}."
    return "\n".join([*told, "", where])


def _answers(one: Mapping[str, Any]) -> list[str]:
    tasks = list(one["by task"])
    rows = [
        [
            f"`{name}`",
            estimated(value),
            *(f"{one['by task'][task][name]:.3f}" for task in tasks),
            *(f"{one['chosen'][task].get(name, 0)}" if name != "route" else "" for task in tasks),
        ]
        for name, value in one["nats"].items()
    ]
    gain = one["gain over best single"]
    titles = (
        "composition", "nats a token (lower is better)", *tasks,
        *(f"questions of {task} it is chosen for" for task in tasks),
    )  # fmt: skip
    return [
        *drawn(titles, rows),
        "",
        f"`route` over the best single composition, `{one['best single']}`: {gain['mean']:+.3f} "
        f"[{gain['low']:+.3f}, {gain['high']:+.3f}] nats a token, {gain['people']} people: "
        + ("choosing pays." if gain["low"] > 0 else "here, choosing does not pay."),
    ]
