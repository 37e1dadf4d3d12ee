"""The page, the card and the plot of what `runs/editors.py` measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runs.editors import CERTAIN, GROUPS, ORACLE, RESULTS, table

from ipse.evaluation.curves import bands

__all__ = ["page", "plot", "summary"]


_MEANING = """\
NOBODY HERE IS A PERSON. Each editor edits drafts by two hidden wishes for each of three kinds of
text (people's arguments, presidents' speeches, The Federalist), other ones in each: one of *no
hedging*, *second person*, *exclamation marks*, and one of *short*, *bullet points*; or, where
nothing here counts them, two of *In short, at the beginning*, *a question at the end*, *small
letters*. A wish is a deterministic function of the text, so a draft that is as wished costs
nothing. The cost of a text is the edit distance in words (Levenshtein); learners see the edits so
far, and never the wishes.

- *±*: the standard error over editors. In brackets: the 95% bootstrap interval of the difference to
  learning nothing, editor by editor; a star: p < 0.05 (permutation test over editors, Holm).
- *left alone*: the share of drafts that nothing was edited of."""


def page(found: Mapping[str, Any]) -> str:
    """Write the page of the editors."""
    lines = [
        "# Edits that were left to make: simulated editors",
        "",
        f"- command: `{found['command']}`",
        f"- date: {found['date']}; it took {found['minutes']:.0f} minutes; commit "
        f"{found['commit']}",
        f"- hardware: {found['hardware']}, model {found['model']}, embedder {found['embedder']}",
        f"- {found['texts']} texts an editor, drafts of at most {found['tokens']} tokens",
        "",
        _MEANING,
    ]
    for name, rows in found["groups"].items():
        people = rows[0]["total"]["people"]
        lines += [
            "",
            f"## {GROUPS[name]}",
            "",
            f"{people} editors. {_verdict(rows)}",
            "",
            *(
                [f"![Cumulative edit distance by learner]({RESULTS.stem}.svg)", ""]
                * (name == "counted")
            ),
            *table(rows),
        ]
    lines += [""]
    return "\n".join(lines)


def summary(found: Mapping[str, Any]) -> str:
    """Write what the card says of it, in one paragraph."""
    told = [
        f"{GROUPS[name]}, saved of what is edited where nothing is learned: "
        + ", ".join(f"`{row['learner']}` {_percent(row['saved'])}" for row in rows[1:])
        + "."
        for name, rows in found["groups"].items()
    ]
    where = f"`{found['command']}`, {found['date']}: [all of it](../results/editors.md)."
    return " ".join([*told, where])


def plot(found: Mapping[str, Any]) -> str:
    """Draw the cumulative costs, with bands of a standard error on either side."""
    drawn = {
        row["learner"]: [(mean, mean - error, mean + error) for mean, error in row["curve"]]
        for row in found["groups"]["counted"]
    }
    return bands(drawn, "texts", "words edited so far")


def _verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which learners beat learning nothing and past edits that are shown, and by how much."""
    return " ".join(
        f"{_better(rows, over)} clearly less to edit than {than}."
        for over, than in (
            ("gain", "learning nothing"),
            ("over_shown", "past edits that are shown"),
        )
        if any(row.get(over) for row in rows)
    )


def _better(rows: Sequence[Mapping[str, Any]], over: str) -> str:
    found = [
        f"`{row['learner']}` ({_percent(row['saved'])})"
        for row in rows
        if row.get(over)
        and row[over]["adjusted"] < CERTAIN
        and row[over]["mean"] > 0
        and row["learner"] != ORACLE
    ]
    return (
        f"{', '.join(found)} {'leave' if len(found) > 1 else 'leaves'}" if found else "None leaves"
    )


def _percent(share: Mapping[str, float]) -> str:
    return f"{100 * share['mean']:.0f}% ± {100 * share['error']:.0f}"
