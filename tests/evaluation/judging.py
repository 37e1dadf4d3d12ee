"""A judge that follows a script, and answers for it to judge."""

from __future__ import annotations

from ipse.evaluation.judging.answer import Answer
from ipse.lm import Reply
from ipse.methods.steps import finish


class ScriptedJudge:
    """Answers a prompt by the first of its rules whose key is in it; a rule may be a list."""

    name = "scripted"

    def __init__(self, base="scripted", rules=(), default="yes"):
        self.base = base
        self.rules = dict(rules)
        self.default = default
        self.plans = []
        self.batches = []

    def generate(self, plans, on_progress=None):
        self.batches.append(len(plans))
        return [Reply(self._say(plan)) for plan in plans]

    def _say(self, plan):
        self.plans.append(plan)
        prompt = plan.main.question
        for key, said in self.rules.items():
            if key in prompt:
                return said.pop(0) if isinstance(said, list) else said
        return self.default


def answer(output="Have some soup.", **fields):
    known = {
        "task": "t",
        "model": "m",
        "method": "recent",
        "whose": "own",
        "person": "ada",
        "item": "i1",
        "question": "What should I eat?",
    }
    return Answer(**{**known, "output": output, **fields})


def judged(rubric, written, rules=(), default="yes"):
    """Judge one answer."""
    return finish(rubric.judge(written), ScriptedJudge(rules=rules, default=default))


def line(**fields):
    """One line of a run's results."""
    known = {
        "type": "item",
        "measure": "write",
        "task": "t",
        "model": "m",
        "method": "recent",
        "whose": "own",
        "person": "ada",
        "item": "i1",
        "question": "What should I eat?",
        "output": "Have some soup.",
        "target": "soup",
        "judge": "locomo",
        "group": "",
        "meta": {},
    }
    return {**known, **fields}
