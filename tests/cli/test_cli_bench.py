from __future__ import annotations

import json
from pathlib import Path

import pytest

from ipse.cli.call import compositions
from ipse.evaluation.judging.answer import answers
from ipse.evaluation.judging.run import judge_all, judged_path
from ipse.evaluation.ledger import RESULTS
from ipse.evaluation.tasks import FAMILIES, TASKS
from tests.evaluation.judging import ScriptedJudge, line

BENCH = ("bench", "locomo", "--data", "data", "--only", "--methods", "recent,bm25:k=2,match=output")


@pytest.fixture
def bench(run, folder):
    """The command line in a folder with a small conversation to be searched."""
    turns = [("Ada", "I have a cat."), ("Bob", "I prefer dogs."), ("Ada", "Rain again.")]
    talk = {
        "speaker_a": "Ada",
        "speaker_b": "Bob",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": who, "dia_id": f"D1:{n}", "text": text}
            for n, (who, text) in enumerate(turns, 1)
        ],
    }
    asked = [
        {"question": "Which animal is it: a cat?", "answer": "cat", "evidence": ["D1:1"],
         "category": 4},
        {"question": "Who likes dogs?", "answer": "Bob", "evidence": ["D1:2"], "category": 1},
    ]  # fmt: skip
    both = [{"sample_id": f"conv-{n}", "conversation": talk, "qa": asked} for n in range(2)]
    (folder / "data" / "locomo").mkdir(parents=True)
    (folder / "data" / "locomo" / "locomo10.json").write_text(json.dumps(both))
    return run


def test_the_tasks_are_listed_with_what_each_needs(run):
    listed = {each["name"]: each for each in run("bench", "--list", "--json").json}
    assert listed.keys() == {*TASKS, *FAMILIES} - {"lamp"}
    assert listed["locomo"]["files"] == ["locomo10.json"]
    assert not listed["locomo"]["present"]
    assert listed["ukpconvarg-reason"]["present"]
    assert all(each["measures"] and each["summary"] for each in listed.values())
    assert "recall at 10" in run("bench", "--list").out


def test_a_bench_gives_tables_results_and_a_report(bench, folder):
    ran = bench(*BENCH, "--json").json
    (table,) = ran["tables"]
    assert [row["method"] for row in table["rows"]] == ["recent", "bm25:k=2,match=output"]
    assert table["rows"][1]["scores"]["recall_1"]["mean"] == 1.0
    assert table["groups"]["single-hop"]["recent"]["mean"] == 1.0
    assert (folder / "ipse-bench" / RESULTS).exists()
    assert (folder / "ipse-bench" / "report.html").read_text().startswith("<!doctype html>")
    words = bench(*BENCH).out
    assert "recall at 10" in words
    assert "single-hop" in words


def test_a_run_is_made_again_from_its_results(bench, folder):
    bench(*BENCH)
    again = bench("bench", "--from", "ipse-bench", "--out", "two", "--data", "data")
    assert "8 of 8 items are the same as before" in again.out
    one, two = (folder / name / RESULTS for name in ("ipse-bench", "two"))
    assert one.read_bytes() == two.read_bytes()
    compared = bench("compare", "ipse-bench", "two", "--json").json
    assert (compared["differences"], compared["same_items"]) == ([], 8)


def test_runs_are_compared_and_reported_together(bench, folder):
    bench(*BENCH)
    bench(*BENCH, "--out", "two", "--seed", "3")
    assert "grid.seed" in bench("compare", "ipse-bench", "two").out
    assert "Report: report.html" in bench("report", "ipse-bench", "two").out
    assert (folder / "report.html").exists()


def test_another_run_is_not_written_over(bench, folder):
    bench(*BENCH)
    before = (folder / "ipse-bench" / RESULTS).read_bytes()
    ran = bench(*BENCH, "--seed", "1")
    assert ran.status == 2
    assert "holds another run: its grid is" in ran.err
    assert (folder / "ipse-bench" / RESULTS).read_bytes() == before
    assert bench(*BENCH, "--seed", "1", "--fresh").status == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("bench",), "name at least one task"),
        (("bench", "locomoo"), "Did you mean 'locomo'"),
        (("bench", "locomo"), "Get it from github.com/snap-research/locomo"),
        (("bench", "locomo", "--measures", "smell"), "unknown measure 'smell'"),
        (("bench", "locomo", "--from", "x"), "name no task beside it"),
        (("bench", "--from", "nowhere"), "cannot read the results"),
        (("report", "nowhere"), "cannot read the results"),
    ],
)
def test_what_is_wrong_is_said(run, args, said):
    ran = run(*args)
    assert ran.status == 2
    assert said in ran.err


def test_commas_part_compositions_and_their_settings():
    assert compositions("recent, bm25:k=4,diversity=0.3,facets+dense:k=2") == [
        "recent",
        "bm25:k=4,diversity=0.3",
        "facets+dense:k=2",
    ]
    assert compositions("") == []


def test_what_models_judged_stands_in_the_report(bench, folder):
    bench(*BENCH, "--measures", "find")
    lines = [line(task="locomo", person=name, method="recent") for name in ("ada", "bob")]
    judges = [ScriptedJudge("one", default="CORRECT"), ScriptedJudge("two", default="CORRECT")]
    judge_all(answers(lines), judges, judged_path(Path("ipse-bench")), rubric="locomo")
    assert bench("report", "ipse-bench").status == 0
    text = (folder / "report.html").read_text()
    assert "What models judged" in text
    assert "one, two" in text
