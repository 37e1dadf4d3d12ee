"""The evaluation on hashes in a model's place: what it measures is nonsense, how it is not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ipse.errors import Conflict, Unknown, UsageError
from ipse.evaluation.grid import Grid
from ipse.evaluation.ledger import COSTS, RESULTS, read_run
from ipse.evaluation.run import STORE, remove, run
from ipse.evaluation.tasks import open_task
from tests.evaluation.conftest import GRID
from tests.evaluation.models import HashModel

METHODS = ("recent:k=2", "recent", "facets")


def lines_of(found, method, whose="own", measure="nats"):
    key = {"method": method, "whose": whose, "measure": measure}
    return [line for line in found.items if key.items() <= line.items()]


def test_every_answer_is_measured_under_every_method_and_control(found):
    wanted = [("generic", "own"), *((m, w) for m in METHODS for w in ("own", "other"))]
    for measure in ("nats", "write"):
        cells = {(x["method"], x["whose"]) for x in found.items if x["measure"] == measure}
        assert cells == set(wanted)
        items = [[x["item"] for x in lines_of(found, *cell, measure)] for cell in wanted]
        assert all(each == items[0] for each in items)
        assert len(items[0]) == len(set(items[0])) == 6


def test_the_control_reads_the_other_persons_records(found, root):
    people = {p.history.id: p for p in open_task(GRID.tasks[0], root).people(3)}
    for whose in ("own", "other"):
        for line in lines_of(found, "recent:k=2", whose):
            one = people[line["person"]]
            view = one.history if whose == "own" else one.other
            assert line["evidence"] == [record.id for record in view.records[-2:]]


def test_nats_are_of_the_held_out_words_alone(found, model):
    (line, *_) = lines_of(found, "generic")
    assert line["scores"]["tokens"] == model.cut(line["target"]).tokens


def test_a_line_says_everything(found):
    (line, *_) = lines_of(found, "recent", measure="write")
    assert line["run"] == found.header["run"]
    assert line["settings"] != lines_of(found, "recent:k=2")[0]["settings"]
    assert line["seed"] == 0
    assert line["prompt"][-1]["content"] == line["question"]
    assert line["output"]
    assert {"rouge_l", "rouge_1", "chrf"} <= line["scores"].keys()
    assert line["personal_bytes"] > 0
    assert line["personal_kinds"] == ["content"]
    assert lines_of(found, "generic")[0]["personal_bytes"] == 0
    assert {"commit", "hardware", "versions", "bases", "grid"} <= found.header.keys()


def test_what_was_learned_from_everyone_says_from_whom(found):
    (fit,) = found.fits
    assert (fit["method"], fit["people"], fit["records"]) == ("facets", 2, 40)


def test_the_same_run_gives_the_same_bytes(folder, root, model, tmp_path):
    run(GRID, tmp_path, [model], root=root)
    assert (tmp_path / RESULTS).read_bytes() == (folder / RESULTS).read_bytes()


def test_a_run_that_is_done_measures_nothing_again(folder, root, model):
    before = (folder / RESULTS).read_bytes(), (folder / COSTS).read_bytes()
    asked = []
    watched = HashModel()
    watched.score = watched.generate = lambda *_: asked.append(1)
    run(GRID, folder, [watched], root=root)
    assert ((folder / RESULTS).read_bytes(), (folder / COSTS).read_bytes()) == before
    assert asked == []


def test_a_run_with_other_settings_is_refused(folder, root, model):
    with pytest.raises(Conflict, match="holds another run"):
        run(replace(GRID, people=2), folder, [model], root=root)


def test_starting_over_removes_the_run_and_nothing_else(tmp_path, root, model):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    small = Grid(GRID.tasks, ("recent",), people=2, control=False)
    run(small, tmp_path, [model], root=root)
    remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    run(replace(small, seed=1), tmp_path, [model], root=root)
    assert read_run(tmp_path).header["grid"]["seed"] == 1
    assert (tmp_path / STORE).exists()


def test_without_a_control_nobody_stands_in(tmp_path, root, model):
    run(Grid(GRID.tasks, ("recent",), people=2, control=False), tmp_path, [model], root=root)
    assert {line["whose"] for line in read_run(tmp_path).items} == {"own"}


def test_progress_only_goes_forward_and_ends(tmp_path, root, model):
    told = []
    grid = Grid((GRID.tasks[0], "ukpconvarg-reason:items=1,fit=2"), ("recent",), people=2)
    run(grid, tmp_path, [model], root=root, progress=lambda _, share: told.append(share))
    assert told == sorted(told)
    assert 0 <= told[0] < told[-1] == 1.0


def test_a_grid_is_read_as_it_is_written():
    assert Grid.from_json(GRID.to_json()) == GRID
    assert Grid(("lamp:number=5",), ("recent:k=6", "recent", "generic")).methods == ("recent",)
    assert Grid(("lamp:number=5",)).tasks == ("lamp-5",)


def test_what_cannot_be_run_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="at least one task"):
        Grid(())
    with pytest.raises(Unknown, match="unknown measure 'nat'"):
        Grid(("locomo",), measures=("nat",))
    with pytest.raises(Unknown, match="unknown method"):
        Grid(("locomo",), ("recnt",))
    with pytest.raises(UsageError, match="cannot be measured by choose"):
        Grid(("locomo",), measures=("choose",))
    with pytest.raises(UsageError, match="people must be at least 1"):
        Grid(("locomo",), people=0)


_KILLED = """
import sys
from pathlib import Path
from ipse.evaluation.run import run
from tests.evaluation.conftest import GRID
from tests.evaluation.models import HashModel
from tests.evaluation.models import HashModel
root, out = sys.argv[1:]
print("ready", flush=True)
run(GRID, Path(out), [HashModel()], root=Path(root))
"""


def test_killed_five_times_it_ends_with_the_very_same_results(folder, root, tmp_path):
    whole = (folder / RESULTS).read_bytes()
    draw = random.Random(0)
    home = Path(__file__).parents[2]
    command = [sys.executable, "-c", _KILLED, str(root), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{home / 'src'}{os.pathsep}{home}"}

    def started():
        child = subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE)
        child.stdout.readline()
        return child

    def written():
        path = tmp_path / RESULTS
        return path.stat().st_size if path.exists() else 0

    killed = 0
    for part in range(1, 6):
        with started() as child:
            # Each time a little further: a file that grows is a run that is under way.
            while child.poll() is None and written() < len(whole) * part / 8 * draw.random():
                time.sleep(0.0005)
            time.sleep(0.02 * draw.random())
            killed += child.poll() is None
            child.send_signal(signal.SIGKILL)
    with started() as last:
        assert last.wait() == 0
    assert killed == 5
    assert (tmp_path / RESULTS).read_bytes() == whole


@pytest.mark.model
def test_on_the_real_model_a_run_that_was_stopped_ends_with_the_very_same_bytes(
    embedded, root, tmp_path
):
    grid = replace(GRID, methods=("recent:k=2", "bm25:k=2"), people=2, batch=2)
    run(grid, tmp_path / "whole", [embedded], root=root)

    class Stop(Exception):
        pass

    def stop(what, share):
        if share > 0.3:
            raise Stop

    with pytest.raises(Stop):
        run(grid, tmp_path / "parts", [embedded], root=root, progress=stop)
    half = (tmp_path / "parts" / RESULTS).stat().st_size
    run(grid, tmp_path / "parts", [embedded], root=root)
    one, two = ((tmp_path / name / RESULTS).read_bytes() for name in ("whole", "parts"))
    assert half < len(one)
    assert one == two


def test_a_route_is_measured_as_what_it_chooses(root, model, tmp_path):
    route = "route:few=0,adapter=,extraction=bm25,abstraction=bm25,generalization=recent%3Ak%3D2"
    grid = replace(GRID, methods=("recent:k=2", route), measures=("nats",))
    run(grid, tmp_path, [model], root=root)
    found = read_run(tmp_path)
    for whose in ("own", "other"):
        chosen, single = (lines_of(found, name, whose) for name in (grid.methods[1], "recent:k=2"))
        assert chosen  # every question asks for reasons: for what the person would write
        assert [x["prompt"] for x in chosen] == [x["prompt"] for x in single]
        assert [x["scores"] for x in chosen] == [x["scores"] for x in single]
    with pytest.raises(UsageError, match="setting"):
        replace(GRID, methods=("route:fast=1",))
