"""`cipher`: what a person's edits say they prefer, in words that they can read and correct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ipse.lm import Embed, Reply, Write
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.pairs import answers
from ipse.methods.phrases import joined, parts, sentences, told, voted
from ipse.plan import Plan, Sampling
from ipse.preferences import Pair, pairs
from ipse.records import Record, Use, User
from ipse.retrieval import top
from ipse.state import State
from ipse.text import cut, ends, one_line

__all__ = ["STATED", "Cipher"]

STATED = "preference"
"""The attribute of a profile record in which a person states a preference outright."""

_LONGEST = 20
"""The most words of a phrase that a model wrote."""


@dataclass(frozen=True)
class Cipher(Method):
    """Ask of each edit which preference it shows; read those of the nearest contexts (2404.15269).

    A person corrects a phrase, or a part of it between semicolons, with a record of kind `profile`
    whose input is the phrase and whose output is what it should be, and states one outright with
    the input `preference`. What they said so wins over what was inferred, and is read first.

    Attributes:
        k: How many of the nearest edits are read; of several, what most of them say.
        words: Who finds the phrases: the model, as published, or counting what an edit changed.
        place: Where the phrases are read: at the end of the question, as published, or in the
            system message.
        own: Where there are fewer edits, so many of the person's latest answers stand in as edits
            of what the model answers; 0 takes edits only.
        given: The most words of a context that are compared; both its ends are kept.
        limit: The most words of each text that the model reads to find a phrase.
        tokens: The longest phrase, and draft of an answer, in tokens.
    """

    name: ClassVar[str] = "cipher"
    level: ClassVar[Level] = "objective"
    base: ClassVar[Base] = "both"
    paper: ClassVar[str] = "2404.15269"
    stores: ClassVar[str] = "a phrase and a vector an edit"

    k: int = 5
    words: Literal["model", "lexical"] = "model"
    place: Literal["question", "system"] = "question"
    own: int = 0
    given: int = 64
    limit: int = 120
    tokens: int = 40

    @property
    def use(self) -> Use:
        """Edits are read, and summed up to be read; nothing is trained."""
        return "prompt"

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Find a phrase for every edit."""
        del shared
        return self._learn(user, None)

    def update(self, user: User, state: State, shared: State | None) -> Steps[State | None]:
        """Find phrases for the new edits only."""
        del shared
        return self._learn(user, state)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Say with the question what the person prefers in such a context."""
        del user
        return plan if state is None else self._read(plan, state)

    def _learn(self, user: User, known: State | None) -> Steps[State | None]:
        edits = self._edits(user)
        said = [record for record in user.records if record.kind == "profile"]
        old = _known(known)
        new = [edit for edit in edits if edit.records[0] not in old]
        phrases = yield from self._phrases(new)
        contexts = tuple(ends(edit.prompt, self.given) for edit in new)
        vectors = (yield Embed(contexts)) if new else ()
        names = [edit.records[0] for edit in new]
        every = {**old, **dict(zip(names, zip(phrases, vectors, strict=True), strict=True))}
        rows = [every[edit.records[0]] for edit in edits]
        inferred = {part.casefold() for phrase, _ in rows for part in (phrase, *parts(phrase))}
        stated = [r for r in said if _key(r) == STATED]
        corrected = {_key(r): r for r in said if _key(r) in inferred}
        if not rows and not stated:
            return None
        facts = {
            "phrases": [phrase for phrase, _ in rows],
            "corrected": {key: one_line(r.output) for key, r in corrected.items()},
            "stated": list(dict.fromkeys(one_line(record.output) for record in stated)),
        }
        used = [*stated, *corrected.values()]
        lineage = (*(edit.records[0] for edit in edits), *(record.id for record in used))
        arrays = {"vectors": np.stack([vector for _, vector in rows])} if rows else {}
        return State(facts, arrays, lineage)

    def _edits(self, user: User) -> list[Pair]:
        """Give the edits, and where they are few, own answers without a draft, oldest first."""
        edits = [pair for pair in pairs(user) if pair.how == "edit"]
        for answer in answers(user, max(0, self.own - len(edits)), self.given):
            record = user.record(answer.record)
            edits.append(Pair(record.input, record.output, "", (record.id,), record.time, "edit"))
        return sorted(edits, key=lambda pair: (pair.time, pair.records))

    def _phrases(self, edits: Sequence[Pair]) -> Steps[list[str]]:
        """Give the preference that each edit shows; "" where it shows none."""
        bare = [edit for edit in edits if not edit.rejected]
        if bare:
            asked = tuple(_ask(ends(edit.prompt, self.given), self.tokens) for edit in bare)
            replies: list[Reply] = yield Write(asked)
            drafts = {edit.records: r.text for edit, r in zip(bare, replies, strict=True)}
            edits = [replace(e, rejected=drafts.get(e.records, e.rejected)) for e in edits]
        if self.words == "lexical":
            return [told(edit.prompt, edit.rejected, edit.chosen) for edit in edits]
        if not edits:
            return []
        replies = yield Write(tuple(self._ask_why(edit) for edit in edits))
        return [_phrase(reply.text) for reply in replies]

    def _ask_why(self, edit: Pair) -> Plan:
        draft, edited = (one_line(cut(t, self.limit)) for t in (edit.rejected, edit.chosen))
        return _ask(
            f"A person wants this:\n{edited}\n\ninstead of this draft:\n{draft}\n\n"
            "Which general preference for style and form does that show? Answer with one short "
            "phrase that would help to write for this person.",
            self.tokens,
        )

    def _read(self, plan: Plan, state: State) -> Steps[Plan]:
        """Retrieve, aggregate, and say it with the question."""
        stated = list(state.facts["stated"])
        inferred = yield from self._nearest(plan.main.question, state)
        phrases = [phrase for phrase in (*stated, *inferred) if phrase]
        if not phrases:
            return plan
        question = plan.main.question
        if self.place == "system" or not question.strip():
            lines = [f"- {phrase}" for phrase in dict.fromkeys(phrases)]
            return plan.with_context("\n".join(["Write as this person prefers:", *lines]))
        return plan.with_question(f"{question}\n\n{sentences(phrases)}")

    def _nearest(self, question: str, state: State) -> Steps[list[str]]:
        """Give what the edits nearest to a question say; of no question, what all of them say."""
        corrected: Mapping[str, str] = state.facts["corrected"]
        phrases = [_mended(phrase, corrected) for phrase in state.facts["phrases"]]
        if not phrases or not question.strip():
            return phrases
        (vector,) = yield Embed((ends(question, self.given),))
        scores: NDArray[np.floating] = state.arrays["vectors"] @ vector  # (edits,)
        places = [place for place in top(scores, self.k).tolist() if phrases[place]]
        chosen = [phrases[place] for place in places]
        if len(set(chosen)) < 2:
            return chosen
        near = {part for phrase in chosen for part in (phrase, *parts(phrase))}
        fixed = [phrase for phrase in corrected.values() if phrase in near]
        if self.words == "lexical":
            return [*fixed, voted(chosen, [max(0.0, float(scores[place])) for place in places])]
        listed = "\n".join(f"- {phrase}" for phrase in chosen)
        asked = (
            f"{listed}\n\nSay in one short phrase what most of these preferences have in common."
        )
        reply: Reply = yield _ask(asked, self.tokens)
        return [*fixed, _phrase(reply.text)]


def _known(state: State | None) -> dict[str, tuple[str, NDArray[np.generic]]]:
    """Give the phrases and vectors that are known, by the id of the edit."""
    if state is None or not state.facts["phrases"]:
        return {}
    edits = state.lineage[: len(state.facts["phrases"])]  # what was said comes after them
    return dict(
        zip(edits, zip(state.facts["phrases"], state.arrays["vectors"], strict=True), strict=True)
    )


def _mended(phrase: str, corrected: Mapping[str, str]) -> str:
    """Put what the person said in the place of a phrase, or of parts of it."""
    whole = joined([corrected.get(part.casefold(), part) for part in parts(phrase)])
    return corrected.get(phrase.casefold(), whole)


def _key(record: Record) -> str:
    return one_line(record.input).casefold()


def _ask(prompt: str, tokens: int) -> Plan:
    return Plan.ask(prompt, sampling=Sampling(max_tokens=max(1, tokens)))


def _phrase(text: str) -> str:
    """Keep the beginning of what a model wrote, without the marks around it."""
    return cut(one_line(text).strip(" -*•\"'"), _LONGEST)
