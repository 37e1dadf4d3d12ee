"""The measurement with simulated editors, on a model that does all that it is told to."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from runs import editors as run

from ipse.construct import WISHES, editors
from ipse.lm import Reply
from tests.pico import HashEmbedder

DRAFT = (
    "I think that people may perhaps like what they read here, as it is rather long. They could "
    "possibly say that it tells them too much. It seems that their patience is at an end. Some of "
    "them would probably never read so far as this, and I believe that they are right."
)


class Obedient:
    """Always writes the same draft, as it is told in the question."""

    base = embedder = "obedient"

    def __init__(self):
        self.embed = HashEmbedder()

    def generate(self, plans, progress=None):
        return [Reply(self._draft(plan.main.question)) for plan in plans]

    def _draft(self, question):
        text = DRAFT
        for wish in WISHES:
            if wish.said.casefold() in question.casefold():
                text = wish.edit(text)
        return text


@pytest.fixture(scope="module")
def desks():
    count, number = 4, 9
    found, desks = run.sources(), run.opened(count)
    asked = {e.number: run.texts(e, number, found) for e in editors(count, [*run.KINDS])}
    assert list(run.work(desks, asked, Obedient())) == [*range(1, number + 1)]
    return desks


def cost(desks, learner):
    return sum(sum(desk.costs) for desk in desks if desk.learner == learner)


def test_who_is_told_every_wish_leaves_nothing_to_edit(desks):
    assert cost(desks, run.ORACLE) == 0
    assert cost(desks, "generic") > 0


def test_who_learns_of_edits_leaves_less_to_edit(desks):
    assert cost(desks, "cipher-lexical") < cost(desks, "generic") / 2


def test_every_learner_sees_the_same_first_draft_but_who_is_told(desks):
    first = {desk.costs[0] for desk in desks if desk.editor.number == 0}
    assert len(first) == 2


def test_a_learner_sees_no_later_edit_and_nobody_elses(desks):
    for desk in desks:
        assert {record.user for record in desk.records} <= {desk.editor.id}
        assert sorted(desk.records, key=lambda record: record.time) == desk.records


def test_texts_are_real_mixed_and_never_twice():
    (editor,) = editors(1, [*run.KINDS])
    asked = run.texts(editor, 12, run.sources())
    assert len({text.prompt for text in asked}) == 12
    assert sorted(text.kind for text in asked) == sorted([*run.KINDS] * 4)


def test_the_page_and_the_plot_are_made_of_the_numbers_alone(desks):
    rows = json.loads(json.dumps(run.summed(desks)))
    found = {
        "command": "python runs/editors.py", "date": "2026-01-01", "minutes": 1.0, "commit": "0",
        "hardware": "none", "model": "obedient", "embedder": "hash", "editors": 4, "texts": 9,
        "tokens": 60, "learners": rows,
    }  # fmt: skip
    page = run.page(found)
    assert "| `generic` |" in page
    assert "+100% ± 0" in page  # of who is told
    drawn = run.plot(found)
    assert drawn == run.plot(found)
    groups = ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}g")
    curves = [group.get("id") for group in groups if group.get("id") in run.LEARNERS]
    assert curves == [*run.LEARNERS]
    assert rows[0]["total"]["mean"] == pytest.approx(cost(desks, "generic") / 4)
