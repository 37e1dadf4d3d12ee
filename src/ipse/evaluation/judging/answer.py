"""What is judged: one written answer, as the results of a run tell it.

Knows the fields of a result's line; neither files, nor rubrics, nor models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipse.errors import InvalidFile
from ipse.evaluation.grid import GENERIC

__all__ = ["KEY", "Answer", "answers"]

KEY = ("task", "model", "method", "whose", "person", "item")
"""The fields that name an answer."""


@dataclass(frozen=True)
class Answer:
    """One written answer, and what a judge may be told about it.

    Attributes:
        task: The task.
        model: The model that wrote.
        method: The composition it was personalized by.
        whose: Whose records that was given, `own` or `other`.
        person: Who asked.
        item: What was asked, by its id.
        output: What the model wrote.
        question: What was asked, in words.
        target: The gold answer, or "".
        group: The item's group, such as a question type.
        rubric: The task's own rubric, or "".
        meta: What the task says besides.
        generic: What the generic model wrote to the same item; None where it was not run.
    """

    task: str
    model: str
    method: str
    whose: str
    person: str
    item: str
    output: str
    question: str
    target: str = ""
    group: str = ""
    rubric: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    generic: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What names it, in the order of `KEY`."""
        return (self.task, self.model, self.method, self.whose, self.person, self.item)


def answers(lines: Iterable[Mapping[str, Any]]) -> list[Answer]:
    """Pick the written answers out of the lines of a result.

    Prompts, which make up most of a result, are not kept.

    Args:
        lines: The lines; those that are no written answer are passed over.

    Returns:
        The answers in the order of the lines, each with the generic model's.

    Raises:
        InvalidFile: If a line lacks what names its answer, or two lines name the same one.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    generic: dict[tuple[str, ...], str] = {}
    for line in lines:
        if line.get("type") != "item" or line.get("measure") != "write":
            continue
        fields = _fields(line)
        key = tuple(fields[name] for name in KEY)
        if key in found:
            raise InvalidFile(f"two written answers are named {dict(zip(KEY, key, strict=True))}")
        found[key] = fields
        if fields["method"] == GENERIC:
            generic[_asked(fields)] = fields["output"]
    return [Answer(**each, generic=generic.get(_asked(each))) for each in found.values()]


def _asked(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(fields[name] for name in ("task", "model", "person", "item"))


def _fields(line: Mapping[str, Any]) -> dict[str, Any]:
    needed = (*KEY, "output", "question")
    for name in needed:
        if not isinstance(line.get(name), str):
            where = {key: line.get(key) for key in KEY}
            raise InvalidFile(f"a written answer needs {name!r} as a text; got {where}")
    return {
        **{name: line[name] for name in needed},
        "target": line.get("target") or "",
        "group": line.get("group") or "",
        "rubric": line.get("judge") or "",
        "meta": line.get("meta") or {},
    }
