"""Preferences as data sets keep them: chosen and rejected answers, or ratings, one JSON a line.

    {"prompt": "A title?", "chosen": "Tea", "rejected": "On the drinking of tea", "user": "ada"}
    {"prompt": [{"role": "user", "content": "A title?"}], "chosen": [{"role": "assistant", …}], …}
    {"prompt": "A title?", "response": "Tea", "rating": 4, "user": "ada"}

The forms are TRL's: texts or lists of messages; without a prompt, conversations that are the same
but for the last answer; one answer with a `label`, true or false. `tie: true` says that neither was
preferred.
`time` may be left out: then a line's place stands for it. `user` or `user_id` says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from ipse.errors import InvalidRecord
from ipse.importers.base import Problem, made, moment, nth, objects
from ipse.records import Record

__all__ = ["read"]

_ANSWERS = ("response", "completion", "reply", "answer")
_RATINGS = ("rating", "score", "label", "thumb")
_SCORES = ("score_chosen", "score_rejected")
_ASKED, _REPLIED = "\n\nHuman:", "\n\nAssistant:"
"""How conversations in one text, such as HH-RLHF's, are told apart."""

Turns = list[tuple[str, str]]
"""Who said what."""


def read(path: Path, *, user: str | None = None) -> Iterator[Record | Problem]:
    """Read preferences and ratings, one JSON object a line.

    Args:
        path: The file, plain or gzip.
        user: Whose the lines are that name nobody.

    Yields:
        Records, and a problem for every malformed line.
    """
    for entry in objects(path):
        if isinstance(entry, Problem):
            yield entry
            continue
        number, row = entry
        try:
            fields = _pair(row) if "chosen" in row or "rejected" in row else _rating(row)
            time = nth(number) if row.get("time") is None else moment(row["time"])
        except InvalidRecord as error:
            yield Problem(str(path), number, str(error))
            continue
        who = next((row[name] for name in ("user", "user_id") if row.get(name)), user)
        yield made(path, number, {"user": who, "time": time, "source": "preferences", **fields})


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    before, chosen = _taken_apart(row, "chosen")
    also_before, rejected = _taken_apart(row, "rejected")
    if before != also_before:
        raise InvalidRecord("'chosen' and 'rejected' answer different conversations")
    prompt = _prompt(row, before)
    if chosen.strip() == rejected.strip():
        raise InvalidRecord(f"chosen and rejected are the same: {chosen[:80]!r}")
    tie = row.get("tie", False)
    if not isinstance(tie, bool):
        raise InvalidRecord(f"'tie' is true or false; got {tie!r}")
    meta: dict[str, Any] = {name: _number(name, row[name]) for name in _SCORES if name in row}
    meta |= {"tie": True} if tie else {}
    return {
        "kind": "preference",
        "input": prompt,
        "output": chosen,
        "rejected": rejected,
        "meta": meta,
    }


def _rating(row: Mapping[str, Any]) -> dict[str, Any]:
    answer = next((name for name in _ANSWERS if name in row), None)
    rating = next((name for name in _RATINGS if name in row), None)
    if answer is None or rating is None:
        raise InvalidRecord(
            "a line has 'chosen' and 'rejected', or an answer ("
            f"{', '.join(_ANSWERS)}) and what was thought of it ({', '.join(_RATINGS)})"
        )
    before, reply = _taken_apart(row, answer)
    value = row[rating]
    if isinstance(value, bool):
        value = "up" if value else "down"
    how = "thumb" if value in ("up", "down") else "rating"
    output = value if how == "thumb" else f"{_number(rating, value):g}"
    meta = {"how": how, "reply": reply}
    return {"kind": "interaction", "input": _prompt(row, before), "output": output, "meta": meta}


def _number(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise InvalidRecord(f"{name!r} must be a finite number; got {value!r}")
    return float(value)


def _prompt(row: Mapping[str, Any], before: Turns) -> str:
    """Give what was answered: what stands before the answer itself, or the line's prompt."""
    given = row.get("prompt")
    if not before and given is None:
        raise InvalidRecord("a line needs 'prompt': what was answered; \"\" is nothing")
    if before or not isinstance(given, str):
        return _written(before or _turns("prompt", given))
    return given


def _taken_apart(row: Mapping[str, Any], name: str) -> tuple[Turns, str]:
    """Give what stands before an answer in its field, and the answer."""
    value = row.get(name)
    if isinstance(value, str):
        if row.get("prompt") is None and _REPLIED in value:
            head, _, answer = value.rpartition(_REPLIED)
            return _said(head), answer.strip()
        return [], value
    turns = _turns(name, value)
    if turns[-1][0] != "assistant":
        raise InvalidRecord(f"{name!r} must end with what the assistant said; got {turns[-1]!r}")
    return turns[:-1], turns[-1][1]


def _said(text: str) -> Turns:
    """Take a conversation in one text apart."""
    turns: Turns = []
    for part in text.split(_ASKED)[1:]:
        asked, *replied = part.split(_REPLIED)
        turns += [("user", asked.strip()), *(("assistant", each.strip()) for each in replied)]
    return turns or [("user", text.strip())]


def _turns(name: str, value: object) -> Turns:
    messages = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    turns = [
        (each["role"], each["content"])
        for each in messages
        if isinstance(each, Mapping)
        and isinstance(each.get("role"), str)
        and isinstance(each.get("content"), str)
    ]
    if not turns or len(turns) != len(messages):
        got = repr(value)[:80]
        raise InvalidRecord(
            f"{name!r} is a text, or a list of messages with 'role' and 'content'; got {got}"
        )
    return turns


def _written(turns: Turns) -> str:
    """Give one turn as it is, and several with who said each."""
    if len(turns) == 1:
        return turns[0][1]
    return "\n".join(f"{role}: {content}" for role, content in turns)
