from __future__ import annotations

import pytest

from ipse.cli import app
from ipse.methods import METHODS, PRESETS

JSON = {
    "init": [],
    "import": ["jsonl", "more.jsonl"],
    "users": [],
    "records": ["ada"],
    "remember": ["ada", "hello"],
    "ask": ["what about tea?", "--user", "ada"],
    "chat": ["--user", "ada"],
    "replies": ["ada"],
    "explain": ["what about tea?", "--user", "ada"],
    "enroll": [],
    "profile": ["ada", "--method", "facets"],
    "forget": ["ada", "--yes"],
    "export": ["ada", "ada.zip"],
    "methods": [],
    "doctor": [],
    "bench": ["--list"],
}

ELSEWHERE = ("construct", "demo", "report", "compare", "judge", "feedback", "mcp", "serve")
"""Commands that need a model, results, a reply or a client, or go on: tested where these are."""


def test_every_command_is_checked_below():
    names = {each.name or each.callback.__name__ for each in app.registered_commands}
    assert names - set(ELSEWHERE) == set(JSON)


@pytest.mark.parametrize("name", JSON)
def test_json_is_all_there_is_on_stdout(ada, folder, name):
    (folder / "more.jsonl").write_text('{"user": "bob", "kind": "content", "output": "hi"}\nbad\n')
    ran = ada(name, *JSON[name], "--json", typed="what about tea?\n/strength 0\n/why\n")
    assert ran.status == 0
    assert ran.json


@pytest.mark.parametrize("name", [*JSON, *ELSEWHERE])
def test_help_names_the_flags_that_all_commands_share(run, name):
    ran = run(name, "--help")
    assert ran.status == 0
    for flag in ("--store", "--backend", "--model", "--config", "--json"):
        assert flag in ran.out


def test_nothing_typed_shows_the_commands(run):
    ran = run()
    assert ran.status == 0
    assert all(name in ran.out for name in JSON)


def test_version(run):
    assert run("--version").out.count(".") >= 2


def test_init_writes_settings_and_store(run, folder, monkeypatch):
    monkeypatch.delenv("IPSE_BACKEND")
    ran = run("init", "--backend", "echo", "--store", "mine.db", "--json")
    assert ran.json == {"config": "ipse.toml", "store": "mine.db", "records": 0}
    assert 'backend = "echo"' in (folder / "ipse.toml").read_text()
    assert (folder / "ipse.toml").stat().st_mode & 0o077 == 0
    assert run("ask", "hello").out == "[user] hello\n"
    again = run("init")
    assert again.status == 2
    assert "ipse init --force" in again.err
    assert run("init", "--force").status == 0


def test_a_flag_of_init_goes_before_the_environment(run, folder, monkeypatch):
    monkeypatch.setenv("IPSE_STORE", "b.db")
    assert run("init", "--store", "c.db", "--json").json["store"] == "c.db"
    assert (folder / "c.db").exists()
    assert not (folder / "b.db").exists()


def test_init_refuses_before_it_writes(run, folder):
    (folder / "ipse.toml").write_text('backend = "echo"\n')
    ran = run("init", "--force", "--backend", "nope")
    assert (ran.status, "got 'nope' from --backend" in ran.err) == (2, True)
    assert [path.name for path in folder.iterdir()] == ["ipse.toml"]
    assert (folder / "ipse.toml").read_text() == 'backend = "echo"\n'


def test_users_are_paged(ada):
    ada("remember", "bob", "hi")
    first = ada("users", "--limit", "1", "--json").json
    assert [user["id"] for user in first["users"]] == ["ada"]
    rest = ada("users", "--cursor", first["cursor"], "--json").json
    assert [user["id"] for user in rest["users"]] == ["bob"]
    assert rest["cursor"] is None
    assert f"--cursor {first['cursor']}" in ada("users", "--limit", "1").out


def test_records_show_what_was_written_as_it_is(ada):
    ada("remember", "ada", "[bold]not markup[/bold] \x1b[31mred", "--kind", "content")
    ran = ada("records", "ada", "--kind", "content")
    assert "[bold]not markup[/bold] \ufffd[31mred" in ran.out
    assert "\x1b" not in ran.out
    assert "tea" not in ran.out


def test_remember_says_whether_it_is_new(run):
    args = ("remember", "ada", "4.5", "--kind", "interaction", "--input", "A film", "--json")
    time = ("--time", "2026-01-01T00:00Z")
    first, second = run(*args, *time).json, run(*args, *time).json
    assert (first["new"], second["new"]) == (True, False)
    assert first["record"] == second["record"]
    assert first["record"]["input"] == "A film"


