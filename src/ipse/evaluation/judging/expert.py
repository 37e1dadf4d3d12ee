"""`expert`: aspects of the answer against aspects of what the person wrote (ExPerT, 2501.14956).

1. The judge lists the aspects of either text, each with evidence.
2. Each aspect is matched to one of the other list, or to none.
3. Matched pairs are judged: the same content? the same style?

A matched aspect earns credit in five variants. Recall is credit over the person's aspects,
precision credit over the answer's; the headline is F1 of the average variant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipse.evaluation.judging.answer import Answer
from ipse.evaluation.judging.asking import Verdict, ask, fenced, json_in, number, yes_no
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.methods.base import Steps

__all__ = ["CREDITS", "EXPERT", "Aspect", "Pair", "credited"]

Pair = tuple[bool, bool]
"""Of two matched aspects: whether the content is the same, and whether the style is."""

CREDITS: dict[str, Callable[[Pair], float]] = {
    "content": lambda pair: float(pair[0]),
    "style": lambda pair: float(pair[1]),
    "both": lambda pair: float(all(pair)),
    "either": lambda pair: float(any(pair)),
    "average": lambda pair: sum(pair) / 2,
}
"""What a matched aspect earns, by variant."""

_LIST = """\
List the aspects of this text: each separate thing that it says or deals with. Reply with a JSON
list and nothing else; one object for each aspect, with a short title, a description in one
sentence, and as evidence the passages it is found in, word for word:
[{"title": "…", "description": "…", "evidence": ["…"]}]"""

_MATCH = """\
Which of the numbered aspects is about the same thing as the aspect? Reply with its number and
nothing else; with 0 if none of them is."""

_CONTENT = """\
These are two aspects, of two texts, with the passages they are found in. Do they say the same, so
that a reader learns the same from either? Reply with one word: yes or no."""

_STYLE = """\
These are two aspects, of two texts, with the passages they are found in. Are the passages alike in
style: in tone, choice of words and build of sentences, as if one person had written both? What
they say does not matter. Reply with one word: yes or no."""

_LONGEST = 1024
"""The longest list of aspects, in tokens."""

_TRIES = 3


@dataclass(frozen=True)
class Aspect:
    """One thing a text says.

    Attributes:
        title: What it is called.
        description: What it says.
        evidence: Where it is said, word for word.
    """

    title: str
    description: str
    evidence: tuple[str, ...]

    @property
    def short(self) -> str:
        """The aspect as one line."""
        return f"{self.title}: {self.description}"

    @property
    def full(self) -> str:
        """The aspect with its evidence."""
        return "\n".join([self.short, *(f"- {passage}" for passage in self.evidence)])


class _Unreadable(Exception):
    """A reply that could not be read, however often the judge was asked: no scores follow."""


def credited(recalled: Sequence[Pair | None], precise: Sequence[Pair | None]) -> dict[str, float]:
    """Score the pairs that were found.

    Args:
        recalled: For each aspect of the reference its pair, None where it has none.
        precise: The same for each aspect of the answer.

    Returns:
        Precision, recall and F1 of each variant; 0 where there is nothing to divide by.
    """
    scores: dict[str, float] = {}
    for name, credit in CREDITS.items():
        recall, precision = _share(recalled, credit), _share(precise, credit)
        total = recall + precision
        scores[f"{name}_f1"] = 2 * recall * precision / total if total else 0.0
        scores[f"{name}_precision"], scores[f"{name}_recall"] = precision, recall
    return scores


def _share(pairs: Sequence[Pair | None], credit: Callable[[Pair], float]) -> float:
    return sum(credit(pair) for pair in pairs if pair) / max(1, len(pairs))


def _judge(answer: Answer) -> Steps[Judged]:
    verdicts: list[Verdict[Any]] = []
    try:
        scores = yield from _compared(answer, verdicts)
    except _Unreadable:
        return Judged(tuple(verdicts))
    return Judged(tuple(verdicts), scores)


def _compared(answer: Answer, verdicts: list[Verdict[Any]]) -> Steps[dict[str, float]]:
    ours = yield from _aspects("reference aspects", answer.target, 1, verdicts)
    theirs: tuple[Aspect, ...] = ()
    if answer.output.strip():
        theirs = yield from _aspects("answer aspects", answer.output, 0, verdicts)
    recalled = yield from _matches("reference match", ours, theirs, verdicts)
    precise = yield from _matches("answer match", theirs, ours, verdicts)
    places = [(i, j) for i, j in enumerate(recalled) if j is not None]
    back = [(i, j) for j, i in enumerate(precise) if i is not None]
    pairs: dict[tuple[int, int], Pair] = {}
    for i, j in dict.fromkeys([*places, *back]):
        pairs[i, j] = yield from _pair(ours[i], theirs[j], verdicts)
    return credited(
        [None if j is None else pairs[i, j] for i, j in enumerate(recalled)],
        [None if i is None else pairs[i, j] for j, i in enumerate(precise)],
    )


def _aspects(
    question: str, text: str, least: int, verdicts: list[Verdict[Any]]
) -> Steps[tuple[Aspect, ...]]:
    prompt = f"{fenced('text', text)}\n\n{_LIST}"
    read = partial(_read_aspects, least=least)
    return _ask(verdicts, question, prompt, read, tokens=_LONGEST)


def _matches(
    question: str,
    aspects: Sequence[Aspect],
    others: Sequence[Aspect],
    verdicts: list[Verdict[Any]],
) -> Steps[list[int | None]]:
    """Match each aspect to the place of one of the others, or to None."""
    if not others:
        return [None] * len(aspects)
    numbered = "\n".join(f"{place}. {other.short}" for place, other in enumerate(others, 1))
    found: list[int | None] = []
    for place, aspect in enumerate(aspects, 1):
        prompt = f"{fenced('aspect', aspect.full)}\n\n{fenced('numbered', numbered)}\n\n{_MATCH}"
        read = partial(number, low=0, high=len(others))
        about = f"{place}. {aspect.title}"
        chosen = yield from _ask(verdicts, question, prompt, read, about=about)
        found.append(chosen - 1 if chosen else None)
    return found


def _pair(ours: Aspect, theirs: Aspect, verdicts: list[Verdict[Any]]) -> Steps[Pair]:
    both = f"{fenced('aspect 1', ours.full)}\n\n{fenced('aspect 2', theirs.full)}"
    about = f"{ours.title} = {theirs.title}"
    content = yield from _ask(verdicts, "content", f"{both}\n\n{_CONTENT}", yes_no, about=about)
    style = yield from _ask(verdicts, "style", f"{both}\n\n{_STYLE}", yes_no, about=about)
    return content, style


def _ask(
    verdicts: list[Verdict[Any]],
    question: str,
    prompt: str,
    read: Callable[[str], Any],
    **how: Any,
) -> Steps[Any]:
    """Ask, note the verdict, and give what it says; stop the whole where it says nothing."""
    verdict: Verdict[Any] = yield from ask(question, prompt, read, tries=_TRIES, **how)
    verdicts.append(verdict)
    if verdict.value is None:
        raise _Unreadable
    return verdict.value


def _read_aspects(reply: str, least: int) -> tuple[Aspect, ...] | None:
    data = json_in(reply)
    if isinstance(data, dict):
        data = data.get("aspects")
    if not isinstance(data, list):
        return None
    found = [_read_aspect(one) for one in data]
    aspects = tuple(aspect for aspect in found if aspect)
    return aspects if least <= len(aspects) == len(found) else None


def _read_aspect(data: Any) -> Aspect | None:
    if not isinstance(data, Mapping):
        return None
    title, description = data.get("title"), data.get("description")
    evidence = data.get("evidence", [])
    passages = [evidence] if isinstance(evidence, str) else evidence
    if not (isinstance(title, str) and isinstance(description, str) and isinstance(passages, list)):
        return None
    return Aspect(title, description, tuple(map(str, passages)))


EXPERT = Rubric(
    name="expert",
    score="average_f1",
    levels={"average_f1": "interval"},
    judge=_judge,
    target=True,
)
