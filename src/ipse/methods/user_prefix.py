"""`user-prefix`: a soft prompt of a frozen model, made from embeddings of a person's records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipse.job import Example, Job, Schedule, SoftForm, SoftPrefix
from ipse.lm import Embed, Hold, Kept
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.embedded import embedded, silu
from ipse.methods.examples import examples, pointing, taught
from ipse.methods.pairs import Answer, answers
from ipse.plan import Need, Plan
from ipse.records import Record, User
from ipse.state import State
from ipse.text import Match, ends

__all__ = ["UserPrefix", "soft"]


@dataclass(frozen=True)
class UserPrefix(Method):
    """Put soft tokens made from embeddings in front of a question: PPlug (2409.11901, section 3).

    `[I; sum_i w_i MLP(h_i)]`, where `w` is the softmax of how near each record `h_i` is to the
    question; or, with `form=each`, one soft token a record (UEM, 2401.04858). What makes them is
    learned from everyone; of a person the embeddings are kept, a byte a number.

    Attributes:
        form: Whether records are summed up by attention, or have a soft token each.
        history: How many records are kept of a person: the latest.
        people: How many people it is learned from: the first who share what they wrote.
        records: How many answers of each: the latest.
        match: Which side of a record is embedded.
        given: The most words of what an answer is to, and of a question as it is embedded.
        instruction: How many soft tokens everyone shares.
        hidden: The units of the MLP.
        sharp: How much nearness counts in the attention before anything is learned.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the order and of what training begins with.
    """

    name: ClassVar[str] = "user-prefix"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "both"
    needs: ClassVar[frozenset[Need]] = frozenset({"prefix"})
    paper: ClassVar[str] = "2409.11901"
    stores: ClassVar[str] = "one vector a record, a byte a number"
    shared: ClassVar[bool] = True

    form: SoftForm = "attend"
    history: int = field(default=40, metadata={"most": 40})
    people: int = 30
    records: int = 15
    match: Match = "both"
    given: int = 60
    instruction: int = 1
    hidden: int = 384
    sharp: float = 10.0
    rate: float = 3e-3
    epochs: int = 1
    batch: int = 4
    clip: float = 1.0
    seed: int = 0

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Learn what makes soft prompts."""
        found: list[_Person] = []
        for user in people:
            if len(found) == self.people:
                break
            if (one := self._person(user)).answers:
                found.append(one)
        if not found:
            return None
        vectors = yield from embedded([one.records for one in found], self.match)
        asked = tuple(answer.plan.main.question for one in found for answer in one.answers)
        questions: NDArray[np.float32] = yield Embed(asked)
        table: str = yield Hold({"table": np.concatenate([*vectors, questions])})
        job = Job(
            SoftPrefix(self.form, max(1, self.history), self.instruction, self.hidden, self.sharp),
            _under(found),
            table=table,
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
        )
        names = [r.id for one in found for r in one.records]
        names += [a.record for one in found for a in one.answers]
        return (yield from taught(job, dict.fromkeys(names)))

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Embed the person's latest records."""
        everyones, latest = pointing(shared), user.latest(self.history)
        if everyones is None or not latest:
            return None
        (vectors,) = yield from embedded([latest], self.match)
        scales = np.abs(vectors).max(axis=1).astype(np.float32) / 127  # (records,)
        rounded = np.rint(vectors / scales[:, None]).astype(np.int8)  # (records, width)
        lineage = tuple(record.id for record in latest)
        return State(everyones.facts, {"vectors": rounded, "scales": scales}, lineage)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Put the soft prompt in front."""
        del user
        return plan if state is None else self._apply(plan, state)

    def _apply(self, plan: Plan, state: State) -> Steps[Plan]:
        arrays: Mapping[str, NDArray[Any]] = yield Kept(state.facts["adapter"])
        vectors: NDArray[Any] = state.arrays["vectors"]
        own = vectors * state.arrays["scales"][:, None]  # (records, width)
        question = None
        if self.form == "attend":
            (question,) = yield Embed((ends(plan.main.question, self.given),))
        made = soft(arrays, own, question, max(1, self.history))
        name: str = yield Hold({"prefix": made})
        return replace(plan, main=replace(plan.main, prefix=name))

    def _person(self, user: User) -> _Person:
        """Give a person's latest answers that have records before them, and those records."""
        latest = [(a, self._before(user, a)) for a in answers(user, self.records, self.given)]
        known = [(answer, view) for answer, view in latest if view]
        records = dict.fromkeys(record for _, view in known for record in view)
        return _Person(user.id, [a for a, _ in known], [v for _, v in known], list(records))

    def _before(self, user: User, answer: Answer) -> tuple[Record, ...]:
        return user.before(user.record(answer.record).time).latest(self.history)


@dataclass(frozen=True)
class _Person:
    id: str
    answers: list[Answer]
    views: list[tuple[Record, ...]]  # what was there before each answer
    records: list[Record]  # all of that


def _under(found: Sequence[_Person]) -> tuple[Example, ...]:
    """Give everyone's answers, each under its question's line and those of what was before it."""
    places: dict[str, int] = {}
    for one in found:
        places |= {record.id: len(places) + i for i, record in enumerate(one.records)}
    every, question = list[Example](), len(places)
    for one in found:
        for example, view in zip(examples(one.answers, one.id), one.views, strict=True):
            lines = (question, *(places[record.id] for record in view))
            every.append(replace(example, lines=lines))
            question += 1
    return tuple(every)


def soft(
    arrays: Mapping[str, NDArray[Any]],
    own: NDArray[Any],
    question: NDArray[Any] | None,
    places: int,
) -> NDArray[np.float32]:
    """Make a soft prompt: `job.SoftPrefix`, without gradients.

    Args:
        arrays: What makes it.
        own: Embeddings of the person's records, oldest first, (records, width).
        question: That of the question, (width,); None gives each record a place.
        places: How many records have one.

    Returns:
        The soft prompt, (places, hidden).
    """
    parts = [arrays["instruction"]] if "instruction" in arrays else []
    if question is None:
        latest = _mlp(arrays, own[-places:])
        missing = np.broadcast_to(arrays["empty"], (places - len(latest), latest.shape[1]))
        parts += [missing, latest]
    else:
        scores = own @ (arrays["query"] @ question)  # (records,)
        shares = np.exp(scores - scores.max())
        parts.append((shares / shares.sum() @ _mlp(arrays, own))[None])
    whole = np.concatenate(parts)  # (places, hidden)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    return np.asarray(arrays["norm"] * whole / lengths, np.float32)


def _mlp(arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[Any]:
    x = silu(x @ arrays["mlp.first.weight"].T + arrays["mlp.first.bias"])
    return np.asarray(x @ arrays["mlp.second.weight"].T + arrays["mlp.second.bias"])
