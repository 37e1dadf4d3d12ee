"""`longmemeval`: is the answer right, by the rule of its question's type (2410.10813)?

An item's group is its question's type, or `abstention` where the question has no answer.
"""

from __future__ import annotations

from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import ask, fenced, yes_no
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.methods.base import Steps

__all__ = ["LONGMEMEVAL"]

_RIGHT = """\
Compare the answer with the gold answer. It is right if it holds what the gold answer says, in
whatever words, or every step that leads there. It is not right if it holds only a part of that."""

_RULES = {
    "temporal-reasoning": _RIGHT
    + """
A count of days, weeks or months that is off by one is still right.""",
    "knowledge-update": _RIGHT
    + """
What used to be true may stand beside what is true now, as long as the answer that was asked for
is the up-to-date one.""",
    "single-session-preference": """\
The gold text describes what a personal answer would take into account. The answer is right if it
recalls what it says of the user and makes proper use of it. It need not cover every point.""",
    "abstention": """\
The question cannot be answered from what is known; the gold text says why. The answer is right if
it recognizes this: it says that it does not know, that something was never mentioned, or that
what is known is about something else.""",
}


def _judge(answer: Answer) -> Steps[Judged]:
    prompt = "\n\n".join(
        [
            _RULES.get(answer.group, _RIGHT),
            fenced("question", answer.question),
            fenced("gold", answer.target),
            fenced("answer", answer.output),
            "Is the answer right? Reply with one word: yes or no.",
        ]
    )
    verdict = yield from ask("correct", prompt, yes_no)
    scores = {} if verdict.value is None else {"correct": float(verdict.value)}
    return Judged((verdict,), scores)


LONGMEMEVAL = Rubric(
    name="longmemeval",
    score="correct",
    levels={"correct": "nominal"},
    judge=_judge,
    target=True,
)
