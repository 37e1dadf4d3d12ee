"""`pairwise`: is the personal answer better than the generic one, whichever is read first?

Judges favor a place: the first answer they read, or the last. So each pair is read in both orders,
and an answer wins only if it wins in both; all else is a tie, worth a half. How often the place
won, and not the answer, is told beside: `first_both` and `second_both`.
"""

from __future__ import annotations

from collections.abc import Callable

from ipse.evaluation.grid import GENERIC
from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import Verdict, ask, fenced, number
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.methods.base import Steps

__all__ = ["PAIRWISE"]

_PERSONAL = "Two answers to one person's question are to be compared. What is known of this person:"
_PLAIN = "Two answers to a question are to be compared."
_LIKE = """\
Which answer is nearer to this person: to what they wrote or want, in content and in tone? How long
an answer is does not matter, and neither does which comes first."""
_BETTER = """\
Which answer serves the person who asked better? How long an answer is does not matter, and neither
does which comes first."""
_REPLY = "Reply with one number: 1 or 2."


def _judge(answer: Answer) -> Steps[Judged]:
    assert answer.generic is not None
    if answer.output == answer.generic:
        return Judged((Verdict("identical", "", "", True),), {"win": 0.5})
    method, generic = answer.output, answer.generic
    ahead = yield from ask("method first", _prompt(answer, method, generic), _won_by(1))
    behind = yield from ask("generic first", _prompt(answer, generic, method), _won_by(2))
    return Judged((ahead, behind), _scores(ahead.value, behind.value))


def _scores(ahead: bool | None, behind: bool | None) -> dict[str, float]:
    """Score a pair by whether the method won where it was read first, and where it was second."""
    if ahead is None or behind is None:
        return {}
    return {
        "win": (ahead + behind) / 2,
        "first_both": float(ahead and not behind),
        "second_both": float(behind and not ahead),
    }


def _won_by(place: int) -> Callable[[str], bool | None]:
    def read(reply: str) -> bool | None:
        winner = number(reply, 1, 2)
        return None if winner is None else winner == place

    return read


def _prompt(answer: Answer, first: str, second: str) -> str:
    known = []
    if preference := answer.meta.get("preference"):
        known.append(fenced("preference", str(preference)))
    if answer.target:
        known.append(fenced("written by this person", answer.target))
    parts = [_PERSONAL, *known] if known else [_PLAIN]
    return "\n\n".join(
        [
            *parts,
            fenced("question", answer.question),
            fenced("answer 1", first),
            fenced("answer 2", second),
            f"{_LIKE if known else _BETTER}\n{_REPLY}",
        ]
    )


PAIRWISE = Rubric(
    name="pairwise",
    score="win",
    levels={"method first": "nominal", "generic first": "nominal"},
    judge=_judge,
    generic=True,
    applies=lambda answer: answer.method != GENERIC,
)
