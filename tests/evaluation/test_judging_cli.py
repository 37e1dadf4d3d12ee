from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

import ipse.cli.judge as cli
from ipse.errors import InvalidFile, UsageError
from ipse.evaluation.judging.run import read_judged
from ipse.evaluation.ledger import Ledger
from tests.evaluation.judging import ScriptedJudge, line


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`ipse judge` alone, where judges are scripted and settings are noted."""
    opened = []

    def open_lm(settings, notify):
        opened.append(settings)
        return ScriptedJudge(settings.model or "embedded", default="CORRECT")

    monkeypatch.setattr(cli, "open_lm", open_lm)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(cli.judge)
    lines = [line(person=person) for person in ("ada", "bob")]
    with Ledger.open(tmp_path, {"type": "run"}) as ledger:
        ledger.write("all", lines)

    def run(*args):
        return CliRunner().invoke(app, ["results.jsonl", *args], catch_exceptions=True)

    run.opened = opened
    return run


def test_the_command_shows_a_table(run, tmp_path):
    ran = run("--judge", "local:a", "--judge", "local:b")
    assert ran.exit_code == 0, ran.exception
    assert "t, written by m, judged as locomo by a, b" in ran.stdout
    row = next(text for text in ran.stdout.splitlines() if text.strip().startswith("recent"))
    assert row.split() == ["recent", "1.000", "±0.000", "undefined", "0%", "2", "2"]
    assert "recent: 1.000 ±0.000 by a (0% unparsable), 1.000 ±0.000 by b" in ran.stdout
    assert len(read_judged(tmp_path / "judged.jsonl")) == 4
    assert "One judge agrees with nobody" not in ran.stdout
    alone = run("--judge", "local:a", "--out", "alone.jsonl")
    assert "One judge agrees with nobody" in alone.stdout


def test_the_command_answers_with_json(run):
    ran = run("--judge", "local", "--json")
    data = json.loads(ran.stdout)
    summary = data["summaries"][0]
    assert summary["scores"]["correct"]["mean"] == 1
    assert summary["judges"]["embedded"]["unparsable"] == 0
    assert summary["alphas"] == {"correct": None}


def test_a_judge_is_set_up_by_its_name(run, monkeypatch):
    monkeypatch.setenv("IPSE_API_KEY", "mine")
    spec = "http:org/model@v2@https://judge.example:8000/v1"
    run("--judge", spec, "--out", "a.jsonl")
    monkeypatch.setenv("IPSE_BASE_URL", "https://judge.example:8000/v1/")
    run("--judge", spec, "--out", "b.jsonl")
    monkeypatch.setenv("IPSE_JUDGE_API_KEY", "its own")
    run("--judge", spec, "--out", "c.jsonl")
    elsewhere, first, second = run.opened
    assert elsewhere.api_key.get_secret_value() == ""  # another server's key is not sent there
    assert (first.backend, first.model) == ("http", "org/model@v2")
    assert first.base_url == "https://judge.example:8000/v1"
    assert first.api_key.get_secret_value() == "mine"
    assert second.api_key.get_secret_value() == "its own"


@pytest.mark.parametrize("spec", ["echo", "http:model", "local:", "gpt", "http:@http://x/v1"])
def test_what_names_no_judge_is_refused(run, spec):
    ran = run("--judge", spec)
    assert isinstance(ran.exception, UsageError)
    assert "names no judge" in str(ran.exception)


def test_a_damaged_result_is_an_error_that_names_the_line(run, tmp_path):
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write("nonsense\n")
    ran = run("--judge", "local")
    assert isinstance(ran.exception, InvalidFile)
    assert "results.jsonl:5 is damaged" in str(ran.exception)
