"""`lamp-qa`: how well does the answer serve each thing this person wanted (LaMP-QA, 2506.00137)?

    meta["aspects"]  [{"aspect": "cost", "reason": "I am a student", "evidence": "…"}, …]

Each aspect is given 0, 1 or 2; the score is their mean, halved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipse.errors import InvalidFile
from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import Verdict, ask, fenced, number
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.methods.base import Steps

__all__ = ["LAMP_QA"]

_TASK = """\
Someone asked a question, and wanted one thing in particular to be dealt with: the aspect, with
their reason for it. Say how well the answer deals with it."""

_SCALE = """\
0: the answer does not deal with the aspect.
1: the answer deals with it in part, or in general terms.
2: the answer deals with it fully and to the point.
Reply with one number: 0, 1 or 2."""

_MOST = 2


def _judge(answer: Answer) -> Steps[Judged]:
    aspects = answer.meta["aspects"]
    if not isinstance(aspects, list) or not all(map(_whole, aspects)):
        raise InvalidFile(
            f"the aspects of the item {answer.item!r} of {answer.task!r} must be a list of "
            f'{{"aspect": TEXT, "reason": TEXT}}; got {str(aspects)[:80]!r}'
        )
    verdicts: list[Verdict[int]] = []
    for place, aspect in enumerate(aspects, 1):
        prompt = _prompt(answer, aspect)
        about = f"{place}. {aspect['aspect']}"
        verdicts.append((yield from ask("aspect", prompt, _read, about=about)))
    values = [verdict.value for verdict in verdicts if verdict.value is not None]
    if len(values) < len(verdicts):
        return Judged(tuple(verdicts))
    return Judged(tuple(verdicts), {"aspects": sum(values) / (_MOST * len(values))})


def _whole(aspect: Any) -> bool:
    return isinstance(aspect, dict) and isinstance(aspect.get("aspect"), str)


def _prompt(answer: Answer, aspect: Mapping[str, Any]) -> str:
    parts = [_TASK, fenced("question", answer.question), fenced("aspect", aspect["aspect"])]
    for name in ("reason", "evidence"):
        if told := aspect.get(name):
            lines = told if isinstance(told, list) else [told]
            parts.append(fenced(name, "\n".join(map(str, lines))))
    return "\n\n".join([*parts, fenced("answer", answer.output), _SCALE])


def _read(reply: str) -> int | None:
    return number(reply, 0, _MOST)


LAMP_QA = Rubric(
    name="lamp-qa",
    score="aspects",
    levels={"aspect": "ordinal"},
    judge=_judge,
    meta=("aspects",),
)
