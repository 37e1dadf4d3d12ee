"""`profile`: the model writes, once, who the person is; every question is answered with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.lm import Reply
from ipse.methods.base import Base, Method, Steps, due
from ipse.plan import Plan, Sampling
from ipse.records import Record, User
from ipse.state import State
from ipse.text import one_line, show

__all__ = ["Profile"]

_QUESTION = (
    "Describe this person in three short sentences: how they write (tone, length, wording) and "
    "what they care about."
)

_SAID = 50
"""How many things the person said of themselves stand in a profile: the latest."""


@dataclass(frozen=True)
class Profile(Method):
    """Summarize a sample of the history into a profile (PAG, 2310.20081).

    What the person said of themselves (records of kind `profile`) stands in it word for word.

    Attributes:
        sample: How many records the model reads, spread evenly over the history.
        question: What the model is asked about them; the paper asks by task.
        limit: The most words of a record that it reads.
        tokens: The longest profile, in tokens.
        refresh: The profile is written anew after so many records came or went.
    """

    name: ClassVar[str] = "profile"
    base: ClassVar[Base] = "lm"
    paper: ClassVar[str] = "2310.20081"
    stores: ClassVar[str] = "a few sentences"

    sample: int = 24
    question: str = _QUESTION
    limit: int = 40
    tokens: int = 96
    refresh: int = 20

    def enroll(self, user: User, shared: State | None) -> Steps[State | None]:
        """Let the model write the profile."""
        del shared
        said = [record for record in user.records if record.kind == "profile"][-_SAID:]
        read = _spread([r for r in user.records if r.kind != "profile"], self.sample)
        lines = [f"- {show(record)}" for record in said]
        if read:
            reply: Reply = yield self._ask(read)
            lines.append(one_line(reply.text))
        return State(
            facts={"profile": "\n".join(lines), "records": len(user)},
            lineage=tuple(r.id for r in (*said, *read)),
        )

    def update(self, user: User, state: State, shared: State | None) -> State | Steps[State | None]:
        """Keep the profile until enough has changed, or something was said outright."""
        told = any(r.kind == "profile" and r.id not in state.lineage for r in user.records)
        if not told and not due(user, state, self.refresh):
            return state
        return self.enroll(user, shared)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Put the profile in front of the question."""
        del user
        if state is None or not state.facts["profile"]:
            return plan
        return plan.with_context(f"About this person:\n{state.facts['profile']}")

    def _ask(self, read: list[Record]) -> Plan:
        lines = [f"- {show(record, self.limit)}" for record in read]
        prompt = "\n".join(["One person wrote all of this:", *lines, "", self.question])
        return Plan.ask(prompt, sampling=Sampling(max_tokens=self.tokens))


def _spread(records: list[Record], count: int) -> list[Record]:
    """Take `count` records at even distances, the latest always among them."""
    if len(records) <= count:
        return records
    return [records[len(records) - 1 - i * len(records) // count] for i in range(count)][::-1]
