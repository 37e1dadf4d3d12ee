"""`runs/objectives.py`: what it measures and the page of it, on a random model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import runs.objectives as here
from runs import steered
from runs.objective_page import card, objective_page, tradeoff_plot
from runs.objectives import Size, hypervolume, measured, pairs, prompted, rewards

from ipse.records import Record

TINY = Size("people=2;prompts=1;answers=3;tokens=6;epochs=1;given=10", 2, 2, 1, (0.0, 1.0))


def test_the_hypervolume_is_the_area_that_is_reached():
    assert hypervolume([(1, 1)]) == 4
    assert hypervolume([(1, 0), (0, 1)]) == 3
    assert hypervolume([(0, 1), (1, 0), (-0.5, 0.5)]) == 3
    assert hypervolume([(-2, 5), (5, -1)]) == 0


def test_prompting_says_what_weighs():
    assert prompted("Why?", 1.0).endswith("\n\nBe extremely short.")
    assert prompted("Why?", 0.75).endswith("\n\nBe very short and somewhat formal.")
    assert prompted("Why?", 0.5).endswith("\n\nBe short and formal.")


def test_every_method_is_measured_and_the_page_tells_it(pico, monkeypatch):
    monkeypatch.setattr(here, "TOKENS", 8)
    found = {"command": "python -m runs.objectives", "date": "2026-01-01"}
    found["rewards"] = json.loads(json.dumps(measured(lambda: rewards(pico, TINY))))
    curves = found["rewards"]["curves"]
    assert {"generic", "prompting", "modpo", "rewards-in-context", "morlhf"} <= curves.keys()
    for name, curve in curves.items():
        assert len(curve["points"]) == (1 if name == "generic" else 2)
        assert all(len(point["rewards"]) == 2 for point in curve["points"])
    page = objective_page(found)
    assert page.count("| `modpo` |") == 3
    assert "commit" in page
    assert tradeoff_plot(found).startswith("<svg")


def test_without_results_the_page_says_how_to_get_them():
    assert "runs.objectives" in objective_page({})


def test_pairs_are_measured_with_another_persons_beside(pico, monkeypatch, tmp_path):
    monkeypatch.setattr(here, "OUT", tmp_path)
    small = "records=2,people=2,epochs=1,given=10"
    task = small.replace(",", ";")
    methods = (
        f"shared-adapter:{small}",
        f"user-dpo:pairs=3,gate=false,given=10,tokens=4,task={task}",
    )
    monkeypatch.setattr(here, "PAIRS", here.replace(here.PAIRS, methods=methods))
    found = {
        "command": "x",
        "date": "2026-01-01",
        "pairs": measured(lambda: pairs(pico, quick=True)),
    }
    tables = {table["metrics"][0]: table for table in found["pairs"]["tables"]}
    assert {"accuracy", "nats_per_token"} <= tables.keys()
    rows = {row["method"].split(":")[0]: row for row in tables["accuracy"]["rows"]}
    assert rows["user-dpo"]["personal"] is not None
    assert "Own words or another's" in objective_page(found)
    assert not any(row["people"] for row in tables["accuracy"]["rows"])


def test_a_taste_is_what_there_is_more_of_in_what_was_chosen():
    short, long = "Yes.", "Yes, and for very many reasons, of which I name a few, in order."
    pairs = [
        Record(user="ada", kind="preference", input=f"So {n}?", output=short, rejected=long)
        for n in range(5)
    ]
    taste = steered.Taste.of(pairs)
    liked, other = taste.likes(["So?"] * 2, [short, long])
    assert liked > other
    assert np.linalg.norm(taste.weights) == pytest.approx(1)


def test_methods_learn_of_earlier_pairs_and_are_judged_by_later_ones():
    tested, taught = steered.people(steered.Size(people=3, prompts=2, taught=4))
    assert len(tested) == 3
    assert not {one.past.id for one in tested} & {user.id for user in taught}
    for one in tested:
        latest = max(record.time for record in one.past.records)
        later = [pair for _, pair in steered.pairs()[one.past.id] if pair.time > latest]
        assert {*one.asked} <= {pair.input for pair in later}


def test_what_people_prefer_is_measured_and_the_page_tells_it(pico, monkeypatch):
    methods = ("best-of-n:n=2,reward=attributes", "drift:tokens=0,pairs=2,attributes=casual formal")
    monkeypatch.setattr(steered, "METHODS", methods)
    size = steered.Size(people=2, prompts=1, taught=3, tokens=6)
    part = measured(lambda: steered.steered(pico, size, lambda *_: None))
    found = {"command": "python -m runs.objectives", "date": "2026-01-01", "people": part}
    found = json.loads(json.dumps(found))
    assert found["people"]["rows"].keys() == {"generic", *methods}
    page = objective_page(found)
    assert f"| `{methods[0]}` |" in page
    assert f"`{methods[1]}`: over generic" in card(found, "drift")
    assert card(found, "modpo") == ""
