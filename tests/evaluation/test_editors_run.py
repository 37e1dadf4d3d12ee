"""The measurement with simulated editors, on a model that does all that it is told to."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from runs import editors as run
from runs.editor_page import page as editor_page
from runs.editor_page import plot

from ipse.construct import WISHES
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
    every, number = run.hired(4, 2), 9
    found, desks = run.sources(), run.opened(every)
    asked = {editor.number: run.texts(editor, number, found) for editor in every}
    assert list(run.work(desks, asked, Obedient())) == [*range(1, number + 1)]
    return desks


def group(desks, *, strange):
    return [desk for desk in desks if (desk.editor.number >= 4) == strange]


def cost(desks, learner):
    return sum(sum(desk.costs) for desk in desks if desk.learner == learner)


def test_who_is_told_every_wish_leaves_nothing_to_edit(desks):
    assert cost(desks, run.ORACLE) == 0
    assert cost(desks, "generic") > 0


def test_who_learns_of_edits_leaves_less_to_edit(desks):
    known = group(desks, strange=False)
    assert cost(known, "cipher-lexical") < cost(known, "generic") / 2


def test_what_is_not_counted_is_not_learned_by_counting(desks):
    strange = group(desks, strange=True)
    assert cost(strange, "cipher-lexical") > cost(strange, "generic") / 2


def test_every_learner_sees_the_same_first_draft_but_who_is_told(desks):
    first = {desk.costs[0] for desk in desks if desk.editor.number == 0}
    assert len(first) == 2


def test_a_learner_sees_no_later_edit_and_nobody_elses(desks):
    for desk in desks:
        assert {record.user for record in desk.records} <= {desk.editor.id}
        assert sorted(desk.records, key=lambda record: record.time) == desk.records


def test_texts_are_real_mixed_and_never_twice():
    (editor,) = run.hired(1, 0)
    asked = run.texts(editor, 12, run.sources())
    assert len({text.prompt for text in asked}) == 12
    assert sorted(text.kind for text in asked) == sorted([*run.KINDS] * 4)


def test_the_page_and_the_plot_are_made_of_the_numbers_alone(desks):
    groups = {name: run.summed(group(desks, strange=name == "strange")) for name in run.GROUPS}
    rows = json.loads(json.dumps(groups))
    found = {
        "command": "python runs/editors.py", "date": "2026-01-01", "minutes": 1.0, "commit": "0",
        "hardware": "none", "model": "obedient", "embedder": "hash", "texts": 9, "tokens": 60,
        "groups": rows,
    }  # fmt: skip
    page = editor_page(found)
    assert "| `generic` |" in page
    assert "+100% ± 0" in page  # of who is told
    drawn = plot(found)
    assert drawn == plot(found)
    groups = ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}g")
    curves = [group.get("id") for group in groups if group.get("id") in run.LEARNERS]
    assert curves == [*run.LEARNERS]
    assert rows["counted"][0]["total"]["mean"] == pytest.approx(
        cost(group(desks, strange=False), "generic") / 4
    )
