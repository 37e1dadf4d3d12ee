"""Why an answer is what it is, in lines a person can read."""

from __future__ import annotations

from ipse.engine import Ipse
from ipse.plan import Plan
from ipse.server.page.records import counted, when

__all__ = ["reasons"]

_SERVES = {
    "adapter": "own adapter",
    "shared": "shared adapter",
    "retrieval": "retrieval",
    "none": "the model as it is",
}


def reasons(
    engine: Ipse, person: str, question: str, methods: str | None, plan: Plan
) -> tuple[str, ...]:
    """Say by which methods a plan was made, and what these had learned.

    Args:
        engine: What made it.
        person: For whom.
        question: What was asked.
        methods: By which composition; the engine's own where it is None.
        plan: The plan.

    Returns:
        The lines.
    """
    choice = engine.choice(person, question, methods)
    lines = [f"Methods: {choice.methods} at strength {plan.strength:g}"]
    lines += [f"Chosen because {choice.why}"] if choice.why else []
    lines.append(f"Word for word the model read {counted(len(plan.evidence), 'record')}")
    for method, saved in engine.known(person, choice.methods):
        if saved is None:
            lines += [f"{method.name}: nothing was learned yet"] if method.trains else []
            continue
        used = "" if saved.id in plan.states else ", unused here"
        records = counted(len(saved.state.lineage), "record")
        lines.append(f"{method.name}: learned from {records} on {when(saved.made)}{used}")
        if gate := saved.state.facts.get("gate"):
            lines.append(
                f"Gate: {_SERVES.get(gate['serves'], gate['serves'])} serves: {gate['why']}"
            )
    lines += [f"Fusion: {plan.fusion}"] if plan.fusion else []
    return tuple(lines)
