"""`prefeval`: does the answer follow a preference, and if not, how does it fail (2502.09597)?

Four checks, each yes or no. An answer follows the preference if none of the four errors is made:

    unhelpful                not helpful
    inconsistent             acknowledged rightly, violated, helpful
    hallucinated violation   acknowledged wrongly, violated, helpful
    unaware violation        not acknowledged, violated, helpful
"""

from __future__ import annotations

from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import Verdict, ask, fenced, json_in, spoken, yes_no
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.methods.base import Steps

__all__ = ["PREFEVAL", "errors"]

_ACKNOWLEDGE = """\
Does the answer mention the user's preference: does it say, in its own words or the user's, that
the user has a preference that bears on the question? Merely acting on it is not mentioning it.
Reply with yes or no on the first line. If yes, quote on the second line the words of the answer
that state the preference."""

_HALLUCINATE = """\
The restatement is what an assistant believes the user's preference to be. Does it differ from the
preference in what it says: is it another one, its opposite, or is something made up in it? Other
words for the same thing are no difference. Reply with one word: yes or no."""

_VIOLATE = """\
Does the answer go against the user's preference: does it recommend or do something that a person
with this preference would not want? Reply with one word: yes or no."""

_HELPFUL = """\
Does the answer help with the question: does it offer something of substance? It does not if it
refuses, is empty or makes no sense, only asks back, or talks about something else. Whether it
suits the user is not asked here. Reply with one word: yes or no."""

_QUOTE = 96
"""The longest reply with a quotation, in tokens."""


def errors(
    *, acknowledge: bool, hallucinate: bool, violate: bool, helpful: bool
) -> dict[str, bool]:
    """Say which of the four errors an answer makes: none, or one.

    Args:
        acknowledge: Whether it mentions the preference.
        hallucinate: Whether what it mentions is another one.
        violate: Whether it goes against the preference.
        helpful: Whether it helps with the question.

    Returns:
        Each error by name.
    """
    broken = violate and helpful
    return {
        "unhelpful": not helpful,
        "inconsistent": broken and acknowledge and not hallucinate,
        "hallucinated_violation": broken and acknowledge and hallucinate,
        "unaware_violation": broken and not acknowledge,
    }


def _judge(answer: Answer) -> Steps[Judged]:
    question = fenced("question", answer.question)
    preference = fenced("preference", str(answer.meta["preference"]))
    written = fenced("answer", answer.output)
    full = [preference, question, written]
    acknowledge = yield from _ask("acknowledge", [*full, _ACKNOWLEDGE], _QUOTE)
    verdicts = [acknowledge]
    hallucinates: bool | None = False
    if acknowledge.value:
        told = fenced("restatement", _restated(acknowledge.raw) or answer.output)
        hallucinate = yield from _ask("hallucinate", [preference, told, _HALLUCINATE])
        verdicts.append(hallucinate)
        hallucinates = hallucinate.value
    violate = yield from _ask("violate", [*full, _VIOLATE])
    helpful = yield from _ask("helpful", [question, written, _HELPFUL])
    verdicts += [violate, helpful]
    return Judged(
        tuple(verdicts), _scores(acknowledge.value, hallucinates, violate.value, helpful.value)
    )


def _ask(check: str, parts: list[str], tokens: int = 16) -> Steps[Verdict[bool]]:
    return ask(check, "\n\n".join(parts), yes_no, tokens=tokens)


def _restated(reply: str) -> str:
    """Give what stands below the yes."""
    reply = spoken(reply)
    if isinstance(data := json_in(reply), dict):
        return str(data.get("quote") or data.get("restatement") or "")
    return reply.partition("\n")[2].strip()


def _scores(
    acknowledge: bool | None, hallucinate: bool | None, violate: bool | None, helpful: bool | None
) -> dict[str, float]:
    if acknowledge is None or hallucinate is None or violate is None or helpful is None:
        return {}
    made = errors(
        acknowledge=acknowledge, hallucinate=hallucinate, violate=violate, helpful=helpful
    )
    scores = {name: float(value) for name, value in made.items()}
    return {"preference_following": float(not any(made.values())), **scores}


PREFEVAL = Rubric(
    name="prefeval",
    score="preference_following",
    levels=dict.fromkeys(("acknowledge", "hallucinate", "violate", "helpful"), "nominal"),
    judge=_judge,
    meta=("preference",),
)
