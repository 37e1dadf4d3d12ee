"""`ukpconvarg-style`: on a file of five people, and on the shipped sample."""

from __future__ import annotations

import json

import pytest

from ipse.evaluation.tasks import open_task
from ipse.evaluation.tasks.ukpconvarg_style import UkpconvargStyle
from tests.evaluation.judgements import write_judgements


@pytest.fixture
def root(tmp_path):
    return write_judgements(tmp_path)


def people(root, **settings):
    return list(UkpconvargStyle(root=root, **{"fit": 1, "items": 0} | settings).people(4))


def verdicts(root):
    lines = (root / "ukpconvarg" / "annotations.jsonl").read_text().splitlines()
    return {row["reason"]: (row["user_id"], row["pair_id"], row["choice"])
            for row in map(json.loads, lines)}  # fmt: skip


def test_both_choices_are_of_one_verdict_and_one_is_the_persons_own(root):
    said = verdicts(root)
    found = people(root)
    assert found
    for person in found:
        for item in person.items:
            own, other = item.choices[item.right], item.choices[1 - item.right]
            assert own == item.target
            assert said[own][0] == person.history.id != said[other][0]
            assert said[own][1:] == said[other][1:]
            assert item.document == " ".join(said[own][1:])
            assert item.question.endswith("Say why, in one sentence.")


def test_where_nobody_else_said_the_same_nothing_is_asked(root):
    path = root / "ukpconvarg" / "annotations.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["pair_id"] += row["user_id"]  # everyone judged pairs of their own
    path.write_text("\n".join(map(json.dumps, rows)))
    assert people(root) == []


def test_the_same_words_are_no_choice(root):
    path = root / "ukpconvarg" / "annotations.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["reason"] = "The same." if row["user_id"] != "ada" else "the SAME"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert people(root) == []


def test_which_comes_first_and_whose_depends_on_item_and_seed_alone(root):
    def asked(**settings):
        return [item.choices for person in people(root, **settings) for item in person.items]

    assert asked() == asked()
    assert any(asked() != asked(seed=seed) for seed in range(1, 4))


def test_the_sample_has_enough_to_ask():
    task = open_task("ukpconvarg-style")
    found = list(task.people(40))
    assert len(found) > 30
    every = [item for person in found for item in person.items]
    assert len(every) > 150
    assert 0.4 < sum(item.right for item in every) / len(every) < 0.6
    assert len(list(task.population())) == 20
