"""Why an answer is what it is: what was read, what had been learned, and what decided about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType

from ipse.cli.output import counted, short, table, warn, when
from ipse.engine import Ipse
from ipse.feedback import said
from ipse.lm import Reply
from ipse.methods import Method, spec
from ipse.plan import Plan
from ipse.records import Record
from ipse.route import written
from ipse.state import SavedState
from ipse.text import cut, one_line, show

__all__ = [
    "Known",
    "Reasons",
    "candidates_table",
    "evidence_table",
    "gate_lines",
    "reasons_for",
    "say_that_it_waits",
]

_LATEST = 4
"""How many pieces of feedback are shown word for word: the latest."""

_WORDS = 12

_SERVES = {
    "adapter": "own adapter",
    "shared": "shared adapter",
    "retrieval": "retrieval",
    "none": "the model as it is",
}


@dataclass(frozen=True)
class Known:
    """What a method knew of a person.

    Attributes:
        method: The method.
        saved: What had been learned; None where nothing had been.
        used: Whether the plan leans on it.
        command: What makes it learn, where it has to be told to.
    """

    method: Method
    saved: SavedState | None
    used: bool
    command: str

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON-able data."""
        saved = self.saved
        return {
            "method": self.method.name,
            "keeps": self.method.stores,
            "state": saved.id if saved else None,
            "records": len(saved.state.lineage) if saved else 0,
            "made": saved.made if saved else None,
            "used": self.used,
            "gate": saved.state.facts.get("gate") if saved else None,
            "command": None if saved else self.command,
        }

    def shown(self) -> list[str]:
        """Give it in words."""
        saved = self.saved
        if saved is None:
            return [f"{self.method.name}: nothing was learned yet. Run: {self.command}"]
        records = counted(len(saved.state.lineage), "record")
        unused = "" if self.used else "; it changes nothing here"
        kept = f"{self.method.stores}, made {when(saved.made)}{unused}"
        name = f"{short(saved.id)} ({self.method.name}, of {records}): {kept}"
        return [name, *gate_lines(saved.state.facts)]


@dataclass(frozen=True)
class Reasons:
    """Why an answer is what it is.

    Attributes:
        methods: The composition that made the plan.
        plan: What was run.
        evidence: The records that the model read.
        known: What methods knew; of those that know nothing, only who has to be told to learn.
        feedback: What the person said of earlier replies, as far as it shaped the plan: it was
            read, or what was learned leans on it.
        why: Why this composition, where one was chosen.
    """

    methods: str
    plan: Plan
    evidence: tuple[Record, ...] = ()
    known: tuple[Known, ...] = ()
    feedback: tuple[Record, ...] = ()
    why: str = ""

    @property
    def learned(self) -> list[dict[str, Any]]:
        """What methods knew, JSON-able."""
        return [one.to_json() for one in self.known]

    def to_json(self) -> dict[str, Any]:
        """Give the reasons as JSON-able data."""
        states = [one.saved for one in self.known if one.saved and one.used]
        return {
            "methods": self.methods,
            "why": self.why,
            "strength": self.plan.strength,
            "evidence": [record.to_json() for record in self.evidence],
            "states": [
                {
                    "id": saved.id,
                    "method": saved.key.method,
                    "records": len(saved.state.lineage),
                    "made": saved.made,
                }
                for saved in states
            ],
            "learned": self.learned,
            "feedback": [record.id for record in self.feedback],
            "plan": self.plan.to_json(),
        }

    def shown(self) -> list[RenderableType]:
        """Give the reasons as they are shown to a person."""
        lines = [f"  {line}" for one in self.known for line in one.shown()]
        return [
            f"\nmethods: {self.methods}   strength: {self.plan.strength:g}",
            *([f"chosen: {self.why}"] if self.why else []),
            evidence_table(self.evidence),
            *(["learned:", *lines] if lines else ["learned: nothing"]),
            *_feedback_lines(self.feedback),
        ]


def reasons_for(
    engine: Ipse, user: str | None, question: str, methods: str | None, plan: Plan
) -> Reasons:
    """Say why a plan is what it is.

    Args:
        engine: What made it.
        user: For whom; nobody is the generic model.
        question: What was asked.
        methods: By which composition; the engine's own where it is None.
        plan: The plan.

    Returns:
        The reasons.
    """
    if user is None:
        return Reasons("generic", plan)
    choice = engine.choice(user, question, methods)
    found = engine.known(user, choice.methods)
    everyones = dict(engine.known(None, choice.methods))
    known = tuple(
        Known(
            method,
            saved,
            saved is not None and saved.id in plan.states,
            _command(user, method, fitted=everyones[method] is not None),
        )
        for method, saved in found
        if saved or method.trains
    )
    shaped = {name for one in known if one.saved and one.used for name in one.saved.state.lineage}
    told = tuple(r for r in said(engine.store.user(user)) if r.id in shaped | {*plan.evidence})
    evidence = engine.evidence(user, plan)
    return Reasons(written(choice.methods), plan, evidence, known, told, choice.why)


def say_that_it_waits(plan: Plan) -> None:
    """Say that nothing is shown until several answers are written, where that is so."""
    if plan.candidates > 1:
        warn(f"{plan.candidates} answers are written before the best of them is shown …")


def candidates_table(reply: Reply) -> RenderableType:
    """Lay out the answers one was chosen of, with how much the person likes each."""
    rewards = [f"{reward:.4g}" for reward in reply.rewards] or ["none"] * len(reply.candidates)
    rows = [
        (f"{reward}{' *' if text == reply.text else ''}", cut(one_line(text), 24))
        for text, reward in zip(reply.candidates, rewards, strict=True)
    ]
    return Group("\ncandidates (* is the answer):", table(("reward", "text"), rows))


def evidence_table(records: Sequence[Record]) -> RenderableType:
    """Lay out the records that a model read."""
    rows = [(short(record.id), record.time, show(record)) for record in records]
    return Group("evidence:", table(("id", "time", "text"), rows)) if rows else "evidence: none"


def _feedback_lines(records: Sequence[Record]) -> list[str]:
    """Say what of what a person said of replies shaped the plan, the latest word for word."""
    if not records:
        return []
    kinds = Counter(str(record.meta.get("how", record.kind)) for record in records)
    counts = ", ".join(counted(count, how) for how, count in sorted(kinds.items()))
    latest = [f"  {short(record.id)} {show(record, _WORDS)}" for record in records[-_LATEST:]]
    return [f"feedback: {counts}", *latest]


def gate_lines(facts: Mapping[str, Any]) -> list[str]:
    """Say in words what the gate decided, if there was one.

    Args:
        facts: A state's facts.

    Returns:
        A line that says what serves the person and why, and one of the numbers behind it.
    """
    gate = facts.get("gate")
    if not gate:
        return []
    serves = _SERVES.get(gate["serves"], gate["serves"])
    lines = [f"  gate: {serves} serves: {gate['why']}"]
    if nats := gate.get("nats"):
        costs = ", ".join(f"{name} {value:.3f}" for name, value in nats.items())
        held = counted(gate.get("records", 0), "held-out record")
        lines.append(f"  gate: {costs} nats a token on {held}")
    return lines


def _command(user: str, method: Method, *, fitted: bool) -> str:
    """Give what makes a method learn; learning from everyone comes once, and first."""
    fit = " --fit" if method.shared and not fitted else ""
    return f"ipse enroll {user}{fit} --method {spec([method])}"