def test_ask_answers_and_explains(ada):
    plain = ada("ask", "what about tea?", "--user", "ada", "--method", "bm25:k=1")
    assert "I love green tea" in plain.out
    assert "evidence" not in plain.out
    why = ada("ask", "what about tea?", "-u", "ada", "--method", "bm25:k=1", "--explain")
    assert why.out.startswith(plain.out)
    for shown in ("bm25:k=1", "strength: 1", "evidence:", "(bm25, of 3 records)"):
        assert shown in why.out


def test_ask_explains_in_json(ada):
    ran = ada("ask", "tea?", "-u", "ada", "--method", "bm25:k=1", "--explain", "--json").json
    assert [record["output"] for record in ran["evidence"]] == ["I love green tea"]
    assert ran["states"][0]["method"] == "bm25"
    assert ran["plan"]["evidence"] == [ran["evidence"][0]["id"]]
    assert (ran["methods"], ran["strength"]) == ("bm25:k=1", 1.0)


def test_nobody_and_strength_0_get_the_generic_model(ada):
    generic = ada("ask", "tea?").out
    assert generic == "[user] tea?\n"
    assert ada("ask", "tea?", "--user", "ada", "--strength", "0").out == generic


def test_flags_reach_the_sampling(ada):
    args = ("--max-tokens", "7", "--temperature", "0.5", "--seed", "3")
    sampling = ada("explain", "tea?", *args, "--json").json["sampling"]
    assert (sampling["max_tokens"], sampling["temperature"], sampling["seed"]) == (7, 0.5, 3)


def test_explain_shows_the_plan(ada):
    ran = ada("explain", "tea?", "--user", "ada", "--method", "bm25:k=1", "--strength", "0.5")
    for shown in ("[user] tea?", "stream 2:", "fusion: linear(", "needs: fusion", "evidence:"):
        assert shown in ran.out


def test_enroll_one_or_everybody(ada):
    ada("remember", "bob", "Tea again")
    everybody = ada("enroll", "--method", "bm25", "--json").json
    assert everybody["people"] == 2
    assert {state["user"] for state in everybody["states"]} == {"ada", "bob"}
    one = ada("enroll", "bob", "--method", "bm25", "--json").json
    assert [state["user"] for state in one["states"]] == ["bob"]
    assert ada("enroll", "--method", "bm25", "--json").json["states"] == []  # nothing is missing
    assert "bm25" in ada("enroll", "--method", "bm25", "--fit", "--anew").out


def test_profile_says_what_is_known(ada):
    assert "about " in ada("profile", "ada", "--method", "facets").out
    assert "Nothing can be said" in ada("profile", "ada", "--method", "generic").out


def test_forget_a_record_by_the_start_of_its_id(ada):
    ada("enroll", "--method", "bm25")
    (record,) = ada("records", "ada", "--limit", "1", "--json").json["records"]
    receipt = ada("forget", "ada", record["id"][:6], "--yes", "--json").json
    assert receipt["records"] == [record["id"]]
    assert [state["method"] for state in receipt["states"]] == ["bm25"]
    assert ada("users", "--json").json["users"][0]["records"] == 2


def test_forget_a_person_and_bring_them_back(ada):
    ada("enroll", "--method", "bm25")
    assert "3 records, 1 state and 0 replies of ada" in ada("export", "ada", "ada.zip").out
    assert (
        "Forgot 3 records of ada, 1 state (bm25), 0 replies and 1 artifact ("
        in ada("forget", "ada", "--yes").out
    )
    assert ada("records", "ada").status == 2
    back = ada("import", "ipse", "ada.zip", "--json").json
    assert (back["new"], back["states"]) == (3, 1)


def test_methods_lists_methods_or_a_composition(run):
    everything = run("methods", "--json").json
    assert {each["name"] for each in everything["methods"]} >= set(METHODS)
    assert everything["presets"].items() > PRESETS.items()
    assert everything["presets"]["route"].startswith("one of these for each question")
    (chosen,) = run("methods", "--method", "bm25:k=4", "--json").json["methods"]
    assert chosen["settings"]["k"] == 4
    assert "bm25-diverse" in run("methods").out


def test_ask_says_that_it_waits_and_shows_what_it_chose_among(ada):
    args = ("--user", "ada", "--method", "best-of-n:n=3,reward=-length")
    ran = ada("ask", "tea?", *args, "--explain")
    assert "3 answers are written before the best of them is shown" in ran.err
    assert "candidates (* is the answer)" in ran.out
    found = ada("ask", "tea?", *args, "--json").json
    assert len(found["candidates"]) == len(found["rewards"]) == 3
    assert "candidates: 3 answers at temperature 0.8" in ada("explain", "tea?", *args).out
