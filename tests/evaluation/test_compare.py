from __future__ import annotations

from dataclasses import replace

import pytest

from ipse.evaluation.compare import changes, differences, same_lines


def scaled(found, method, factor):
    """The run with one method's nats changed."""
    lines = tuple(
        {**x, "scores": {**x["scores"], "nats": factor * x["scores"]["nats"]}}
        if x["method"] == method and x["measure"] == "nats"
        else x
        for x in found.items
    )
    return replace(found, items=lines)


def test_a_run_is_the_same_as_itself(found):
    assert differences(found, found) == []
    assert all(change.identical for change in changes(found, found))
    assert same_lines(found, found) == (len(found.items), len(found.items))


def test_what_differs_in_settings_is_named(found):
    grid = {**found.header["grid"], "seed": 7}
    other = replace(found, header={**found.header, "grid": grid, "commit": "c2", "run": "r2"})
    named = {d.name: (d.first, d.second) for d in differences(found, other)}
    assert named == {"grid.seed": (0, 7), "commit": (found.header["commit"], "c2")}


def test_what_was_found_is_compared_person_by_person(found):
    better = scaled(found, "facets", 0.5)
    by = {(c.method, c.whose, c.metric): c for c in changes(found, better)}
    change = by["facets", "own", "nats_per_token"]
    assert not change.identical
    assert change.better.mean == pytest.approx(change.first.mean / 2)  # fewer nats are better
    assert change.second.mean == pytest.approx(change.first.mean / 2)
    assert by["recent", "own", "nats_per_token"].identical
    shared, same = same_lines(found, better)
    assert shared - same == 2 * 6  # own and the control


def test_runs_with_nobody_in_common_are_compared_by_their_means_alone(found):
    other = replace(found, items=tuple({**x, "person": f"{x['person']}-2"} for x in found.items))
    assert all(change.better is None for change in changes(found, other))
    assert same_lines(found, other) == (0, 0)
