"""`locomo`: is the answer right, judged generously against the gold (mem0's J, 2504.19413)?

Adversarial questions, which have no answer, are left out, as everybody who reports J does.
"""

from __future__ import annotations

from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import ask, fenced, one_of
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.methods.base import Steps

__all__ = ["LOCOMO"]

_TASK = """\
Someone was asked about conversations of the past. Compare the answer with the gold answer.
It is correct if it says what the gold answer says, even if it is longer or worded differently.
A date is correct in whatever form it is written, also relative to another, if it is the same
day or span of time. It is wrong if it says something else, or does not say it at all."""


def _judge(answer: Answer) -> Steps[Judged]:
    prompt = "\n\n".join(
        [
            _TASK,
            fenced("question", answer.question),
            fenced("gold", answer.target),
            fenced("answer", answer.output),
            "Is the answer correct or wrong? Reply with one word: CORRECT or WRONG.",
        ]
    )
    verdict = yield from ask("correct", prompt, lambda reply: one_of(reply, "correct", "wrong"))
    scores = {} if verdict.value is None else {"correct": float(verdict.value)}
    return Judged((verdict,), scores)


def _answerable(answer: Answer) -> bool:
    return answer.group != "adversarial" and answer.meta.get("category") != 5


LOCOMO = Rubric(
    name="locomo",
    score="correct",
    levels={"correct": "nominal"},
    judge=_judge,
    target=True,
    applies=_answerable,
)
